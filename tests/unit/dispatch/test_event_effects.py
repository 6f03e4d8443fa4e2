"""What each event changes on the record."""

import uuid
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from dispatch.calls import EventType
from dispatch.event_effects import changes_of
from dispatch.store.event_stream import StreamedEvent, StreamEntry

pytestmark = pytest.mark.unit

CALL_ID = uuid.UUID("00000000-0000-4000-8000-000000000001")
TENANT = {name: str(uuid.uuid4()) for name in ("organization_id", "project_id", "agent_id")}
AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
AT_MS = int(AT.timestamp() * 1000)
ARRIVAL = {
    "kind": "sip",
    "direction": "inbound",
    "room_name": "call_1",
    "caller_identity": "sip_1",
    "called_number": "+12015550100",
    "caller_number": None,
    "sip_call_id": None,
    "carrier_call_id": None,
}
ENDING = {
    "ended_by": "caller",
    "end_reason": "hang_up",
    "sip_code": None,
    "billed_s": 2,
    "cost_microcredits": 3_334,
    "ended_at_ms": AT_MS + 2_000,
}


def event(event_type: EventType, seq: int, /, **data: Any) -> StreamedEvent:
    return StreamedEvent(CALL_ID, seq, event_type, AT, data)


def test_a_call_in_one_batch_becomes_one_row() -> None:
    changes = changes_of(
        [
            event(EventType.RINGING, 1, **ARRIVAL),
            event(EventType.ADMITTED, 2, agent_version=3, **TENANT),
            event(EventType.ANSWERED, 3, answered_at_ms=AT_MS),
            event(EventType.ENDED, 4, **ENDING),
        ]
    )
    call = changes.calls[CALL_ID]
    assert call.begins
    assert call.columns["state"] == "ended"
    assert call.columns["started_at"] == call.columns["answered_at"] == AT
    assert call.columns["project_id"] == uuid.UUID(TENANT["project_id"])
    assert call.columns["cost_microcredits"] == 3_334
    assert "caller_identity" not in call.columns


def test_a_later_batch_does_not_begin_the_call() -> None:
    changes = changes_of([event(EventType.MISSED, 2, **ENDING)])
    assert not changes.calls[CALL_ID].begins
    assert changes.calls[CALL_ID].columns["state"] == "missed"


def test_low_credit_changes_no_row() -> None:
    changes = changes_of([event(EventType.CREDIT_LOW, 2)])
    assert changes.calls[CALL_ID].columns == {}
    assert (changes.turns, changes.reserved, changes.charged) == ([], [], [])


def test_keys_stand_in_the_transcript_as_the_turn_they_are() -> None:
    [turn] = changes_of([event(EventType.KEYS, 3, digits="2#", at_ms=1_000)]).turns
    assert (turn["seq"], turn["speaker"], turn["text"]) == (3, "caller", "[key 2] [key #]")


def money(event_type: EventType, seq: int, kind: str, amount_microcredits: int) -> StreamedEvent:
    return event(
        event_type,
        seq,
        kind=kind,
        organization_id=TENANT["organization_id"],
        amount_microcredits=amount_microcredits,
    )


def test_a_reservation_is_named_by_its_call_and_sequence_number() -> None:
    [entry] = changes_of([money(EventType.CREDIT_RESERVED, 7, "extend", -5)]).reserved
    assert entry["operation_id"] == f"{CALL_ID}:7"
    assert (entry["kind"], entry["amount_microcredits"]) == ("extend", -5)


def test_a_call_is_charged_once_however_often_it_is_told() -> None:
    charge = money(EventType.CREDIT_CHARGED, 9, "charge", -3)
    [first] = changes_of([charge]).charged
    [again] = changes_of([replace(charge, seq=1_009)]).charged
    assert first["operation_id"] == again["operation_id"]
    assert first["amount_microcredits"] == -3


def test_a_lost_call_that_was_answered_says_so() -> None:
    lost = event(EventType.ENDED, 1, **ENDING, state_lost=True, answered_at_ms=AT_MS)
    call = changes_of([lost]).calls[CALL_ID]
    assert call.state_lost == lost
    assert call.columns["answered_at"] == AT


def test_an_event_that_lacks_a_fact_is_refused() -> None:
    with pytest.raises(KeyError):
        changes_of([event(EventType.ENDED, 1)])


@pytest.mark.parametrize(
    "change",
    [{"call_id": "x"}, {"seq": "x"}, {"type": "x"}, {"at_ms": "x"}, {"data": "{"}],
)
def test_an_entry_that_is_no_event_is_refused(change: dict[str, str]) -> None:
    fields = {"call_id": str(CALL_ID), "seq": "1", "type": "turn", "at_ms": "1", "data": "{}"}
    assert StreamEntry("1-0", fields).to_event().seq == 1
    with pytest.raises(ValueError):
        StreamEntry("1-0", fields | change).to_event()
    with pytest.raises(ValueError):
        StreamEntry("1-0", {}).to_event()
