"""What each event of a call changes on the record (pure)."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from dispatch.billing.record import UsageRecord, records_of_call
from dispatch.calls import EventType
from dispatch.milliseconds import moment_of
from dispatch.script import key_text
from dispatch.store.event_stream import StreamedEvent
from dispatch.usage.operations import OPERATION_EVENTS, OperationChange, operation_change
from telephony.calls import CallState, EndedBy, EndReason

_ARRIVAL = (
    "kind",
    "direction",
    "room_name",
    "called_number",
    "caller_number",
    "sip_call_id",
    "carrier_call_id",
)
_TENANT = ("organization_id", "project_id", "agent_id")


@dataclass(slots=True)
class CallChanges:
    """Columns of one call's row to set, and whether the row begins here."""

    columns: dict[str, Any] = field(default_factory=dict)
    begins: bool = False
    state_lost: StreamedEvent | None = None
    """Told of its end without a bill, which is then what its ledger entries add up to."""


@dataclass(slots=True)
class RecordChanges:
    """Everything a batch of new events changes, ready to be written in one go."""

    calls: dict[uuid.UUID, CallChanges] = field(default_factory=dict)
    turns: list[dict[str, Any]] = field(default_factory=list)
    bills: dict[uuid.UUID, list[UsageRecord]] = field(default_factory=dict)
    """What calls' bills consist of; as with charges, a call's first bill is its only one."""
    operations: list[OperationChange] = field(default_factory=list)
    reserved: list[dict[str, Any]] = field(default_factory=list)
    """Ledger entries that took credit."""
    released: list[StreamedEvent] = field(default_factory=list)
    """Events that gave a reservation back. How much that was, the ledger tells: Redis may have
    forgotten some of it."""
    charged: list[dict[str, Any]] = field(default_factory=list)
    """Ledger entries with the cost of a call."""


def changes_of(events: Sequence[StreamedEvent]) -> RecordChanges:
    """Fold events, in the order in which they happened, into changes.

    Raises:
        KeyError: An event lacks a fact its type must have.
        ValueError: A fact is not what it should be.
    """
    changes = RecordChanges()
    for event in events:
        if event.type is EventType.TURN:
            changes.turns.append(_turn(event))
        elif event.type is EventType.KEYS:
            changes.turns.append(_pressed(event))
        elif event.type in OPERATION_EVENTS:
            changes.operations.append(operation_change(event))
        elif event.type is EventType.CREDIT_RESERVED:
            # A call may reserve several times, and is charged once.
            changes.reserved.append(_ledger_entry(event, f"{event.call_id}:{event.seq}"))
        elif event.type is EventType.CREDIT_RELEASED:
            changes.released.append(event)
        elif event.type is EventType.CREDIT_CHARGED:
            changes.charged.append(_ledger_entry(event, f"{event.call_id}:charge"))
        else:
            _change_call(changes.calls.setdefault(event.call_id, CallChanges()), event)
        if event.type is EventType.ENDED and "bill" in event.data:
            ended_at = moment_of(event.data["ended_at_ms"])
            bill = records_of_call(event.call_id, event.data, ended_at)
            changes.bills.setdefault(event.call_id, bill)
    return changes


def _change_call(call: CallChanges, event: StreamedEvent) -> None:
    data = event.data
    match event.type:
        case EventType.RINGING:
            call.begins = True
            call.columns |= {name: data[name] for name in _ARRIVAL}
            call.columns |= _tenant(data)
            call.columns |= {
                "state": CallState.RINGING,
                "started_at": event.at,
                "metadata": data.get("metadata", {}),
            }
        case EventType.ADMITTED:
            call.columns |= _tenant(data) | {"agent_version": data["agent_version"]}
        case EventType.ANSWERED:
            call.columns |= {
                "state": CallState.ACTIVE,
                "answered_at": moment_of(data["answered_at_ms"]),
            }
        case EventType.REFUSED:
            call.columns |= _tenant(data) | _refusal(event)
        case EventType.ENDED | EventType.MISSED:
            call.columns |= _ending(event)
            if "state_lost" in data:
                call.state_lost = event
            if "answered_at_ms" in data:
                call.columns["answered_at"] = moment_of(data["answered_at_ms"])
        case _:
            return


def _tenant(data: dict[str, Any]) -> dict[str, Any]:
    return {name: uuid.UUID(data[name]) for name in _TENANT if data.get(name)}


def _refusal(event: StreamedEvent) -> dict[str, Any]:
    return {
        "state": CallState.REFUSED,
        "refusal_reason": event.data["reason"],
        "ended_at": event.at,
        "ended_by": EndedBy.SYSTEM,
        "end_reason": EndReason.REFUSED,
        "billed_s": 0,
        "cost_microcredits": 0,
    }


def _ending(event: StreamedEvent) -> dict[str, Any]:
    data = event.data
    state = CallState.ENDED if event.type is EventType.ENDED else CallState.MISSED
    return {
        "state": state,
        "ended_at": moment_of(data["ended_at_ms"]),
        "ended_by": data["ended_by"],
        "end_reason": data["end_reason"],
        "sip_code": data["sip_code"],
        "billed_s": data["billed_s"],
        "cost_microcredits": data["cost_microcredits"],
    }


def _turn(event: StreamedEvent) -> dict[str, Any]:
    return {
        "call_id": event.call_id,
        "seq": event.seq,
        "speaker": event.data["speaker"],
        "text": event.data["text"],
        "at": moment_of(event.data["at_ms"]),
        "interrupted": event.data["interrupted"],
    }


def _pressed(event: StreamedEvent) -> dict[str, Any]:
    """Return keys as the turn they are: what the agent answered stands beside them."""
    return {
        "call_id": event.call_id,
        "seq": event.seq,
        "speaker": "caller",
        "text": " ".join(key_text(key) for key in event.data["digits"]),
        "at": moment_of(event.data["at_ms"]),
        "interrupted": False,
    }


def _ledger_entry(event: StreamedEvent, operation_id: str) -> dict[str, Any]:
    return {
        "organization_id": uuid.UUID(event.data["organization_id"]),
        "kind": event.data["kind"],
        "amount_microcredits": event.data["amount_microcredits"],
        "operation_id": operation_id,
        "call_id": event.call_id,
        "created_at": event.at,
    }
