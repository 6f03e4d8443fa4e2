"""The end of a call: one cause, one moment."""

from datetime import UTC, datetime, timedelta

import pytest
from livekit import rtc

from dispatch.calls import CallEnd
from telephony.calls import EndedBy, EndReason
from worker.ending import (
    AGENT_FAILED,
    AGENT_HUNG_UP,
    CALLER_GAVE_UP,
    CALLER_HUNG_UP,
    CALLER_LOST,
    CARRIER_LOST,
    LINE_LOST,
    SYSTEM_HUNG_UP,
    TIME_LIMIT,
    Ending,
    end_by_departure,
    end_by_lost_room,
)

pytestmark = pytest.mark.unit

REASON = rtc.DisconnectReason
START = datetime(2026, 1, 1, tzinfo=UTC)


class TickingClock:
    """Every look is a second later."""

    def __init__(self) -> None:
        self._looks = 0

    def __call__(self) -> datetime:
        self._looks += 1
        return START + timedelta(seconds=self._looks)


async def test_the_first_cause_wins():
    ending = Ending()

    assert ending.decide(TIME_LIMIT)
    assert not ending.decide(CALLER_HUNG_UP)
    ending.finish()

    cause, _ = await ending.wait()
    assert cause == TIME_LIMIT


async def test_a_caller_who_leaves_during_the_goodbye_does_not_change_the_cause():
    ending = Ending()
    ending.decide(AGENT_HUNG_UP)

    ending.cut_off(CALLER_HUNG_UP)

    assert ending.is_over
    cause, _ = await ending.wait()
    assert cause == AGENT_HUNG_UP


async def test_the_moment_is_the_first_at_which_the_call_was_over():
    ending = Ending(TickingClock())

    ending.cut_off(CALLER_HUNG_UP)
    ending.cut_off(AGENT_FAILED)
    ending.finish()

    _, at = await ending.wait()
    assert at == START + timedelta(seconds=1)


def test_a_decided_call_goes_on_until_it_is_over():
    ending = Ending()
    ending.decide(TIME_LIMIT)

    assert ending.is_decided
    assert not ending.is_over


def test_a_call_is_never_over_without_a_cause():
    with pytest.raises(RuntimeError, match="cause"):
        Ending().finish()


@pytest.mark.parametrize(
    ("reason", "end"),
    [
        (REASON.CLIENT_INITIATED, CALLER_HUNG_UP),
        (REASON.USER_REJECTED, CALLER_HUNG_UP),
        (REASON.USER_UNAVAILABLE, CARRIER_LOST),
        (REASON.SIP_TRUNK_FAILURE, CARRIER_LOST),
        (REASON.PARTICIPANT_REMOVED, SYSTEM_HUNG_UP),
        (REASON.ROOM_DELETED, SYSTEM_HUNG_UP),
        (REASON.SERVER_SHUTDOWN, LINE_LOST),
        (REASON.CONNECTION_TIMEOUT, CALLER_LOST),
        (REASON.MEDIA_FAILURE, CALLER_LOST),
        (REASON.SIGNAL_CLOSE, CALLER_LOST),
        (REASON.DUPLICATE_IDENTITY, CALLER_LOST),
        (REASON.UNKNOWN_REASON, CALLER_LOST),
        (None, CALLER_LOST),
    ],
)
def test_says_whose_doing_it_was_that_the_caller_left(reason: int | None, end: CallEnd):
    assert end_by_departure(reason, answered=True) == end


@pytest.mark.parametrize("reason", sorted(REASON.values()))
def test_every_reason_livekit_knows_has_an_end(reason: int):
    assert end_by_departure(reason, answered=True).end_reason in {
        EndReason.HANG_UP,
        EndReason.CONNECTION_LOST,
        EndReason.AGENT_FAILED,
    }


def test_a_caller_who_leaves_before_the_answer_gave_up():
    assert end_by_departure(REASON.CLIENT_INITIATED, answered=False) == CALLER_GAVE_UP
    assert end_by_departure(None, answered=False) == CALLER_GAVE_UP


def test_a_room_deleted_before_the_answer_is_not_the_callers_doing():
    assert end_by_departure(REASON.ROOM_DELETED, answered=False).ended_by is EndedBy.SYSTEM


def test_tells_a_deleted_room_from_a_lost_connection():
    assert end_by_lost_room(REASON.ROOM_DELETED) == SYSTEM_HUNG_UP
    assert end_by_lost_room(REASON.SIGNAL_CLOSE) == LINE_LOST
    assert end_by_lost_room(None) == LINE_LOST
