"""A job's way through one call, with what it talks to faked at its edges."""

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest
from livekit import rtc

from dispatch.billing.prices import PriceBook
from dispatch.billing.pricing import PricedUsage
from dispatch.calls import Arrival, CallEnd, RefusalReason, Refused, Settlement
from dispatch.models.choices import AgentModels
from dispatch.settings import DispatchSettings
from dispatch.tools.addresses import AllowedHosts
from telephony.calls import CallDirection, CallKind, CallState
from telephony.ports import ObservedRoom
from tests.fakes.livekit_rooms import FakeRooms
from worker.active_call import ActiveCall
from worker.bootstrap import JobServices
from worker.ending import CALLER_HUNG_UP, Ending
from worker.job import CallTakenError, admit, answer_call, close
from worker.line import Line
from worker.settings import WorkerSettings
from worker.transcript import CallJournal
from worker.usage import CallUsage
from worker.warm import WARM

pytestmark = pytest.mark.unit

ARRIVAL = Arrival(
    uuid.uuid4(), CallKind.SIP, CallDirection.INBOUND, "call_+12015550100_a", "sip_+12015550123"
)


class Calls:
    """Live calls of which one is another job's."""

    def __init__(self) -> None:
        self.settled = asyncio.Event()

    async def admit(self, arrival: Arrival, job_id: str) -> Refused:
        assert job_id == "AJ_second"
        return Refused(arrival.call_id, RefusalReason.ALREADY_TAKEN)

    async def end(
        self,
        call_id: uuid.UUID,
        call_end: CallEnd,
        at: datetime,
        answered_at: datetime | None,  # noqa: ARG002  (as the real one takes it)
        usage: PricedUsage,
    ) -> Settlement:
        assert usage.parts == ()
        assert call_end == CALLER_HUNG_UP
        self.settled.set()
        return Settlement(call_id, CallState.ENDED, at, 3, 5_000, 95_000, repeated=False)


class SilentLiveKit:
    """A LiveKit that takes requests and never answers."""

    async def delete_room(self, _name: str, **_which: str) -> None:
        await asyncio.Event().wait()


def services_over(calls: Calls) -> JobServices:
    return JobServices(
        worker_settings=WorkerSettings(),
        dispatch_settings=cast("DispatchSettings", None),
        live_calls=cast("Any", calls),
        commands=cast("Any", None),
        voice_sessions=cast("Any", None),
        rooms=cast("Any", SilentLiveKit()),
        hearing=cast("Any", None),
        dialler=cast("Any", None),
        trunks=cast("Any", None),
        secrets=cast("Any", None),
        allowed_hosts=AllowedHosts(),
        sip_hosts=AllowedHosts(),
        tool_runner=cast("Any", None),
        knowledge=cast("Any", None),
    )


def line() -> Line:
    return Line(cast("rtc.Room", rtc.EventEmitter[Any]()), Ending())


async def test_leaves_a_call_that_another_job_has() -> None:
    with pytest.raises(CallTakenError):
        await admit(line(), ARRIVAL, "AJ_second", services_over(Calls()))


async def ends_at_the_door(
    monkeypatch: pytest.MonkeyPatch,
    rooms: FakeRooms,
    room: ObservedRoom,
    arrival: Arrival | None,
    seat: str = "",
) -> None:
    """A job for this room whose caller is refused, or, without an arrival, never comes."""

    async def nothing(*_args: object) -> None:
        return

    async def identified(*_args: object) -> Arrival | None:
        return arrival

    @contextlib.asynccontextmanager
    async def opened(_settings: object) -> AsyncIterator[JobServices]:
        yield replace(services_over(Calls()), rooms=rooms)

    monkeypatch.setattr("worker.job.open_services", opened)
    monkeypatch.setattr("worker.job.identify", identified)
    monkeypatch.setattr("worker.job.admit", nothing)
    monkeypatch.setattr("worker.job._reach_redis", nothing)
    monkeypatch.setattr("worker.job.join", lambda _ctx: asyncio.sleep(0))
    told = SimpleNamespace(name=room.name, sid=room.room_sid)
    ctx: Any = SimpleNamespace(
        job=SimpleNamespace(id="AJ_one", metadata=seat, room=told),
        room=SimpleNamespace(disconnect=nothing),
        proc=SimpleNamespace(userdata={WARM: SimpleNamespace(settings=None, models=None)}),
        connect=nothing,
        shutdown=lambda _reason: None,
    )
    await answer_call(ctx)


