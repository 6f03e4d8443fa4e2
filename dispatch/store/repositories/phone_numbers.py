"""Phone numbers in Postgres."""

import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert

from dispatch.number_behaviour import NumberBehaviour
from dispatch.numbers import AgentChange, PhoneNumber, Route, SyncState, Unchanged
from dispatch.paging import Order, Page, PageRequest
from dispatch.store.engine import ReadSession, WriteSession
from dispatch.store.repositories.paged import AnyRow, AnySelect, fetch_page, ordered
from dispatch.store.tables import CarrierConnectionRow, PhoneNumberCountRow, PhoneNumberRow
from telephony.e164 import E164


@dataclass(frozen=True, slots=True)
class NewNumber:
    """A number to store."""

    id: uuid.UUID
    organization_id: uuid.UUID
    project_id: uuid.UUID
    connection_id: uuid.UUID
    did: E164
    inbound_agent_id: uuid.UUID | None
    outbound_agent_id: uuid.UUID | None = None


async def insert_number(db: WriteSession, new: NewNumber) -> PhoneNumber | None:
    """Store a number as pending; None when it is on record already, whosever it is."""
    statement = (
        insert(PhoneNumberRow)
        .values(asdict(new))
        .on_conflict_do_nothing()
        .returning(PhoneNumberRow.id)
    )
    number_id = (await db.execute(statement)).scalar_one_or_none()
    if number_id is None:
        return None
    # The insert drew its revision before it waited for a deletion of the same number, if it did;
    # the next one is later than the deletion's.
    return await _changed(db, new.project_id, number_id, updated_at=func.now())


async def find_number(
    db: ReadSession, project_id: uuid.UUID, number_id: uuid.UUID, *, for_update: bool = False
) -> PhoneNumber | None:
    """Return a project's number unless it is deleted; may keep others from changing it."""
    query = _live_numbers(project_id).where(PhoneNumberRow.id == number_id)
    if for_update:
        query = query.with_for_update(of=PhoneNumberRow)
    row = (await db.execute(query)).one_or_none()
    return None if row is None else _to_number(row)


async def list_numbers(
    db: ReadSession,
    project_id: uuid.UUID,
    page: PageRequest,
    dids: Sequence[E164] | None,
    order: Order | None = None,
) -> Page[PhoneNumber]:
    """Return a page of a project's numbers, newest first unless in another order.

    Args:
        db: An open transaction.
        project_id: Whose numbers.
        page: Which page.
        dids: Only these; None for all.
        order: By `created_at` or `number`.
    """
    query, total = _live_numbers(project_id), None
    if dids is None:
        total = select(PhoneNumberCountRow.live).where(PhoneNumberCountRow.project_id == project_id)
    else:
        query = query.where(PhoneNumberRow.did.in_(dids))
    columns = {"created_at": PhoneNumberRow.created_at, "number": PhoneNumberRow.did}
    in_order = ordered(query, order, columns, PhoneNumberRow.id)
    return await fetch_page(db, in_order, page, _to_number, total)


async def assign_agents(
    db: WriteSession,
    project_id: uuid.UUID,
    number_id: uuid.UUID,
    *,
    inbound_agent_id: AgentChange,
    outbound_agent_id: AgentChange,
) -> PhoneNumber | None:
    """Store who answers a number and calls from it; None when the project has no such number."""
    changes: dict[str, Any] = {"updated_at": func.now()}
    if not isinstance(inbound_agent_id, Unchanged):
        changes["inbound_agent_id"] = inbound_agent_id
    if not isinstance(outbound_agent_id, Unchanged):
        changes["outbound_agent_id"] = outbound_agent_id
    return await _changed(db, project_id, number_id, **changes)


async def move_number(
    db: WriteSession, project_id: uuid.UUID, number_id: uuid.UUID, connection_id: uuid.UUID
) -> PhoneNumber | None:
    """Let a number come in on another connection; it is pending until LiveKit knows."""
    return await _changed(
        db,
        project_id,
        number_id,
        connection_id=connection_id,
        shard=None,
        sync_state=SyncState.PENDING.value,
        sync_error=None,
        updated_at=func.now(),
    )


async def set_behaviour(
    db: WriteSession,
    project_id: uuid.UUID,
    number_id: uuid.UUID,
    behaviour: NumberBehaviour | None,
) -> PhoneNumber | None:
    """Store how a number behaves; None when the project has no such number."""
    stored = None if behaviour is None else behaviour.model_dump(mode="json")
    return await _changed(db, project_id, number_id, behaviour=stored, updated_at=func.now())


