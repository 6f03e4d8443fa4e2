"""The worker notices that the process of one of its jobs is gone, sooner than its lease lapses."""

import asyncio
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from dispatch.errors import StoreUnavailable

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RunningJob:
    """A job that has a process."""

    id: str
    room_name: str
    seat: str
    """Which of several agents in the room it is; empty where there is one."""


class Leases(Protocol):
    """The part of `LiveCalls` that gives up calls."""

    async def forsake(self, room_name: str, job_id: str, seat: str = "") -> bool:
        """Let the lease of a call lapse whose job is dead."""
        ...


async def forsake_lost_jobs(
    leases: Leases, running: Callable[[], Iterable[RunningJob]], interval_s: float
) -> None:
    """Give up the calls of jobs whose process is gone, until cancelled.

    A job that ended as it should has settled its call before, and nothing happens. If Redis is
    away, the lease is given up when it is back, or has lapsed by itself.

    Args:
        leases: Where calls are given up.
        running: Returns the jobs whose processes live.
        interval_s: Seconds between two looks.
    """
    known: set[RunningJob] = set()
    while True:
        living = set(running())
        known |= living
        for job in known - living:
            try:
                if await leases.forsake(job.room_name, job.id, job.seat):
                    logger.error("process of a job died, its call ends", extra={"job_id": job.id})
                known.discard(job)
            except StoreUnavailable:
                logger.debug("lease of a lost job not given up, Redis is away")
        await asyncio.sleep(interval_s)