@pytest.mark.parametrize(("seat", "left"), [("", []), ("7", ["room"])])
async def test_a_refused_agent_leaves_the_room_to_the_others_in_it(
    monkeypatch: pytest.MonkeyPatch, seat: str, left: list[str]
) -> None:
    rooms = FakeRooms()
    room = rooms.open_room("room")
    refused = replace(ARRIVAL, kind=CallKind.WEB, seat=seat)
    await ends_at_the_door(monkeypatch, rooms, room, refused, seat)
    assert list(rooms.rooms) == left


@pytest.mark.parametrize(("seat", "left"), [("", []), ("7", ["room"])])
async def test_an_agent_whose_caller_never_comes_leaves_the_room_to_the_others_in_it(
    monkeypatch: pytest.MonkeyPatch, seat: str, left: list[str]
) -> None:
    rooms = FakeRooms()
    await ends_at_the_door(monkeypatch, rooms, rooms.open_room("room"), None, seat)
    assert list(rooms.rooms) == left


async def test_a_job_leaves_a_room_that_a_client_opened_anew_under_its_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rooms = FakeRooms()
    its_room = rooms.open_room("proj_1_room")
    await rooms.delete_room("proj_1_room")
    opened_anew = rooms.open_room("proj_1_room")
    await ends_at_the_door(monkeypatch, rooms, its_room, None)
    assert rooms.rooms == {"proj_1_room": opened_anew}


@pytest.mark.parametrize("name", ["call_1", "out_1"])
async def test_a_job_hangs_up_on_a_telephone_that_came_back_and_had_its_room_opened_anew(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    rooms = FakeRooms()
    its_room = rooms.open_room(name)
    await rooms.delete_room(name)
    rooms.open_room(name)
    await ends_at_the_door(monkeypatch, rooms, its_room, None)
    assert rooms.rooms == {}


def call_that_is_over(calls: Calls) -> ActiveCall:
    call = ActiveCall(
        line(),
        ARRIVAL,
        cast("Any", SimpleNamespace(prices=PriceBook.load().tables[0])),
        CallJournal(cast("Any", calls), ARRIVAL.call_id),
        cast("Any", None),
        CallUsage(AgentModels()),
    )
    call.line.ending.cut_off(CALLER_HUNG_UP)
    return call


@pytest.mark.parametrize("broken", ["conversation", "commands"])
async def test_settles_the_bill_however_the_agent_takes_its_leave(broken: str) -> None:
    calls = Calls()

    async def fail(*_args: object) -> None:
        raise RuntimeError("the session is in disorder")

    parts: dict[str, Any] = {"conversation": None, "commands": None}
    parts[broken] = SimpleNamespace(close=fail)
    closing = asyncio.ensure_future(
        close(call_that_is_over(calls), **parts, services=services_over(calls))
    )
    try:
        async with asyncio.timeout(30):
            await calls.settled.wait()
    finally:
        closing.cancel()
        await asyncio.gather(closing, return_exceptions=True)


async def test_settles_the_bill_while_livekit_does_not_answer() -> None:
    calls = Calls()
    call = call_that_is_over(calls)

    closing = asyncio.ensure_future(close(call, None, None, services_over(calls)))
    async with asyncio.timeout(30):
        await calls.settled.wait()

    assert not closing.done()
    closing.cancel()