async def detach_agent(db: WriteSession, agent_id: uuid.UUID) -> tuple[Route, ...]:
    """Take an agent off every number; return the new routes of those it answered."""
    await db.execute(
        update(PhoneNumberRow)
        .where(PhoneNumberRow.outbound_agent_id == agent_id)
        .values(outbound_agent_id=None)
    )
    statement = (
        update(PhoneNumberRow)
        .where(PhoneNumberRow.inbound_agent_id == agent_id)
        .values(inbound_agent_id=None, updated_at=func.now())
        .returning(PhoneNumberRow)
        .execution_options(populate_existing=True)
    )
    rows = await db.scalars(statement)
    return tuple(_to_route(row) for row in rows if row.deleted_at is None)


async def delete_number(db: WriteSession, project_id: uuid.UUID, did: E164) -> PhoneNumber | None:
    """Mark a number as deleted; return it as it was, under the revision of that, or None."""
    query = _live_numbers(project_id).where(PhoneNumberRow.did == did)
    row = (await db.execute(query.with_for_update(of=PhoneNumberRow))).one_or_none()
    if row is None:
        return None
    number = _to_number(row)
    statement = (
        update(PhoneNumberRow)
        .where(PhoneNumberRow.id == number.id)
        .values(deleted_at=func.now(), updated_at=func.now())
        .returning(PhoneNumberRow.revision)
    )
    return replace(number, revision=(await db.execute(statement)).scalar_one())


async def list_changed_since(
    db: ReadSession, since: datetime | None, after: uuid.UUID | None, limit: int
) -> Sequence[tuple[uuid.UUID, Route]]:
    """Return the routes of live numbers of all tenants, by number id; as in `agents`."""
    query = (
        select(PhoneNumberRow)
        .where(PhoneNumberRow.deleted_at.is_(None))
        .order_by(PhoneNumberRow.id)
        .limit(limit)
    )
    if since is not None:
        query = query.where(PhoneNumberRow.updated_at >= since)
    if after is not None:
        query = query.where(PhoneNumberRow.id > after)
    return [(row.id, _to_route(row)) for row in await db.scalars(query)]


async def list_gone_since(db: ReadSession, since: datetime | None) -> tuple[tuple[E164, int], ...]:
    """Return the numbers that were deleted since (None: ever) and are nobody's, with revisions."""
    live = select(PhoneNumberRow.did).where(PhoneNumberRow.deleted_at.is_(None))
    query = (
        select(PhoneNumberRow.did, func.max(PhoneNumberRow.revision))
        .where(PhoneNumberRow.deleted_at.is_not(None), PhoneNumberRow.did.not_in(live))
        .group_by(PhoneNumberRow.did)
    )
    if since is not None:
        query = query.where(PhoneNumberRow.updated_at >= since)
    return tuple((did, revision) for did, revision in await db.execute(query))


def _live_numbers(project_id: uuid.UUID) -> AnySelect:
    return (
        select(PhoneNumberRow, CarrierConnectionRow.provider)
        .join(CarrierConnectionRow, CarrierConnectionRow.id == PhoneNumberRow.connection_id)
        .where(PhoneNumberRow.project_id == project_id, PhoneNumberRow.deleted_at.is_(None))
        .execution_options(populate_existing=True)
    )


def _to_number(row: AnyRow) -> PhoneNumber:
    number, provider = row
    return PhoneNumber(
        id=number.id,
        organization_id=number.organization_id,
        project_id=number.project_id,
        number=number.did,
        provider=provider,
        connection_id=number.connection_id,
        inbound_agent_id=number.inbound_agent_id,
        outbound_agent_id=number.outbound_agent_id,
        status=SyncState(number.sync_state),
        status_reason=number.sync_error,
        created_at=number.created_at,
        behaviour=_behaviour_of(number),
        revision=number.revision,
    )


def _to_route(row: PhoneNumberRow) -> Route:
    return Route(
        did=row.did,
        number_id=row.id,
        organization_id=row.organization_id,
        project_id=row.project_id,
        agent_id=row.inbound_agent_id,
        connection_id=row.connection_id,
        behaviour=_behaviour_of(row),
        revision=row.revision,
    )


def _behaviour_of(row: PhoneNumberRow) -> NumberBehaviour | None:
    return None if row.behaviour is None else NumberBehaviour.model_validate(row.behaviour)


async def _changed(
    db: WriteSession, project_id: uuid.UUID, number_id: uuid.UUID, **changes: Any
) -> PhoneNumber | None:
    await db.execute(
        update(PhoneNumberRow)
        .where(
            PhoneNumberRow.id == number_id,
            PhoneNumberRow.project_id == project_id,
            PhoneNumberRow.deleted_at.is_(None),
        )
        .values(**changes)
    )
    return await find_number(db, project_id, number_id)
