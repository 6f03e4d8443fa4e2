"""What is said, pressed and ended in a call on command, and what of it is refused."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest
from livekit import rtc

from telephony.dialling_rules import DiallingRules
from telephony.dtmf import InvalidDtmf
from tests.builders.live_calls import Tenant
from worker.agent_on_call import CallActivity
from worker.call_control import CallControl
from worker.call_errors import CallOver, NotNow
from worker.ending import CALLER_HUNG_UP, CLIENT_HUNG_UP, Ending
from worker.held_keys import HeldKeys
from worker.line import Line
from worker.tools.call_tools import call_tools

pytestmark = pytest.mark.unit

TELEPHONE = rtc.ParticipantKind.PARTICIPANT_KIND_SIP
BROWSER = rtc.ParticipantKind.PARTICIPANT_KIND_STANDARD


class Room(rtc.EventEmitter[Any]):
    """A room with a caller, in which keys are pressed."""

    def __init__(self, kind: int) -> None:
        super().__init__()
        self.pressed: list[tuple[int, str]] = []
        self.local_participant = SimpleNamespace(publish_dtmf=self.publish_dtmf)
        self.remote_participants = {"caller": SimpleNamespace(kind=kind)}

    async def publish_dtmf(self, *, code: int, digit: str) -> None:
        self.pressed.append((code, digit))


class Agent:
    """An agent that notes what it is told, and hangs up."""

    def __init__(self, ending: Ending) -> None:
        self.ending = ending
        self.told: list[str] = []

    async def say(self, text: str) -> None:
        self.told.append(text)

    async def be_told(self, text: str) -> None:
        self.told.append(f"whispered: {text}")

    async def hang_up(self) -> None:
        self.ending.finish()


class Desk:
    def __init__(self, kind: int = TELEPHONE) -> None:
        self.room, self.ending = Room(kind), Ending()
        self.line = Line(cast("Any", self.room), self.ending)
        self.agent = Agent(self.ending)
        self.events: list[tuple[str, dict[str, Any]]] = []
        journal = SimpleNamespace(event=lambda kind, **data: self.events.append((kind, data)))
        parts = SimpleNamespace(
            room=self.room, line=self.line, caller_identity="caller", journal=journal
        )
        rules = DiallingRules(allow=(), own_numbers=frozenset())
        self.control = CallControl(
            cast("Any", parts), cast("Any", self.agent), cast("Any", None), rules, can_refer=False
        )


async def test_what_is_said_is_heard_and_what_is_whispered_only_by_the_agent() -> None:
    desk = Desk()
    await desk.control.say("Hello")
    await desk.control.whisper("Be kind")
    assert desk.agent.told == ["Hello", "whispered: Be kind"]


async def test_nothing_is_said_to_a_caller_on_hold() -> None:
    desk = Desk()
    desk.control._become(CallActivity.ON_HOLD)
    with pytest.raises(NotNow, match="on hold"):
        await desk.control.say("Hello")


async def test_keys_are_pressed_in_order_and_put_on_record_or_only_counted() -> None:
    desk = Desk()
    await desk.control.press_keys("1#")
    await desk.control.press_keys("4", sensitive=True)
    assert desk.room.pressed == [(1, "1"), (11, "#"), (4, "4")]
    assert [data for _, data in desk.events] == [
        {"keys": "1#", "count": 2},
        {"keys": "", "count": 1},
    ]


@pytest.mark.parametrize("keys", ["", "1" * 1_000, "1;2"])
async def test_keys_that_nobody_can_press_are_refused(keys: str) -> None:
    desk = Desk()
    with pytest.raises(InvalidDtmf):
        await desk.control.press_keys(keys)
    assert not desk.room.pressed


async def test_a_browser_has_no_telephone_to_send_keys_to() -> None:
    with pytest.raises(NotNow, match="no telephone"):
        await Desk(BROWSER).control.press_keys("1")


async def test_keys_that_are_pressed_stop_when_the_leg_is_gone() -> None:
    desk = Desk()
    pressing = asyncio.ensure_future(desk.control.press_keys("1,,,,2"))
    async with asyncio.timeout(30):
        while not desk.room.pressed:
            await asyncio.sleep(0)
    desk.ending.cut_off(CALLER_HUNG_UP)
    with pytest.raises(CallOver):
        await pressing
    assert desk.room.pressed == [(1, "1")]
    with pytest.raises(CallOver):
        await desk.control.press_keys("1")


async def test_a_call_is_ended_once_with_its_last_words() -> None:
    desk = Desk()
    await desk.control.end("Goodbye")
    assert desk.agent.told == ["Goodbye"]
    assert (await desk.ending.wait())[0] == CLIENT_HUNG_UP
    with pytest.raises(CallOver):
        await desk.control.end()


@pytest.mark.parametrize(
    ("allowed", "expected"),
    [
        ((), set()),
        (("press_keys",), {"press_keys"}),
        (("end_call", "gather_keys", "hold", "transfer_call"), {"end_call", "gather_keys", "hold"}),
    ],
)
def test_a_tool_the_profile_does_not_allow_is_not_there(
    allowed: tuple[str, ...], expected: set[str]
) -> None:
    desk = Desk()
    profile = Tenant().agent(tools_allowed=allowed)
    talk = SimpleNamespace(hang_up=desk.agent.hang_up, gather=None)
    tools = call_tools(profile, desk.control, cast("Any", talk), desk.ending, HeldKeys())
    assert {cast("Any", tool).info.name for tool in tools} == expected


def test_by_default_an_agent_presses_no_keys() -> None:
    assert "press_keys" not in Tenant().agent().tools_allowed
