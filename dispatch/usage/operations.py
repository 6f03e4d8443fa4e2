"""What the events of an operation that is not a call change on the record (pure)."""

import uuid
from dataclasses import dataclass, field
from typing import Any, Final

from dispatch.billing.record import UsageRecord, records_of_operation
from dispatch.billing.reservation import OpenReservation
from dispatch.calls import EventType
from dispatch.ledger import LedgerKind
from dispatch.store.event_stream import StreamedEvent

OPERATION_EVENTS: Final = (EventType.OPERATION_RESERVED, EventType.OPERATION_SETTLED)


@dataclass(frozen=True, slots=True)
class OperationChange:
    """What one event changes."""

    event: StreamedEvent
    opened: OpenReservation | None = None
    closes_seq: int | None = None
    """The event whose reservation this one ends."""
    ledger: list[dict[str, Any]] = field(default_factory=list)
    usage: list[UsageRecord] = field(default_factory=list)


def operation_change(event: StreamedEvent) -> OperationChange:
    """Return what an operation's event changes.

    Raises:
        KeyError: The event lacks a fact its type must have.
        ValueError: A fact is not what it should be.
    """
    data = event.data
    organization_id = uuid.UUID(data["organization_id"])
    if event.type is EventType.OPERATION_RESERVED:
        amount = int(data["reserved_microcredits"])
        return OperationChange(
            event,
            opened=OpenReservation(event.call_id, event.seq, organization_id, amount),
            ledger=_entries(event, organization_id, {LedgerKind.RESERVE: -amount}),
        )
    moved = {
        LedgerKind.RELEASE: int(data["released_microcredits"]),
        LedgerKind.CHARGE: -int(data["cost_microcredits"]),
    }
    return OperationChange(
        event,
        closes_seq=event.seq - 1,
        ledger=_entries(event, organization_id, moved),
        usage=records_of_operation(event.call_id, data, event.at),
    )


def _entries(
    event: StreamedEvent, organization_id: uuid.UUID, moved: dict[LedgerKind, int]
) -> list[dict[str, Any]]:
    """Return ledger entries; an amount of nothing is not a movement."""
    return [
        {
            "organization_id": organization_id,
            "kind": kind,
            "amount_microcredits": amount,
            "operation_id": f"{event.call_id}:{event.seq}:{kind}",
            "call_id": None,
            "created_at": event.at,
        }
        for kind, amount in moved.items()
        if amount
    ]
