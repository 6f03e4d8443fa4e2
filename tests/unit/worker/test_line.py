"""When the line to the caller goes down."""

import asyncio
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from livekit import rtc

from dispatch.calls import CallEnd
from worker.ending import (
    CALLER_GAVE_UP,
    CALLER_HUNG_UP,
    CALLER_LOST,
    LINE_LOST,
    TRANSFERRED,
    Ending,
)
from worker.line import Line

pytestmark = pytest.mark.unit

CALLER = "sip_+12015550123"


class Person:
    """A participant as the room shows it."""

    kind = rtc.ParticipantKind.PARTICIPANT_KIND_SIP
    disconnect_reason: int | None = None

    def __init__(self, identity: str, status: str) -> None:
        self.identity = identity
        self.attributes = {"sip.callStatus": status}
        self.track_publications: dict[str, Any] = {}


class Myself:
    """Our own participant, which can ask a leg whether it is there."""

    def __init__(self) -> None:
        self.leg_answers = True
        self.headers = "{}"
        self.asked = asyncio.Event()

    async def perform_rpc(self, **_question: Any) -> str:
        await asyncio.sleep(0)
        self.asked.set()
        if not self.leg_answers:
            raise rtc.RpcError(1501, "Connection timeout")
        return self.headers


class Room(rtc.EventEmitter[Any]):
    """A room with one caller in it."""

    def __init__(self) -> None:
        super().__init__()
        self.caller = Person(CALLER, "ringing")
        self.local_participant = Myself()
        self.remote_participants = {CALLER: self.caller}

    def lose(self) -> None:
        self.caller.disconnect_reason = rtc.DisconnectReason.CONNECTION_TIMEOUT
        self.emit("participant_disconnected", self.caller)

    def show(self, identity: str, status: str) -> None:
        person = self.remote_participants.get(identity) or Person(identity, status)
        person.attributes["sip.callStatus"] = status
        self.emit("participant_attributes_changed", ["sip.callStatus"], person)


