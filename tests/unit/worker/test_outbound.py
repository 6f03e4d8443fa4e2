"""The called party's telephone, from the dialling to the answer or to why there is none."""

import asyncio
import uuid
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest
from livekit import rtc

from dispatch.calls import CallEnd, EventType
from dispatch.outbound_call import CALLEE_IDENTITY, PlacedCall
from telephony.calls import EndedBy, EndReason
from telephony.e164 import E164
from telephony.errors import DialError, DialOutcome, VendorUnavailable
from telephony.ports import AnsweredLeg, DialRequest, SipServer
from worker.ending import Ending
from worker.line import Line, LineDownError
from worker.outbound import OutboundLeg

pytestmark = pytest.mark.unit

ROOM = "out_1"
PLACED = PlacedCall(
    uuid.uuid4(), uuid.uuid4(), ROOM, E164("+12015550100"), E164("+12015550177"), 20
)
SERVER = SipServer("sip.example.com", "us", "hunter2-hunter2")


class Room(rtc.EventEmitter[Any]):
    """A room that tells what tests let happen in it."""

    name = ROOM

    def status(self, status: str) -> None:
        leg = SimpleNamespace(identity=CALLEE_IDENTITY, attributes={"sip.callStatus": status})
        self.emit("participant_attributes_changed", [], leg)


class Scene:
    """A leg, and a telephone network that does what a test says."""

    def __init__(self, happens: Callable[[Room], None], server: SipServer | None = SERVER) -> None:
        self.room = Room()
        self.line = Line(cast("rtc.Room", self.room), Ending())
        self.requests: list[DialRequest] = []
        self.events: list[EventType] = []
        self._happens = happens
        self._server = server

    def leg(self, *, is_public: bool = True) -> OutboundLeg:
        async def may_dial(_host: str) -> bool:
            return is_public

        return OutboundLeg(self.line, self, cast("Any", self), cast("Any", self), may_dial)

    async def dial(self, request: DialRequest) -> AnsweredLeg:
        self.requests.append(request)
        self._happens(self.room)
        if self.line.ending.is_decided:
            await asyncio.Event().wait()
        return AnsweredLeg(request.identity, "SCL_1")

    async def hang_up(self, room_name: str, identity: str) -> None: ...

    async def refer(self, *_: Any, **__: Any) -> Any: ...

    async def find_placed(self, room_name: str) -> PlacedCall | None:
        return PLACED if room_name == ROOM else None

    async def find(self, connection_id: uuid.UUID) -> SipServer | None:
        assert connection_id == PLACED.connection_id
        return self._server

    def event(self, event_type: EventType, **_: object) -> None:
        self.events.append(event_type)


def fails(error: Exception) -> Callable[[Room], None]:
    def fail(_room: Room) -> None:
        raise error

    return fail


async def end_of(scene: Scene, leg: OutboundLeg) -> CallEnd:
    with pytest.raises(LineDownError):
        await leg.place()
    return (await scene.line.ending.wait())[0]


async def test_dials_over_the_carrier_and_puts_the_ringing_on_record_once() -> None:
    def ring_twice(room: Room) -> None:
        for status in ("dialing", "ringing", "ringing"):
            room.status(status)

    scene = Scene(ring_twice)
    await scene.leg().place()
    [request] = scene.requests
    assert (request.to, request.from_number) == (PLACED.to_number, PLACED.from_number)
    assert (request.trunk, request.ringing_timeout_s) == (SERVER, 20.0)
    assert scene.events == [EventType.DIALLING, EventType.ALERTING]
    assert not scene.line.ending.is_decided


@pytest.mark.parametrize(
    ("outcome", "code", "end"),
    [
        (DialOutcome.BUSY, 486, CallEnd(EndedBy.CALLEE, EndReason.BUSY, 486)),
        (DialOutcome.NO_ANSWER, None, CallEnd(EndedBy.CALLEE, EndReason.NO_ANSWER)),
        (DialOutcome.REJECTED, 603, CallEnd(EndedBy.CALLEE, EndReason.REJECTED, 603)),
        (DialOutcome.FAILED, 503, CallEnd(EndedBy.CARRIER, EndReason.DIAL_FAILED, 503)),
    ],
)
async def test_every_way_of_not_answering_ends_the_call_by_its_name(
    outcome: DialOutcome, code: int | None, end: CallEnd
) -> None:
    scene = Scene(fails(DialError(outcome, code, "no")))
    assert await end_of(scene, scene.leg()) == end


async def test_a_livekit_that_is_away_ends_the_call_by_our_own_fault() -> None:
    scene = Scene(fails(VendorUnavailable("livekit", "dial", "gone")))
    assert await end_of(scene, scene.leg()) == CallEnd(EndedBy.SYSTEM, EndReason.DIAL_FAILED)


async def test_nobody_is_dialled_without_a_carrier_or_at_a_private_address() -> None:
    for scene, is_public in ((Scene(Room.status, None), True), (Scene(Room.status), False)):
        end = await end_of(scene, scene.leg(is_public=is_public))
        assert end == CallEnd(EndedBy.SYSTEM, EndReason.DIAL_FAILED)
        assert scene.requests == []


async def test_who_hangs_up_in_the_moment_of_the_answer_has_answered() -> None:
    scene = Scene(lambda room: room.status("hangup"))
    end = await end_of(scene, scene.leg())
    assert (end.ended_by, end.end_reason) == (EndedBy.CALLER, EndReason.HANG_UP)
    assert scene.line.answered_at is not None


async def test_a_cancelled_call_ends_as_its_canceller_said() -> None:
    scene = Scene(lambda room: room.emit("disconnected", rtc.DisconnectReason.ROOM_DELETED))
    end = await end_of(scene, scene.leg())
    assert (end.ended_by, end.end_reason) == (EndedBy.SYSTEM, EndReason.HANG_UP)
