"""Bills and their daily sums, in Postgres."""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any, cast

from sqlalchemy import ColumnElement, String, and_, case, delete, func, literal, or_, select
from sqlalchemy import Table as SqlTable
from sqlalchemy import cast as sql_cast
from sqlalchemy.dialects.postgresql import insert

from dispatch.billing.items import Unit
from dispatch.billing.record import UNMETERED, UsagePart, UsageRecord, unmetered_record
from dispatch.billing.reports import GroupBy
from dispatch.billing.reservation import Charge, OpenReservation
from dispatch.calls import EventType
from dispatch.store.engine import ReadSession, WriteSession
from dispatch.store.repositories.paged import AnyRow, AnySelect
from dispatch.store.tables import (
    NO_AGENT,
    AgentRow,
    CallEventRow,
    CallRow,
    OpenReservationRow,
    UsageDayRow,
    UsageEventRow,
)

_EVENTS = cast("SqlTable", UsageEventRow.__table__)
_DAYS = cast("SqlTable", UsageDayRow.__table__)
_OPEN = cast("SqlTable", OpenReservationRow.__table__)

_DAY_KEY = ("project_id", "day", "agent_id", "source", "service", "provider", "model", "unit")
_SUMS = ("quantity", "cost_microcredits", "events")
_PART = tuple(UsagePart.__dataclass_fields__)


@dataclass(frozen=True, slots=True)
class UsageSum:
    """Sums of one service's unit in one group of a report."""

    key: str
    name: str | None
    service: str
    unit: str
    quantity: int
    cost_microcredits: int
    calls: int
    """Calls whose own part this is, so that each counts once."""


async def add_bills(db: WriteSession, bills: Iterable[Sequence[UsageRecord]]) -> None:
    """Write the parts of bills down and add them to the sums of their day.

    A call or operation has one bill: a second one is left out whole. Only one process writes bills
    at a time.
    """
    by_subject = {bill[0].subject_id: bill for bill in bills if bill}
    if not by_subject:
        return
    query = select(_EVENTS.c.subject_id).where(_EVENTS.c.subject_id.in_(by_subject)).distinct()
    for known in (await db.scalars(query)).all():
        del by_subject[known]
    records = [record for bill in by_subject.values() for record in bill]
    if records:
        await db.execute(insert(_EVENTS), [_event_row(record) for record in records])
        await _add_to_days(db, records)


async def add_unmetered_bill(db: WriteSession, call_id: uuid.UUID) -> None:
    """Write down what a call took whose usage was lost, as one part."""
    call = (
        await db.execute(
            select(
                CallRow.organization_id,
                CallRow.project_id,
                CallRow.agent_id,
                CallRow.cost_microcredits,
                CallRow.ended_at,
            ).where(CallRow.id == call_id)
        )
    ).one_or_none()
    if call is not None and call.cost_microcredits and call.organization_id and call.project_id:
        record = unmetered_record(
            call_id,
            organization_id=call.organization_id,
            project_id=call.project_id,
            agent_id=call.agent_id,
            cost_microcredits=call.cost_microcredits,
            at=call.ended_at,
        )
        await add_bills(db, [[record]])


async def parts_of(db: ReadSession, subject_id: uuid.UUID) -> tuple[UsagePart, ...]:
    """Return the parts of a call's or operation's bill, in order."""
    query = (
        select(*(_EVENTS.c[name] for name in _PART))
        .where(_EVENTS.c.subject_id == subject_id)
        .order_by(_EVENTS.c.position)
    )
    return tuple(UsagePart(*row) for row in await db.execute(query))


async def find_charge(db: ReadSession, operation_id: uuid.UUID) -> Charge | None:
    """Return what an operation was charged, if it was and that is on record."""
    mode = CallEventRow.data["mode"].astext
    query = select(CallEventRow.data).where(
        CallEventRow.call_id == operation_id,
        CallEventRow.type == EventType.OPERATION_SETTLED.value,
        mode == "charge",
    )
    data = (await db.scalars(query.order_by(CallEventRow.seq).limit(1))).one_or_none()
    if data is None:
        return None
    return Charge(data["cost_microcredits"], data["uncollected_microcredits"], repeated=True)


async def sum_usage(
    db: ReadSession, project_id: uuid.UUID, since: date | None, group_by: GroupBy
) -> Sequence[UsageSum]:
    """Return a project's sums from a day on, by group, service and unit."""
    key = _group_key(group_by)
    query = (
        select(
            key.label("key"),
            _DAYS.c.service,
            _DAYS.c.unit,
            func.sum(_DAYS.c.quantity),
            func.sum(_DAYS.c.cost_microcredits),
            func.sum(case((_stands_for_a_call(), _DAYS.c.events), else_=0)),
        )
        .where(_DAYS.c.project_id == project_id)
        .group_by(key, _DAYS.c.service, _DAYS.c.unit)
    )
    if since is not None:
        query = query.where(_DAYS.c.day >= since)
    rows = (await db.execute(query)).all()
    names = await _agent_names(db, rows) if group_by is GroupBy.AGENT else {}
    return [
        UsageSum(row[0], names.get(row[0]), row[1], row[2], int(row[3]), int(row[4]), int(row[5]))
        for row in rows
    ]


async def seconds_since(db: ReadSession, organization_id: uuid.UUID, since: date) -> int:
    """Return how many seconds an organisation's calls were on the line, from a day on."""
    return await quantity_since(db, organization_id, since, Unit.SECONDS)


