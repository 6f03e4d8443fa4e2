"""Writing call events, and what they change, into the record."""

import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from psycopg.errors import ProgramLimitExceeded
from sqlalchemy import Table as SqlTable
from sqlalchemy import func, literal, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, StatementError

from dispatch.errors import DispatchError
from dispatch.store.engine import ReadSession, WriteSession
from dispatch.store.event_stream import StreamedEvent
from dispatch.store.tables import CallEventRow, CallRow, LedgerEntryRow, TranscriptTurnRow
from telephony.calls import CallState


@dataclass(frozen=True, slots=True)
class Release:
    """A call's reservation is given back, as its event of this number told."""

    call_id: uuid.UUID
    seq: int
    at: datetime


class UnwritableRow(DispatchError):
    """Postgres refused a row for what it holds; it would refuse it again."""


@contextmanager
def translate_unwritable() -> Iterator[None]:
    """Turn an error of Postgres about the data itself into `UnwritableRow`.

    Raises:
        UnwritableRow: A value has the wrong form or breaks a rule of its table.
    """
    try:
        yield
    except StatementError as exc:
        # Other errors of the database (a lost connection, a missing table) are about the moment,
        # and may be gone at the next try. A value too long for an index is none of those, although
        # it is told by the class of a lost connection.
        is_about_data = isinstance(exc, DataError | IntegrityError)
        is_too_long = isinstance(exc.orig, ProgramLimitExceeded)
        if isinstance(exc, DBAPIError) and not (is_about_data or is_too_long):
            raise
        raise UnwritableRow(type(exc).__name__) from exc


_CALLS = cast("SqlTable", CallRow.__table__)
_EVENTS = cast("SqlTable", CallEventRow.__table__)
_LEDGER = cast("SqlTable", LedgerEntryRow.__table__)
_TURNS = cast("SqlTable", TranscriptTurnRow.__table__)


async def add_events(
    db: WriteSession, events: Sequence[StreamedEvent]
) -> set[tuple[uuid.UUID, int]]:
    """Write events and return the (call id, seq) of those that were not there before."""
    rows = [
        {
            "call_id": event.call_id,
            "seq": event.seq,
            "type": event.type,
            "at": event.at,
            "data": event.data,
        }
        for event in events
    ]
    statement = (
        insert(_EVENTS)
        .values(rows)
        .on_conflict_do_nothing(index_elements=[_EVENTS.c.call_id, _EVENTS.c.seq])
        .returning(_EVENTS.c.call_id, _EVENTS.c.seq)
    )
    return {(row.call_id, row.seq) for row in await db.execute(statement)}


async def begin_call(db: WriteSession, call_id: uuid.UUID, columns: Mapping[str, Any]) -> None:
    """Write the row of a call that began; one that is there already is completed."""
    statement = insert(_CALLS).values(id=call_id, **columns)
    await db.execute(
        statement.on_conflict_do_update(
            index_elements=[_CALLS.c.id], set_=dict(columns), where=_CALLS.c.ended_at.is_(None)
        )
    )


async def change_call(db: WriteSession, call_id: uuid.UUID, columns: Mapping[str, Any]) -> None:
    """Set columns of a call that is not over; an end that is on record stays as it is."""
    if columns:
        statement = update(_CALLS).where(_CALLS.c.id == call_id, _CALLS.c.ended_at.is_(None))
        await db.execute(statement.values(**columns))


async def bill_from_ledger(db: WriteSession, release: Release) -> None:
    """Make a call's cost what its ledger entries took.

    One that was never answered costs nothing: it is missed, and its reservation is given back.
    """
    is_this = _CALLS.c.id == release.call_id
    missed = await db.execute(
        update(_CALLS)
        .where(is_this, _CALLS.c.answered_at.is_(None))
        .values(state=CallState.MISSED.value, cost_microcredits=0, billed_s=None)
        .returning(_CALLS.c.id)
    )
    if missed.one_or_none() is not None:
        await release_reservation(db, release)
        return
    taken = (
        select(-func.coalesce(func.sum(_LEDGER.c.amount_microcredits), 0))
        .where(_LEDGER.c.call_id == release.call_id)
        .scalar_subquery()
    )
    await db.execute(update(_CALLS).where(is_this).values(cost_microcredits=taken, billed_s=None))


async def release_reservation(db: WriteSession, release: Release) -> None:
    """Give back all that the ledger says a call has reserved and not been given back."""
    amount = func.sum(_LEDGER.c.amount_microcredits)
    reserved = (
        select(
            func.gen_random_uuid(),
            _LEDGER.c.organization_id,
            literal("release"),
            -amount,
            literal(f"{release.call_id}:{release.seq}"),
            _LEDGER.c.call_id,
            literal(release.at),
        )
        .where(
            _LEDGER.c.call_id == release.call_id,
            _LEDGER.c.kind.in_(("reserve", "extend", "release")),
        )
        .group_by(_LEDGER.c.organization_id, _LEDGER.c.call_id)
        .having(amount != 0)
    )
    columns = (
        _LEDGER.c.id,
        _LEDGER.c.organization_id,
        _LEDGER.c.kind,
        _LEDGER.c.amount_microcredits,
        _LEDGER.c.operation_id,
        _LEDGER.c.call_id,
        _LEDGER.c.created_at,
    )
    statement = insert(_LEDGER).from_select(columns, reserved)
    await db.execute(statement.on_conflict_do_nothing(index_elements=[_LEDGER.c.operation_id]))


async def list_open_calls(
    db: ReadSession, after: uuid.UUID | None, most: int
) -> Sequence[tuple[uuid.UUID, str]]:
    """Return (id, room name) of calls that began and are not over, by id, those behind `after`."""
    # Redis has not heard of queued ones yet.
    query = select(CallRow.id, CallRow.room_name).where(
        CallRow.ended_at.is_(None), CallRow.state != CallState.QUEUED.value
    )
    if after is not None:
        query = query.where(CallRow.id > after)
    found = await db.execute(query.order_by(CallRow.id).limit(most))
    return [(row.id, row.room_name) for row in found]


async def add_turns(db: WriteSession, turns: Sequence[Mapping[str, Any]]) -> None:
    """Write turns of transcripts."""
    if turns:
        await db.execute(insert(_TURNS).on_conflict_do_nothing(), list(turns))


async def add_ledger_entries(db: WriteSession, entries: Sequence[Mapping[str, Any]]) -> None:
    """Write ledger entries; one whose operation is on record stays as it is."""
    if entries:
        statement = insert(_LEDGER).on_conflict_do_nothing(index_elements=[_LEDGER.c.operation_id])
        await db.execute(statement, list(entries))
