"""What is done with a call that no agent is to hold."""

from datetime import UTC, datetime
from typing import Any, cast

import pytest
from livekit import rtc

from dispatch.number_behaviour import Action, CallPlan, Ground
from dispatch.transfer_policy import TransferMode
from telephony.dialling_rules import RefusalCode, TargetRefused
from telephony.errors import VendorUnavailable
from worker.attendant import attend, is_taken
from worker.call_errors import CallOver, NotNow
from worker.ending import CALLER_HUNG_UP, MESSAGE_HEARD, NOBODY_REACHED, Ending
from worker.line import Line
from worker.transfers.outcome import TransferCode, TransferOutcome

pytestmark = pytest.mark.unit

DESK = "+12015550177"
CLOSED = "We are closed."


class Call:
    """One answered call: what was done in it, in order."""

    def __init__(self, outcome: TransferCode | Exception = TransferCode.ACCEPTED) -> None:
        self.done: list[str] = []
        self.outcome = outcome
        self.hangs_up_at = ""
        self.line = Line(cast("rtc.Room", rtc.EventEmitter[Any]()), Ending())

    def stand_aside(self) -> None:
        self.done.append("deaf")

    async def announce(self, text: str) -> None:
        self.done.append(text)
        if text == self.hangs_up_at:
            self.line.ending.cut_off(CALLER_HUNG_UP)

    async def hang_up(self) -> None:
        self.done.append("hung up")
        self.line.ending.finish()

    async def transfer(
        self,
        to: str | None = None,
        mode: TransferMode | None = None,
        summary: str = "",
        *,
        by_owner: bool = False,
    ) -> TransferOutcome:
        assert (to, mode, summary, by_owner) == (DESK, TransferMode.COLD, "", True)
        self.done.append("passed on")
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return TransferOutcome(self.outcome, DESK)


def plan(message: str = "", transfer_to: str | None = None) -> CallPlan:
    action = Action.MESSAGE if transfer_to is None else Action.TRANSFER
    at = datetime(2026, 11, 21, tzinfo=UTC)
    return CallPlan(
        action=action, ground=Ground.AFTER_HOURS, at=at, message=message, transfer_to=transfer_to
    )


async def test_a_message_is_said_to_its_end_and_then_the_call_is_over() -> None:
    call = Call()

    await attend(plan(CLOSED), call, call, call.line)

    assert call.done == ["deaf", CLOSED, "hung up"]
    assert (await call.line.ending.wait())[0] == MESSAGE_HEARD


async def test_a_call_is_passed_on_after_what_is_to_be_said_and_goes_on_with_whoever_took_it() -> (
    None
):
    call = Call()

    await attend(plan("One moment.", DESK), call, call, call.line)

    assert call.done == ["deaf", "One moment.", "passed on"]
    assert not call.line.ending.is_decided


@pytest.mark.parametrize(
    ("outcome", "sentence"),
    [
        (TransferCode.BUSY, "I am sorry, the line is busy."),
        (TransferCode.NO_ANSWER, "I am sorry, nobody answered."),
        (
            TargetRefused(RefusalCode.PREMIUM, "It is costly."),
            "I am sorry, I could not reach anybody there.",
        ),
        (NotNow("Not now."), "I am sorry, I could not reach anybody there."),
        (
            VendorUnavailable("LiveKit", "transfer", "away"),
            "I am sorry, I could not reach anybody there.",
        ),
    ],
)
async def test_where_nobody_takes_the_call_the_caller_is_told_and_the_call_is_over(
    outcome: TransferCode | Exception, sentence: str
) -> None:
    call = Call(outcome)

    await attend(plan(transfer_to=DESK), call, call, call.line)

    assert call.done == ["deaf", "passed on", "deaf", sentence, "hung up"]
    assert (await call.line.ending.wait())[0] == NOBODY_REACHED


async def test_a_caller_who_hangs_up_meanwhile_ended_the_call() -> None:
    call = Call()
    call.hangs_up_at = "One moment."

    await attend(plan("One moment.", DESK), call, call, call.line)

    assert "hung up" not in call.done
    assert (await call.line.ending.wait())[0] == CALLER_HUNG_UP


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [(TransferCode.ACCEPTED, True), (TransferCode.BUSY, False), (CallOver(), True)],
)
async def test_a_call_that_ends_meanwhile_needs_nobody_else(
    outcome: TransferCode | Exception, *, expected: bool
) -> None:
    assert await is_taken(DESK, Call(outcome)) is expected
