"""The queue of outbound calls in Postgres."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert

from dispatch.outbound_call import CarrierTrunk, OutboundCall, outbound_room_of
from dispatch.sealed import WrappedKey
from dispatch.store.engine import ReadSession, WriteSession
from dispatch.store.tables import (
    CallRow,
    CarrierConnectionRow,
    DataKeyRow,
    OutboundCallRow,
    PhoneNumberRow,
)
from telephony.calls import CallDirection, CallKind, CallState, EndedBy, EndReason
from telephony.e164 import E164


async def add_call(db: WriteSession, call: OutboundCall) -> OutboundCall:
    """Queue a call and begin its record; under an id that exists, that call is returned."""
    statement = insert(OutboundCallRow).values(
        id=call.id,
        organization_id=call.organization_id,
        project_id=call.project_id,
        connection_id=call.connection_id,
        agent_id=call.agent_id,
        from_number=call.from_number,
        to_number=call.to_number,
        ring_timeout_s=call.ring_timeout_s,
        call_metadata=call.metadata,
        due_at=call.due_at,
        created_at=call.created_at,
    )
    added = await db.scalar(statement.on_conflict_do_nothing().returning(OutboundCallRow.id))
    if added is None:
        return await find_call(db, call.project_id, call.id) or call
    await db.execute(
        insert(CallRow).values(
            id=call.id,
            organization_id=call.organization_id,
            project_id=call.project_id,
            agent_id=call.agent_id,
            kind=CallKind.SIP.value,
            direction=CallDirection.OUTBOUND.value,
            state=CallState.QUEUED.value,
            room_name=outbound_room_of(call.id),
            called_number=call.to_number,
            caller_number=call.from_number,
            started_at=call.created_at,
            call_metadata=call.metadata,
        )
    )
    return call


async def find_call(
    db: ReadSession, project_id: uuid.UUID, call_id: uuid.UUID
) -> OutboundCall | None:
    """Return a project's outbound call, wherever it stands."""
    query = select(OutboundCallRow).where(
        OutboundCallRow.id == call_id, OutboundCallRow.project_id == project_id
    )
    row = (await db.execute(query)).scalar_one_or_none()
    return None if row is None else _to_call(row)


@dataclass(frozen=True, slots=True)
class DueCall:
    """A call that is due, and what it may have to wait for."""

    id: uuid.UUID
    connection_id: uuid.UUID
    from_number: E164


async def list_due(db: ReadSession, most_of_a_number: int) -> Sequence[DueCall]:
    """Return the calls that are due, longest waiting first, so many of each number they show.

    One tenant's ten thousand calls are not in the way of another's single one, nor those of a
    number that is busy in the way of the connection's other numbers.
    """
    turn = (
        func.row_number()
        .over(
            partition_by=(OutboundCallRow.connection_id, OutboundCallRow.from_number),
            order_by=(OutboundCallRow.due_at, OutboundCallRow.id),
        )
        .label("turn")
    )
    due = (
        select(
            OutboundCallRow.id,
            OutboundCallRow.connection_id,
            OutboundCallRow.from_number,
            OutboundCallRow.due_at,
            turn,
        )
        .where(OutboundCallRow.state == "queued", OutboundCallRow.due_at <= func.now())
        .subquery()
    )
    query = select(due.c.id, due.c.connection_id, due.c.from_number).where(
        due.c.turn <= most_of_a_number
    )
    found = await db.execute(query.order_by(due.c.turn, due.c.due_at, due.c.id))
    return [DueCall(row.id, row.connection_id, E164(row.from_number)) for row in found]


async def take_queued(db: WriteSession, call_id: uuid.UUID) -> OutboundCall | None:
    """Return a call that is still queued and keep others from it until the transaction ends.

    None when it was begun or cancelled, or is in somebody else's hands.
    """
    query = (
        select(OutboundCallRow)
        .where(OutboundCallRow.id == call_id, OutboundCallRow.state == "queued")
        .with_for_update(skip_locked=True)
    )
    row = (await db.execute(query)).scalar_one_or_none()
    return None if row is None else _to_call(row)


async def may_show(db: ReadSession, call: OutboundCall) -> bool:
    """Whether the number that a call shows is still its project's."""
    query = select(PhoneNumberRow.id).where(
        PhoneNumberRow.did == call.from_number,
        PhoneNumberRow.project_id == call.project_id,
        PhoneNumberRow.deleted_at.is_(None),
    )
    return await db.scalar(query) is not None


async def mark_begun(db: WriteSession, call_id: uuid.UUID) -> None:
    """Take a call off the queue for good; its events tell the rest."""
    is_this = OutboundCallRow.id == call_id
    await db.execute(update(OutboundCallRow).where(is_this).values(state="begun"))
    await db.execute(
        update(CallRow)
        .where(CallRow.id == call_id, CallRow.state == CallState.QUEUED.value)
        .values(state=CallState.RINGING.value)
    )


