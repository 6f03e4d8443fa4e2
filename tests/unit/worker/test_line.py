"""When the line to the caller goes down."""

from typing import Any

import pytest
from livekit import rtc

from worker.ending import CALLER_GAVE_UP, CALLER_HUNG_UP, Ending
from worker.line import Line

pytestmark = pytest.mark.unit

CALLER = "sip_+12015550123"


class Person:
    """A participant as the room shows it."""

    kind = rtc.ParticipantKind.PARTICIPANT_KIND_SIP

    def __init__(self, identity: str, status: str) -> None:
        self.identity = identity
        self.attributes = {"sip.callStatus": status}


class Room(rtc.EventEmitter[Any]):
    """A room with one caller in it."""

    def __init__(self) -> None:
        super().__init__()
        self.caller = Person(CALLER, "ringing")
        self.remote_participants = {CALLER: self.caller}

    def show(self, identity: str, status: str) -> None:
        person = self.remote_participants.get(identity) or Person(identity, status)
        person.attributes["sip.callStatus"] = status
        self.emit("participant_attributes_changed", ["sip.callStatus"], person)


@pytest.fixture
async def line() -> Line:
    room: Any = Room()
    line = Line(room, Ending())
    await line.wait_for_caller()
    return line


def show(line: Line, identity: str, status: str) -> None:
    room: Any = line.room
    room.show(identity, status)


async def test_a_bye_ends_the_call_before_the_caller_has_left_the_room(line: Line) -> None:
    show(line, CALLER, "active")
    line.mark_answered()
    show(line, CALLER, "hangup")
    assert (await line.ending.wait())[0] == CALLER_HUNG_UP


async def test_a_cancel_before_the_answer_is_giving_up(line: Line) -> None:
    show(line, CALLER, "hangup")
    assert (await line.ending.wait())[0] == CALLER_GAVE_UP


async def test_another_leg_that_hangs_up_leaves_the_call_alone(line: Line) -> None:
    show(line, "sip_+12015550199", "hangup")
    assert not line.ending.is_decided
