"""The stream of call events in Redis, as the drain reads it."""

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from redis.exceptions import ResponseError

from dispatch.calls import EventType
from dispatch.milliseconds import moment_of
from dispatch.store import redis_keys
from dispatch.store.redis_client import RedisClient, translate_redis_errors


@dataclass(frozen=True, slots=True)
class StreamedEvent:
    """One event of a call, as it was appended."""

    call_id: uuid.UUID
    seq: int
    type: EventType
    at: datetime
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class StreamEntry:
    """An entry of the stream; its fields are not trusted yet."""

    entry_id: str
    fields: Mapping[str, str]

    def to_event(self) -> StreamedEvent:
        """Return the event in this entry.

        Raises:
            ValueError: The entry does not hold an event.
        """
        try:
            return StreamedEvent(
                call_id=uuid.UUID(self.fields["call_id"]),
                seq=int(self.fields["seq"]),
                type=EventType(self.fields["type"]),
                at=moment_of(self.fields["at_ms"]),
                data=orjson.loads(self.fields["data"]),
            )
        except KeyError as exc:
            raise ValueError(f"The entry has no field {exc}.") from exc
        except OverflowError as exc:
            raise ValueError("The entry's time is none.") from exc


class EventStream:
    """The stream's consumer group. All methods raise `StoreUnavailable` when Redis is not there.

    All drains share one consumer name: only one of them runs at a time, and whatever a dead one
    had taken and not written is found by the next under that name.
    """

    def __init__(self, redis: RedisClient, consumer: str) -> None:
        self._redis = redis
        self._consumer = consumer

    async def read_new(self, most: int, wait_s: float) -> list[StreamEntry]:
        """Take entries nobody has taken, waiting for the first so long (0 does not wait)."""
        return await self._read(">", most, round(wait_s * 1000) or None)

    async def read_taken(self, most: int) -> list[StreamEntry]:
        """Return the oldest entries that were taken and never confirmed."""
        return await self._read("0", most, None)

    async def oldest_taken(self) -> str | None:
        """Return the id of the oldest entry that was taken and never confirmed."""
        with translate_redis_errors():
            summary = await self._redis.xpending(redis_keys.EVENTS, redis_keys.EVENTS_GROUP)
        return str(summary["min"]) if summary["pending"] else None

    async def lag_s(self) -> float:
        """Return how old the oldest entry is that is not written yet; 0 when there is none."""
        with translate_redis_errors():
            seconds, microseconds = await self._redis.time()
            oldest = await self._redis.xrange(redis_keys.EVENTS, count=1)
        if not oldest:
            return 0.0
        appended_at_ms = int(str(oldest[0][0]).partition("-")[0])
        return max(0.0, seconds + microseconds / 1e6 - appended_at_ms / 1000)

    async def confirm(self, entry_ids: Iterable[str]) -> None:
        """Take written entries off the stream; repeating it is fine."""
        ids = list(entry_ids)
        if not ids:
            return
        with translate_redis_errors():
            async with self._redis.pipeline(transaction=True) as pipe:
                pipe.xack(redis_keys.EVENTS, redis_keys.EVENTS_GROUP, *ids)
                pipe.xdel(redis_keys.EVENTS, *ids)
                await pipe.execute()

    async def reject(self, entry: StreamEntry, why: str) -> None:
        """Move an entry that can never be written aside, where an operator finds it."""
        rejected: dict[Any, Any] = {**entry.fields, "entry_id": entry.entry_id, "why": why}
        with translate_redis_errors():
            async with self._redis.pipeline(transaction=True) as pipe:
                pipe.xadd(redis_keys.EVENTS_REJECTED, rejected)
                pipe.xack(redis_keys.EVENTS, redis_keys.EVENTS_GROUP, entry.entry_id)
                pipe.xdel(redis_keys.EVENTS, entry.entry_id)
                await pipe.execute()

    async def _read(self, after: str, most: int, block_ms: int | None) -> list[StreamEntry]:
        with translate_redis_errors():
            try:
                answer = await self._read_group(after, most, block_ms)
            except ResponseError as exc:
                if not str(exc).startswith("NOGROUP"):
                    raise
                # The first run ever, or Redis lost its data.
                await self._create_group()
                answer = await self._read_group(after, most, block_ms)
        entries = [entry for _, found in _pairs(answer) for entry in found]
        # Confirmed in a run that died between its XACK and now: nothing left to write.
        await self.confirm(entry_id for entry_id, fields in entries if not fields)
        return [StreamEntry(entry_id, fields) for entry_id, fields in entries if fields]

    async def _read_group(self, after: str, most: int, block_ms: int | None) -> Any:
        return await self._redis.xreadgroup(
            redis_keys.EVENTS_GROUP,
            self._consumer,
            {redis_keys.EVENTS: after},
            count=most,
            block=block_ms,
        )

    async def _create_group(self) -> None:
        try:
            await self._redis.xgroup_create(
                redis_keys.EVENTS, redis_keys.EVENTS_GROUP, id="0", mkstream=True
            )
        except ResponseError as exc:
            if not str(exc).startswith("BUSYGROUP"):
                raise


def _pairs(answer: Any) -> Iterable[tuple[str, Any]]:
    """Return (stream, entries) pairs; RESP3 answers with a map, RESP2 with a list."""
    if not answer:
        return ()
    return answer.items() if isinstance(answer, Mapping) else answer
