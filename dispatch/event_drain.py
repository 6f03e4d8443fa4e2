"""Writes what happened in calls from the Redis stream into Postgres, exactly once."""

import logging
from collections.abc import Sequence
from typing import Final

from dispatch.errors import StoreUnavailable
from dispatch.event_effects import changes_of
from dispatch.store.engine import Database, WriteSession
from dispatch.store.event_stream import EventStream, StreamedEvent, StreamEntry
from dispatch.store.redis_client import RedisClient
from dispatch.store.repositories import recorded_calls, usage
from dispatch.store.repositories.recorded_calls import Release, UnwritableRow
from dispatch.usage.operations import OperationChange

_log = logging.getLogger(__name__)

BATCH: Final = 500
"""Events written in one transaction, at most."""

_MALFORMED: Final = (
    UnwritableRow,
    AttributeError,
    KeyError,
    OverflowError,
    TypeError,
    ValueError,
)
"""What an event raises that is not what its type must be; it would do so again and again."""


class EventDrain:
    """The one writer of call records, transcripts and call ledger entries.

    An event leaves the stream only after the commit that wrote it; one written twice (the process
    died in between) is recognised by its call and sequence number, and changes nothing.

    Args:
        redis: Holds the stream.
        database: Receives the record.
        consumer: Names the drain in the consumer group; the same in every process.
        wait_s: How long a run waits for events when there are none; less than Redis's timeout.
    """

    def __init__(
        self,
        redis: RedisClient,
        database: Database,
        *,
        consumer: str = "dispatch",
        wait_s: float = 1.0,
    ) -> None:
        self._stream = EventStream(redis, consumer)
        self._database = database
        self._wait_s = wait_s
        self._has_taken = True
        self._most = BATCH

    async def run_once(self) -> int:
        """Write one batch and return how many events were taken off the stream.

        Raises:
            StoreUnavailable: Redis or Postgres could not be reached; nothing is lost, and the
                same events are written by a later run.
        """
        try:
            taken = await self._write_next()
        except StoreUnavailable:
            # It may be too much to be written in the time that a statement has; then less is asked
            # of the next run. A Postgres that is away takes no part of it either.
            self._most = max(1, self._most // 4)
            raise
        self._most = min(BATCH, self._most * 2)
        return taken

    async def _write_next(self) -> int:
        entries = await self._next_batch()
        # Until this batch is confirmed, the next run must look for it again.
        self._has_taken, had_taken = True, self._has_taken
        events: list[tuple[StreamEntry, StreamedEvent]] = []
        for entry in entries:
            try:
                events.append((entry, entry.to_event()))
            except ValueError as exc:
                await self._reject(entry, str(exc))
        await self._write_all(events)
        self._has_taken = had_taken and bool(entries)
        return len(entries)

    async def _next_batch(self) -> list[StreamEntry]:
        if self._has_taken:
            entries = await self._stream.read_taken(self._most)
            if entries:
                return entries
            self._has_taken = False
        entries = await self._stream.read_new(self._most, self._wait_s)
        oldest = await self._stream.oldest_taken()
        if oldest is None or (entries and oldest == entries[0].entry_id):
            return entries
        # Another process took some before and died, or lost the lock and does not know it yet. What
        # was told first is written first: a call that ends before it began would never end.
        self._has_taken = True
        return await self._stream.read_taken(self._most)

    async def _write_all(self, events: Sequence[tuple[StreamEntry, StreamedEvent]]) -> None:
        """Write events together; when one of them is poison, one by one."""
        if not events:
            return
        try:
            await self._write([event for _, event in events])
        except _MALFORMED as exc:
            if len(events) == 1:
                await self._reject(events[0][0], type(exc).__name__)
                return
            for event in events:
                await self._write_all([event])
            return
        await self._stream.confirm(entry.entry_id for entry, _ in events)

    async def _write(self, events: Sequence[StreamedEvent]) -> None:
        async with self._database.transaction() as db:
            with recorded_calls.translate_unwritable():
                added = await recorded_calls.add_events(db, events)
                new = [event for event in events if (event.call_id, event.seq) in added]
                changes = changes_of(new)
                await recorded_calls.add_turns(db, changes.turns)
                await recorded_calls.add_ledger_entries(db, changes.reserved)
                for event in changes.released:
                    await recorded_calls.release_reservation(db, _release(event))
                await recorded_calls.add_ledger_entries(db, changes.charged)
                await _write_operations(db, changes.operations)
                await usage.add_bills(db, changes.bills.values())
                for call_id, call in changes.calls.items():
                    if call.begins:
                        await recorded_calls.begin_call(db, call_id, call.columns)
                    else:
                        await recorded_calls.change_call(db, call_id, call.columns)
                    if call.state_lost is not None:
                        await recorded_calls.bill_from_ledger(db, _release(call.state_lost))
                        await usage.add_unmetered_bill(db, call_id)

    async def _reject(self, entry: StreamEntry, why: str) -> None:
        _log.error(
            "Event that cannot be written moved aside",
            extra={"entry_id": entry.entry_id, "why": why},
        )
        await self._stream.reject(entry, why)


async def _write_operations(db: WriteSession, changes: Sequence[OperationChange]) -> None:
    for change in changes:
        event = change.event
        if change.opened is not None:
            await usage.open_reservation(db, change.opened, event.at)
        if change.closes_seq is not None:
            await usage.close_reservation(db, event.call_id, change.closes_seq)
    entries = [entry for change in changes for entry in change.ledger]
    await recorded_calls.add_ledger_entries(db, entries)
    await usage.add_bills(db, (change.usage for change in changes))


def _release(event: StreamedEvent) -> Release:
    return Release(event.call_id, event.seq, event.at)
