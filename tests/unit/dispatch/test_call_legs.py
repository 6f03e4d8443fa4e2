"""The legs of a call as its events tell them."""

import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dispatch.call_history import CallDetails, CallEvent, CallRecord
from dispatch.call_legs import CallLeg, LegRole, LegState, legs_of
from dispatch.calls import EventType
from telephony.calls import CallDirection, CallKind, CallState, EndedBy, EndReason

pytestmark = pytest.mark.unit

START = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
DESK, OTHER = "+12015550155", "sip:other@pbx.example"


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


ENDED = CallRecord(
    id=uuid.uuid4(),
    direction=CallDirection.INBOUND,
    kind=CallKind.SIP,
    state=CallState.ENDED,
    agent_id=None,
    agent_version=None,
    called_number="+12015550100",
    caller_number="+12015550123",
    room_name="call_1",
    started_at=at(0),
    answered_at=at(1),
    ended_at=at(60),
    billed_s=59,
    cost_microcredits=1,
    ended_by=EndedBy.HUMAN,
    end_reason=EndReason.HANG_UP,
    refusal_reason=None,
    sip_code=None,
)
ACTIVE = replace(
    ENDED,
    state=CallState.ACTIVE,
    ended_at=None,
    billed_s=None,
    cost_microcredits=None,
    ended_by=None,
    end_reason=None,
)


def told(record: CallRecord, *events: tuple[float, EventType, dict[str, Any]]) -> list[CallLeg]:
    """Return the legs of a call with these events of one transfer."""
    listed = tuple(
        CallEvent(seq, kind, at(seconds), {"transfer_id": "t1", **data})
        for seq, (seconds, kind, data) in enumerate(events)
    )
    return list(legs_of(CallDetails(record, (), listed, (), ())))


def ringing(seconds: float, leg: str, target: str) -> tuple[float, EventType, dict[str, Any]]:
    return seconds, EventType.TRANSFER_RINGING, {"leg": leg, "target": target}


def test_a_call_without_transfers_has_the_callers_leg_alone() -> None:
    [caller] = told(ENDED)

    assert caller == CallLeg(
        id="caller",
        role=LegRole.CALLER,
        target="+12015550123",
        started_at=at(0),
        answered_at=at(1),
        ended_at=at(60),
        outcome="hang_up",
        billed_s=59,
    )
    assert caller.state is LegState.ENDED


def test_the_callers_leg_of_an_outbound_call_is_whoever_was_called() -> None:
    record = replace(
        ENDED,
        direction=CallDirection.OUTBOUND,
        state=CallState.MISSED,
        answered_at=None,
        billed_s=0,
        end_reason=EndReason.BUSY,
        sip_code=486,
    )
    [callee] = told(record)

    assert (callee.target, callee.state) == ("+12015550100", LegState.MISSED)
    assert (callee.outcome, callee.sip_code, callee.billed_s) == ("busy", 486, 0)


def test_a_call_that_waits_to_be_placed_has_no_leg_yet() -> None:
    assert told(replace(ACTIVE, state=CallState.QUEUED, answered_at=None)) == []


def test_each_target_is_a_leg_with_its_own_outcome_and_seconds() -> None:
    _, busy, declined, accepted = told(
        ENDED,
        ringing(10, "h_0", DESK),
        (12, EventType.TRANSFER_FAILED, {"target": DESK, "outcome": "busy", "sip_code": 486}),
        ringing(12, "h_1", OTHER),
        (14, EventType.TRANSFER_ANSWERED, {"leg": "h_1"}),
        (20, EventType.LEG_ENDED, {"leg": "h_1", "billed_s": 7}),
        (20.1, EventType.TRANSFER_FAILED, {"target": OTHER, "outcome": "declined"}),
        ringing(21, "h_2", DESK),
        (24, EventType.TRANSFER_ANSWERED, {"leg": "h_2"}),
        (30, EventType.TRANSFER_MERGED, {"leg": "h_2"}),
        (59.9, EventType.LEG_ENDED, {"leg": "h_2", "billed_s": 36}),
    )

    assert (busy.target, busy.state, busy.outcome) == (DESK, LegState.MISSED, "busy")
    assert (busy.sip_code, busy.billed_s, busy.ended_at) == (486, 0, at(12))
    assert (declined.target, declined.state, declined.outcome) == (
        *(OTHER, LegState.ENDED, "declined"),
    )
    assert (declined.answered_at, declined.ended_at, declined.billed_s) == (at(14), at(20), 7)
    assert (accepted.role, accepted.outcome, accepted.billed_s) == (LegRole.HUMAN, "accepted", 36)


def test_a_leg_that_rings_or_talks_is_open() -> None:
    _, talking, alerted = told(
        ACTIVE,
        ringing(10, "h_0", DESK),
        (12, EventType.TRANSFER_ANSWERED, {"leg": "h_0"}),
        ringing(13, "h_1", OTHER),
    )

    assert (talking.state, alerted.state) == (LegState.ACTIVE, LegState.RINGING)
    assert {talking.outcome, alerted.outcome, talking.billed_s, alerted.billed_s} == {None}


def test_legs_that_the_end_of_the_call_overtook_are_cancelled() -> None:
    _, briefed, alerted = told(
        ENDED,
        ringing(10, "h_0", DESK),
        (12, EventType.TRANSFER_ANSWERED, {"leg": "h_0"}),
        ringing(13, "h_1", OTHER),
    )

    assert (briefed.state, briefed.outcome) == (LegState.ENDED, "cancelled")
    # The worker was lost before it told the seconds of this leg.
    assert briefed.billed_s is None
    assert (alerted.state, alerted.outcome, alerted.billed_s) == (LegState.MISSED, "cancelled", 0)
    assert alerted.ended_at == at(60)


def test_a_target_that_could_not_be_dialled_says_nothing_about_the_leg_before() -> None:
    _, busy = told(
        ENDED,
        ringing(10, "h_0", DESK),
        (12, EventType.TRANSFER_FAILED, {"target": DESK, "outcome": "busy"}),
        (13, EventType.TRANSFER_FAILED, {"target": OTHER, "outcome": "failed"}),
    )

    assert busy.outcome == "busy"


def test_a_transfer_by_the_carrier_has_no_leg_of_ours() -> None:
    legs = told(ENDED, (10, EventType.TRANSFER_RINGING, {"target": DESK}))

    assert [leg.role for leg in legs] == [LegRole.CALLER]
