"""What dispatch loops say and hear through Redis: signs of life, and requests to run now."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import orjson

from dispatch.milliseconds import milliseconds_of, moment_of
from dispatch.store import redis_keys
from dispatch.store.redis_client import RedisClient, translate_redis_errors

BEAT_TTL_S: Final = 30
"""A loop that was not heard of for so long is not running."""

_WAIT_SLICE_S: Final = 1.0
"""Longest single BLPOP: shorter than the client's own timeout for an answer."""


@dataclass(frozen=True, slots=True)
class LoopBeat:
    """The last sign of life of a loop."""

    loop: str
    at: datetime
    ok: bool
    """Whether its last run did its work."""
    detail: str
    """A sentence: what it did, or what has been in its way and since when."""


class LoopSignals:
    """Beats and wake-ups of the dispatch loops.

    Args:
        redis: A connected client.
    """

    def __init__(self, redis: RedisClient) -> None:
        self._redis = redis

    async def beat(self, loop: str, *, ok: bool, detail: str) -> None:
        """Say that a loop has just run.

        Raises:
            StoreUnavailable: Redis did not answer.
        """
        at_ms = milliseconds_of(datetime.now(UTC))
        beat = orjson.dumps({"at_ms": at_ms, "ok": ok, "detail": detail})
        with translate_redis_errors():
            await self._redis.set(redis_keys.dispatch_beat(loop), beat, ex=BEAT_TTL_S)

    async def find_beat(self, loop: str) -> LoopBeat | None:
        """Return a loop's last sign of life, or None when there was none for 30 s.

        Raises:
            StoreUnavailable: Redis did not answer.
        """
        with translate_redis_errors():
            text = await self._redis.get(redis_keys.dispatch_beat(loop))
        if text is None:
            return None
        fields = orjson.loads(text)
        at = moment_of(fields["at_ms"])
        return LoopBeat(loop, at, fields["ok"], fields["detail"])

    async def wake(self, loop: str) -> None:
        """Ask a loop to run now; asking again before it has is the same as asking once.

        Raises:
            StoreUnavailable: Redis did not answer; the loop runs at its next interval.
        """
        key = redis_keys.wake(loop)
        with translate_redis_errors():
            async with self._redis.pipeline(transaction=True) as pipe:
                pipe.rpush(key, "1")
                pipe.ltrim(key, 0, 0)
                await pipe.execute()

    async def wait(self, loop: str, seconds: float) -> None:
        """Return when the loop is asked to run, or after so many seconds.

        Raises:
            StoreUnavailable: Redis did not answer.
        """
        clock = asyncio.get_running_loop()
        until = clock.time() + seconds
        while (left := until - clock.time()) > 0:
            # BLPOP reads a timeout of 0 as "for ever".
            slice_s = max(min(left, _WAIT_SLICE_S), 0.01)
            with translate_redis_errors():
                if await self._redis.blpop([redis_keys.wake(loop)], timeout=slice_s):
                    return