class Clock:
    """The time that the tests set."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def line(clock: Clock) -> Line:
    room: Any = Room()
    line = Line(room, Ending(clock))
    await line.wait_for_caller()
    return line


def show(line: Line, identity: str, status: str) -> None:
    room: Any = line.room
    room.show(identity, status)


async def test_a_bye_ends_the_call_before_the_caller_has_left_the_room(line: Line) -> None:
    show(line, CALLER, "active")
    line.mark_answered(datetime.now(UTC))
    show(line, CALLER, "hangup")
    assert (await line.ending.wait())[0] == CALLER_HUNG_UP


async def test_a_cancel_before_the_answer_is_giving_up(line: Line) -> None:
    show(line, CALLER, "hangup")
    assert (await line.ending.wait())[0] == CALLER_GAVE_UP


async def test_another_leg_that_hangs_up_leaves_the_call_alone(line: Line) -> None:
    show(line, "sip_+12015550199", "hangup")
    assert not line.ending.is_decided


async def test_a_leg_that_vanished_ended_the_call_when_it_last_answered(
    line: Line, clock: Clock
) -> None:
    room: Any = line.room
    line.mark_answered(datetime.now(UTC))
    watching = asyncio.ensure_future(line.keep_in_sight(CALLER, interval_s=0))
    await room.local_participant.asked.wait()
    room.local_participant.leg_answers = False
    room.local_participant.asked.clear()
    await room.local_participant.asked.wait()
    last_answer_at = clock()
    clock.advance(15)
    room.lose()
    cause, at = await line.ending.wait()
    watching.cancel()
    assert (cause, at) == (CALLER_LOST, last_answer_at)


async def seen_once(line: Line) -> asyncio.Future[None]:
    """Return the watch over a line whose telephone has just answered it."""
    room: Any = line.room
    watching = asyncio.ensure_future(line.keep_in_sight(CALLER, interval_s=60))
    await room.local_participant.asked.wait()
    await asyncio.sleep(0)
    return watching


@pytest.mark.parametrize(
    "reason", [None, rtc.DisconnectReason.UNKNOWN_REASON, rtc.DisconnectReason.CONNECTION_TIMEOUT]
)
async def test_a_leg_that_goes_without_a_word_sooner_than_a_connection_dies_hung_up(
    line: Line, clock: Clock, reason: int | None
) -> None:
    room: Any = line.room
    line.mark_answered(clock())
    watching = await seen_once(line)
    clock.advance(5)
    room.caller.disconnect_reason = reason
    room.emit("participant_disconnected", room.caller)
    watching.cancel()
    assert await line.ending.wait() == (CALLER_HUNG_UP, clock())


async def test_a_leg_that_failed_is_lost_however_lately_it_was_seen(
    line: Line, clock: Clock
) -> None:
    room: Any = line.room
    line.mark_answered(clock())
    watching = await seen_once(line)
    room.caller.disconnect_reason = rtc.DisconnectReason.MEDIA_FAILURE
    room.emit("participant_disconnected", room.caller)
    watching.cancel()
    assert (await line.ending.wait())[0] == CALLER_LOST


@pytest.mark.parametrize(
    ("headers", "hops"),
    [
        ('{"headers": {"X-Dialplane-Hops": "2"}}', 2),
        ('{"headers": {"x-dialplane-hops": "1"}}', 1),
        ('{"headers": {"X-Dialplane-Hops": "-7"}}', 0),
        ('{"headers": {"X-Dialplane-Hops": "many"}}', 0),
        ('{"headers": {}}', 0),
        ("{}", 0),
        ("[]", 0),
        ("", 0),
    ],
)
async def test_a_leg_tells_how_often_its_call_was_passed_on(
    line: Line, headers: str, hops: int
) -> None:
    myself: Any = line.room.local_participant
    myself.headers = headers
    watching = asyncio.ensure_future(line.keep_in_sight(CALLER, interval_s=0))
    for _ in range(2):
        myself.asked.clear()
        await myself.asked.wait()
    watching.cancel()

    assert line.hops == hops


async def test_a_call_that_is_passed_on_in_the_moment_of_its_answer_is_asked_for_its_hops_first(
    line: Line,
) -> None:
    myself: Any = line.room.local_participant
    myself.headers = '{"headers": {"X-Dialplane-Hops": "3"}}'
    assert line.hops == 0

    assert await line.count_hops() == 3
    myself.asked.clear()
    assert await line.count_hops() == line.hops == 3
    assert not myself.asked.is_set()


@pytest.mark.parametrize("says_nothing", ["a browser", "a leg that does not answer"])
async def test_whoever_tells_no_hops_was_not_passed_on(line: Line, says_nothing: str) -> None:
    room: Any = line.room
    room.local_participant.headers = '{"headers": {"X-Dialplane-Hops": "3"}}'
    if says_nothing == "a browser":
        room.caller.kind = rtc.ParticipantKind.PARTICIPANT_KIND_STANDARD
    else:
        room.local_participant.leg_answers = False

    assert await line.count_hops() == 0


class Sound:
    """A track of which more packets arrive each time somebody looks."""

    def __init__(self) -> None:
        self.packets = 0

    async def get_stats(self) -> list[Any]:
        self.packets += 25
        received = SimpleNamespace(packets_received=self.packets)
        return [SimpleNamespace(inbound_rtp=SimpleNamespace(received=received))]


async def test_a_leg_that_may_not_answer_is_seen_by_its_sound(
    line: Line, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    room: Any = line.room
    monkeypatch.setattr("worker.line._SOUND_S", 0)
    line.mark_answered(datetime.now(UTC))
    room.local_participant.leg_answers = False
    sound = Sound()
    room.caller.track_publications = {"TR_1": SimpleNamespace(track=sound)}
    watching = asyncio.ensure_future(line.keep_in_sight(CALLER, interval_s=0))
    while sound.packets < 100:
        await asyncio.sleep(0)
    room.caller.track_publications = {}
    room.local_participant.asked.clear()
    await room.local_participant.asked.wait()
    silent_since = clock()
    clock.advance(15)
    room.lose()
    cause, at = await line.ending.wait()
    watching.cancel()
    assert (cause, at) == (CALLER_LOST, silent_since)


async def test_a_leg_that_never_answered_ended_the_call_when_it_was_given_up(
    line: Line, clock: Clock
) -> None:
    room: Any = line.room
    line.mark_answered(clock())
    clock.advance(15)
    room.lose()
    assert await line.ending.wait() == (CALLER_LOST, clock())


@pytest.mark.parametrize(("was_taken", "cause"), [(True, TRANSFERRED), (False, CALLER_HUNG_UP)])
async def test_who_leaves_during_a_transfer_was_passed_on_if_the_carrier_says_so(
    line: Line,
    was_taken: bool,  # noqa: FBT001
    cause: CallEnd,
) -> None:
    line.mark_answered(datetime.now(UTC))
    with line.passing_on() as referral:
        show(line, CALLER, "hangup")
        await asyncio.sleep(0)
        assert not line.ending.is_decided
        referral.set_result(was_taken)
    assert (await line.ending.wait())[0] == cause


async def test_who_leaves_during_a_transfer_that_fails_hung_up(line: Line) -> None:
    line.mark_answered(datetime.now(UTC))
    with line.passing_on():
        show(line, CALLER, "hangup")
    assert (await line.ending.wait())[0] == CALLER_HUNG_UP


async def test_everybody_who_goes_while_the_room_is_joined_anew_is_the_rooms_doing(
    line: Line,
) -> None:
    room: Any = line.room
    line.mark_answered(datetime.now(UTC))
    room.emit("reconnecting")
    room.emit("participant_disconnected", Person("human", "active"))
    room.lose()
    assert (await line.ending.wait())[0] == LINE_LOST


async def test_a_connection_that_was_resumed_is_forgotten(line: Line) -> None:
    room: Any = line.room
    line.mark_answered(datetime.now(UTC))
    room.emit("reconnecting")
    room.emit("reconnected")
    room.emit("participant_disconnected", Person("human", "active"))
    assert not line.ending.is_decided
    room.lose()
    assert (await line.ending.wait())[0] == CALLER_LOST
