"""The worker says that it is there and how busy it is, for as long as it runs."""

import asyncio
import logging
from collections.abc import Callable
from typing import Protocol

from dispatch.errors import StoreUnavailable

logger = logging.getLogger(__name__)


class Presence(Protocol):
    """The part of `WorkerPresence` that reports."""

    async def report(self, worker_id: str, active_calls: int, max_calls: int) -> None:
        """Say that this worker lives."""
        ...

    async def leave(self, worker_id: str) -> None:
        """Say that this worker takes no more calls."""
        ...


async def keep_present(
    presence: Presence,
    worker_id: str,
    registered: asyncio.Event,
    count_calls: Callable[[], int | None],
    max_calls: int,
    interval_s: float,
) -> None:
    """Report from the registration with LiveKit until cancelled, then leave.

    Args:
        presence: Where workers report.
        worker_id: This worker.
        registered: Set once LiveKit may give us calls; nobody counts on us before.
        count_calls: Returns the calls that are on; None while the worker cannot take any, for
            example because it drains.
        max_calls: Calls it can hold.
        interval_s: Seconds between two reports.
    """
    await registered.wait()
    is_heard = True
    try:
        while True:
            active_calls = count_calls()
            try:
                if active_calls is None:
                    await presence.leave(worker_id)
                else:
                    await presence.report(worker_id, active_calls, max_calls)
                is_heard = True
            except StoreUnavailable:
                if is_heard:
                    logger.warning("worker not reported, Redis is away")
                is_heard = False
            await asyncio.sleep(interval_s)
    finally:
        await _leave(presence, worker_id)


async def _leave(presence: Presence, worker_id: str) -> None:
    try:
        await presence.leave(worker_id)
    except StoreUnavailable:
        logger.info("worker not signed off, its report will lapse")