async def quantity_since(
    db: ReadSession, organization_id: uuid.UUID, since: date, unit: Unit
) -> int:
    """Return how many units of one kind an organisation used, from a day on."""
    query = select(func.coalesce(func.sum(_DAYS.c.quantity), 0)).where(
        _DAYS.c.organization_id == organization_id,
        _DAYS.c.day >= since,
        _DAYS.c.unit == unit.value,
    )
    return int((await db.execute(query)).scalar_one())


async def open_reservation(db: WriteSession, reservation: OpenReservation, at: datetime) -> None:
    """Note that credit is set aside for an operation."""
    statement = insert(_OPEN).values(
        operation_id=reservation.operation_id,
        seq=reservation.seq,
        organization_id=reservation.organization_id,
        amount_microcredits=reservation.amount_microcredits,
        reserved_at=at,
    )
    await db.execute(statement.on_conflict_do_nothing())


async def close_reservation(db: WriteSession, operation_id: uuid.UUID, seq: int) -> bool:
    """Note that an operation was settled; False when nothing of it was set aside any more."""
    statement = delete(_OPEN).where(_OPEN.c.operation_id == operation_id, _OPEN.c.seq == seq)
    return (await db.execute(statement.returning(_OPEN.c.seq))).first() is not None


async def list_open_reservations(
    db: ReadSession, before: datetime, most: int
) -> Sequence[OpenReservation]:
    """Return what was set aside before a time and not settled since, oldest first."""
    query = _open_reservations().where(_OPEN.c.reserved_at < before)
    found = await db.execute(query.order_by(_OPEN.c.reserved_at).limit(most))
    return [OpenReservation(*row) for row in found]


async def list_reservations_of(
    db: ReadSession, organization_id: uuid.UUID
) -> Sequence[OpenReservation]:
    """Return what is set aside for an organisation's operations."""
    query = _open_reservations().where(_OPEN.c.organization_id == organization_id)
    return [OpenReservation(*row) for row in await db.execute(query)]


def _open_reservations() -> AnySelect:
    return select(
        _OPEN.c.operation_id, _OPEN.c.seq, _OPEN.c.organization_id, _OPEN.c.amount_microcredits
    )


async def _add_to_days(db: WriteSession, records: Iterable[UsageRecord]) -> None:
    sums: dict[tuple[Any, ...], dict[str, Any]] = {}
    for record in records:
        row = _day_row(record)
        day = sums.setdefault(tuple(row[name] for name in _DAY_KEY), row)
        if day is not row:
            for name in _SUMS:
                day[name] += row[name]
    # In one order always, so that two writers would wait for each other and not lock up.
    ordered = [sums[key] for key in sorted(sums, key=str)]
    statement = insert(_DAYS).values(ordered)
    await db.execute(
        statement.on_conflict_do_update(
            index_elements=[_DAYS.c[name] for name in _DAY_KEY],
            set_={name: _DAYS.c[name] + statement.excluded[name] for name in _SUMS},
        )
    )


def _event_row(record: UsageRecord) -> dict[str, Any]:
    return {
        "subject_id": record.subject_id,
        "position": record.position,
        "organization_id": record.organization_id,
        "project_id": record.project_id,
        "agent_id": record.agent_id,
        "source": record.source,
        "at": record.at,
        **asdict(record.part),
    }


def _day_row(record: UsageRecord) -> dict[str, Any]:
    part = record.part
    return {
        "project_id": record.project_id,
        # Aware times on record are UTC.
        "day": record.at.date(),
        "agent_id": record.agent_id or NO_AGENT,
        "source": record.source,
        "service": part.service,
        "provider": part.provider,
        "model": part.model,
        "unit": part.unit,
        "organization_id": record.organization_id,
        "quantity": part.quantity,
        "cost_microcredits": part.cost_microcredits,
        "events": 1,
    }


def _stands_for_a_call() -> ColumnElement[bool]:
    """Whether a part is the one that every call's bill has: its own time, or all that was taken.

    A leg that a call was passed on to is time on the line as well, but no call.
    """
    own_time = and_(_DAYS.c.unit == Unit.SECONDS.value, _DAYS.c.provider == "")
    return or_(own_time, _DAYS.c.service == UNMETERED)


def _group_key(group_by: GroupBy) -> ColumnElement[str]:
    match group_by:
        case GroupBy.DAY:
            return func.to_char(_DAYS.c.day, "YYYY-MM-DD")
        case GroupBy.AGENT:
            no_agent = _DAYS.c.agent_id == NO_AGENT
            return case((no_agent, literal("")), else_=sql_cast(_DAYS.c.agent_id, String))
        case GroupBy.SERVICE:
            return _DAYS.c.service
        case GroupBy.MODEL:
            no_model = and_(_DAYS.c.provider == "", _DAYS.c.model == "")
            named = _DAYS.c.provider + "/" + _DAYS.c.model
            return case((no_model, _DAYS.c.service), else_=named)


async def _agent_names(db: ReadSession, rows: Iterable[AnyRow]) -> Mapping[str, str]:
    ids = {uuid.UUID(row[0]) for row in rows if row[0]}
    name = AgentRow.draft["name"].astext
    found = await db.execute(select(AgentRow.id, name).where(AgentRow.id.in_(ids)))
    return {str(agent_id): text for agent_id, text in found}