async def end_queued(
    db: WriteSession,
    call_id: uuid.UUID,
    ended_by: EndedBy,
    reason: EndReason,
) -> bool:
    """Take a queued call off the queue and end its record; False when it was begun or cancelled."""
    taken = await db.scalar(
        update(OutboundCallRow)
        .where(OutboundCallRow.id == call_id, OutboundCallRow.state == "queued")
        .values(state="cancelled")
        .returning(OutboundCallRow.id)
    )
    if taken is None:
        return False
    await db.execute(
        update(CallRow)
        .where(CallRow.id == call_id, CallRow.ended_at.is_(None))
        .values(
            state=CallState.MISSED.value,
            ended_at=func.now(),
            ended_by=ended_by.value,
            end_reason=reason.value,
            billed_s=0,
            cost_microcredits=0,
        )
    )
    return True


async def was_cancelled(db: ReadSession, call_id: uuid.UUID) -> bool:
    """Whether a call was cancelled while it was queued or rang, as far as that is on record."""
    query = select(CallRow.end_reason).where(CallRow.id == call_id)
    return await db.scalar(query) == EndReason.CANCELLED.value


async def state_of(db: ReadSession, call_id: uuid.UUID) -> CallState | None:
    """Return where a call stands on record."""
    state = await db.scalar(select(CallRow.state).where(CallRow.id == call_id))
    return None if state is None else CallState(state)


async def limits_of(db: ReadSession, connection_id: uuid.UUID) -> tuple[int | None, int | None]:
    """Return how many calls a second and at once a connection takes, None where it does not say."""
    query = select(
        CarrierConnectionRow.calls_per_second, CarrierConnectionRow.max_outbound_calls
    ).where(CarrierConnectionRow.id == connection_id)
    row = (await db.execute(query)).one_or_none()
    return (None, None) if row is None else (row[0], row[1])


async def find_trunk(db: ReadSession, connection_id: uuid.UUID) -> CarrierTrunk | None:
    """Return where a connection's calls go; None when it only calls in, or is deleted."""
    found = await _trunks(db, [connection_id])
    return found[0][2] if found else None


async def list_trunks_of(db: ReadSession, project_id: uuid.UUID) -> Sequence[CarrierTrunk]:
    """Return where a project's calls go, by connection; without those that only call in."""
    query = select(CarrierConnectionRow.id).where(CarrierConnectionRow.project_id == project_id)
    found = await _trunks(db, (await db.scalars(query)).all())
    return [trunk for _, _, trunk in found if trunk is not None]


async def list_trunks_changed_since(
    db: ReadSession, since: datetime | None, after: uuid.UUID | None, limit: int
) -> Sequence[tuple[uuid.UUID, int, CarrierTrunk | None]]:
    """Return all tenants' connections with revisions and trunks, if they have one; as `agents`."""
    query = select(CarrierConnectionRow.id).order_by(CarrierConnectionRow.id).limit(limit)
    if since is not None:
        query = query.where(CarrierConnectionRow.updated_at >= since)
    if after is not None:
        query = query.where(CarrierConnectionRow.id > after)
    return await _trunks(db, (await db.scalars(query)).all())


async def _trunks(
    db: ReadSession, ids: Sequence[uuid.UUID]
) -> list[tuple[uuid.UUID, int, CarrierTrunk | None]]:
    query = (
        select(CarrierConnectionRow, DataKeyRow)
        .outerjoin(DataKeyRow, DataKeyRow.project_id == CarrierConnectionRow.project_id)
        .where(CarrierConnectionRow.id.in_(ids))
        .order_by(CarrierConnectionRow.id)
    )
    return [(row.id, row.revision, _to_trunk(row, key)) for row, key in await db.execute(query)]


def _to_trunk(row: CarrierConnectionRow, key: DataKeyRow | None) -> CarrierTrunk | None:
    if row.termination_uri is None or row.deleted_at is not None:
        return None
    return CarrierTrunk(
        connection_id=row.id,
        project_id=row.project_id,
        hostname=row.termination_uri,
        username=row.termination_username,
        password_sealed=row.termination_password_sealed,
        data_key=None if key is None else WrappedKey(key.id, key.key_id, key.wrapped),
        revision=row.revision,
    )


def _to_call(row: OutboundCallRow) -> OutboundCall:
    return OutboundCall(
        id=row.id,
        organization_id=row.organization_id,
        project_id=row.project_id,
        connection_id=row.connection_id,
        agent_id=row.agent_id,
        from_number=E164(row.from_number),
        to_number=E164(row.to_number),
        ring_timeout_s=row.ring_timeout_s,
        metadata=row.call_metadata,
        due_at=row.due_at,
        created_at=row.created_at,
    )
