"""Whether everything without which a call is not answered is there."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from dispatch.errors import DispatchError
from dispatch.store import redis_keys
from dispatch.store.engine import Database
from dispatch.store.loop_signals import LoopBeat, LoopSignals
from dispatch.store.redis_client import RedisClient, translate_redis_errors
from dispatch.workers import WorkerPresence
from telephony.errors import TelephonyError
from telephony.ports import RoomControl

logger = logging.getLogger(__name__)

CHECK_TIMEOUT_S: Final = 1.5
"""Less than the usual two seconds for which a load balancer waits."""

LOOPS: Final = (
    "convergence",
    "drain",
    "reaper",
    "unanswered",
    "projection",
    "reconciliation",
    "reservations",
    "embeddings",
    "chats",
)
"""The loops of `dispatch`, as in their Redis keys."""

_NO_ROOM: Final = "readiness-probe"
"""A name that no room has: LiveKit answers the question without listing anything."""


@dataclass(frozen=True, slots=True)
class Check:
    """What one check found."""

    ok: bool
    detail: str


class Readiness:
    """Asks every part at once.

    Args:
        redis: The live calls' store.
        database: The record.
        rooms: LiveKit.
        signals: Where the dispatch loops say that they live.
        workers: Where the workers do.
    """

    def __init__(
        self,
        *,
        redis: RedisClient,
        database: Database,
        rooms: RoomControl,
        signals: LoopSignals,
        workers: WorkerPresence,
    ) -> None:
        self._redis = redis
        self._database = database
        self._rooms = rooms
        self._signals = signals
        self._workers = workers

    async def check(self) -> dict[str, Check]:
        """Return each part's state; a part that does not answer in time is not ready."""
        checks: dict[str, Callable[[], Awaitable[Check]]] = {
            "redis": self._check_redis,
            "postgres": self._check_postgres,
            "livekit": self._check_livekit,
            "dispatch": self._check_dispatch,
            "workers": self._check_workers,
        }
        found = await asyncio.gather(*(_bounded(check) for check in checks.values()))
        return dict(zip(checks, found, strict=True))

    async def _check_redis(self) -> Check:
        with translate_redis_errors():
            await self._redis.ping()
        return Check(ok=True, detail="answers")

    async def _check_postgres(self) -> Check:
        async with self._database.reading() as db:
            # Taking a connection from the pool asks Postgres whether it is alive.
            await db.connection()
        return Check(ok=True, detail="answers")

    async def _check_livekit(self) -> Check:
        await self._rooms.list_rooms([_NO_ROOM])
        return Check(ok=True, detail="answers")

    async def _check_dispatch(self) -> Check:
        beats = await asyncio.gather(*(self._signals.find_beat(loop) for loop in LOOPS))
        complaints = [
            complaint
            for loop, beat in zip(LOOPS, beats, strict=True)
            if (complaint := _complaint(loop, beat)) is not None
        ]
        if complaints:
            return Check(ok=False, detail="; ".join(complaints))
        with translate_redis_errors():
            rejected = await self._redis.xlen(redis_keys.EVENTS_REJECTED)
        # An operator must look at them, but calls are answered, so traffic must not be taken away.
        aside = f"; {rejected} events rejected, see {redis_keys.EVENTS_REJECTED}"
        return Check(ok=True, detail=f"{len(LOOPS)} loops run{aside if rejected else ''}")

    async def _check_workers(self) -> Check:
        workers = await self._workers.list()
        free = sum(worker.free_calls for worker in workers)
        noun = "worker" if len(workers) == 1 else "workers"
        return Check(ok=free > 0, detail=f"{len(workers)} {noun}, {free} free")


def _complaint(loop: str, beat: LoopBeat | None) -> str | None:
    if beat is None:
        return f"{loop} does not run"
    return None if beat.ok else f"{loop}: {beat.detail}"


async def _bounded(check: Callable[[], Awaitable[Check]]) -> Check:
    try:
        async with asyncio.timeout(CHECK_TIMEOUT_S):
            return await check()
    except TimeoutError:
        return Check(ok=False, detail=f"no answer in {CHECK_TIMEOUT_S} s")
    except (DispatchError, TelephonyError) as exc:
        return Check(ok=False, detail=str(exc))
