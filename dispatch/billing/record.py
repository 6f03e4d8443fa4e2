"""A bill on record: the parts that a call's or an operation's last event is written down as (pure).

The parts of a bill add up to what was charged, to the last micro-credit. What exceeded the credit
there was is a part of its own with a negative cost, so nothing vanishes between use and charge.
"""

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from dispatch.billing.items import KeySource, Service, Unit
from dispatch.billing.pricing import PricedUsage
from dispatch.billing.reservation import UsageSource
from telephony.calls import CallKind

UNCOLLECTED: Final = "uncollected"
"""Stands for a service: what was used beyond the credit there was. Its cost is negative."""

UNMETERED: Final = "unmetered"
"""Stands for a service: what was taken for a call whose usage was lost with Redis."""

MICROCREDITS: Final = "microcredits"
"""Stands for the unit of those two."""


@dataclass(frozen=True, slots=True)
class UsagePart:
    """One part of a bill."""

    service: str
    """A `Service`, `uncollected` or `unmetered`."""
    provider: str
    model: str
    unit: str
    """A `Unit`, or `microcredits`."""
    keys: str
    """A `KeySource`."""
    quantity: int
    price_microcredits: int
    """For `price_per` units."""
    price_per: int
    price_version: str
    cost_microcredits: int
    """Rounded so that the parts add up to the charge."""


@dataclass(frozen=True, slots=True)
class UsageRecord:
    """A part and what it belongs to, as it is written down."""

    subject_id: uuid.UUID
    """The call or the operation."""
    position: int
    organization_id: uuid.UUID
    project_id: uuid.UUID
    agent_id: uuid.UUID | None
    source: UsageSource
    part: UsagePart
    at: datetime


def records_of_call(
    call_id: uuid.UUID, data: dict[str, Any], ended_at: datetime
) -> list[UsageRecord]:
    """Return the parts of a call's bill, from its last event's `bill`; none without one.

    Raises:
        KeyError: The bill lacks a fact.
        ValueError: A fact is not what it should be.
    """
    bill = data.get("bill")
    if bill is None:
        return []
    service = {CallKind.SIP: Service.TELEPHONY, CallKind.WEB: Service.WEB}[CallKind(bill["kind"])]
    version = str(bill["price_version"])
    time = UsagePart(
        service=service,
        provider="",
        model="",
        unit=Unit.SECONDS,
        keys=KeySource(bill["keys"]),
        quantity=int(data["billed_s"]),
        price_microcredits=int(bill["price_microcredits_per_minute"]),
        price_per=60,
        price_version=version,
        cost_microcredits=int(bill["time_microcredits"]),
    )
    parts = [time, *_parts_of(bill.get("usage")), *_uncollected(bill, version)]
    return _records(call_id, bill, UsageSource.CALL, parts, ended_at)


def records_of_operation(
    operation_id: uuid.UUID, data: dict[str, Any], at: datetime
) -> list[UsageRecord]:
    """Return the parts of an operation's bill, from the event that settled it; none if unused.

    Raises:
        KeyError: The event lacks a fact.
        ValueError: A fact is not what it should be.
    """
    version = str(data["usage"]["price_version"])
    parts = [*_parts_of(data["usage"]), *_uncollected(data, version)]
    if not parts:
        return []
    return _records(operation_id, data, UsageSource(data["source"]), parts, at)


def unmetered_record(
    call_id: uuid.UUID,
    *,
    organization_id: uuid.UUID,
    project_id: uuid.UUID,
    agent_id: uuid.UUID | None,
    cost_microcredits: int,
    at: datetime,
) -> UsageRecord:
    """Return the whole bill of a call that Redis lost: what had been set aside for it."""
    part = UsagePart(
        service=UNMETERED,
        provider="",
        model="",
        unit=MICROCREDITS,
        keys=KeySource.PLATFORM,
        quantity=cost_microcredits,
        price_microcredits=1,
        price_per=1,
        price_version="",
        cost_microcredits=cost_microcredits,
    )
    return UsageRecord(
        subject_id=call_id,
        position=0,
        organization_id=organization_id,
        project_id=project_id,
        agent_id=agent_id,
        source=UsageSource.CALL,
        part=part,
        at=at,
    )


def _parts_of(usage: Any) -> Iterable[UsagePart]:
    if usage is None:
        return
    priced = PricedUsage.of_json(usage)
    for part in priced.parts:
        item = part.item
        yield UsagePart(
            service=item.service,
            provider=item.provider,
            model=item.model,
            unit=item.unit,
            keys=item.keys,
            quantity=item.quantity,
            price_microcredits=part.price.microcredits,
            price_per=part.price.per,
            price_version=priced.price_version,
            cost_microcredits=part.cost_microcredits,
        )


def _uncollected(data: dict[str, Any], version: str) -> Iterable[UsagePart]:
    uncollected = int(data["uncollected_microcredits"])
    if uncollected:
        yield UsagePart(
            service=UNCOLLECTED,
            provider="",
            model="",
            unit=MICROCREDITS,
            keys=KeySource.PLATFORM,
            quantity=uncollected,
            price_microcredits=-1,
            price_per=1,
            price_version=version,
            cost_microcredits=-uncollected,
        )


def _records(
    subject_id: uuid.UUID,
    data: dict[str, Any],
    source: UsageSource,
    parts: Sequence[UsagePart],
    at: datetime,
) -> list[UsageRecord]:
    organization_id = uuid.UUID(data["organization_id"])
    project_id = uuid.UUID(data["project_id"])
    agent_id = uuid.UUID(data["agent_id"]) if data.get("agent_id") else None
    return [
        UsageRecord(
            subject_id=subject_id,
            position=position,
            organization_id=organization_id,
            project_id=project_id,
            agent_id=agent_id,
            source=source,
            part=part,
            at=at,
        )
        for position, part in enumerate(parts)
    ]
