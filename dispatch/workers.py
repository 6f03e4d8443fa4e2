"""Which workers live, and how many more calls each can take."""

from dataclasses import dataclass

from dispatch.store import redis_keys
from dispatch.store.lua_scripts import LuaScripts
from dispatch.store.redis_client import RedisClient, translate_redis_errors

PRESENCE_TTL_S = 15
"""A worker that has not reported for this long is not counted."""


@dataclass(frozen=True, slots=True)
class WorkerReport:
    """One worker as it last reported itself."""

    worker_id: str
    active_calls: int
    max_calls: int

    @property
    def free_calls(self) -> int:
        """Calls it can still take."""
        return max(0, self.max_calls - self.active_calls)


class WorkerPresence:
    """Who is there to answer. Every method raises `StoreUnavailable` when Redis is not there."""

    def __init__(self, redis: RedisClient) -> None:
        self._redis = redis
        self._scripts = LuaScripts(redis)

    async def report(self, worker_id: str, active_calls: int, max_calls: int) -> None:
        """Say that this worker lives; counts for 15 s."""
        with translate_redis_errors():
            await self._scripts.run(
                "report_worker",
                [redis_keys.WORKERS, redis_keys.worker(worker_id)],
                [worker_id, active_calls, max_calls, PRESENCE_TTL_S * 1000],
            )

    async def leave(self, worker_id: str) -> None:
        """Say that this worker takes no more calls; one already gone is fine."""
        with translate_redis_errors():
            async with self._redis.pipeline(transaction=True) as pipe:
                pipe.zrem(redis_keys.WORKERS, worker_id)
                pipe.delete(redis_keys.worker(worker_id))
                await pipe.execute()

    async def list(self) -> list[WorkerReport]:
        """Return the living workers, by name."""
        with translate_redis_errors():
            rows = await self._scripts.run(
                "list_workers", [redis_keys.WORKERS], [redis_keys.worker("")]
            )
        return sorted(
            (WorkerReport(name, int(active), int(most)) for name, active, most in rows),
            key=lambda worker: worker.worker_id,
        )
