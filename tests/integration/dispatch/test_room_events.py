"""Webhooks as hints: ringing and missed calls."""

import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from redis.asyncio import Redis

from dispatch.accounts import Principal
from dispatch.calls import Admitted, CallEnd, call_id_of_sip_room
from dispatch.room_events import RoomEventsHandler
from dispatch.voice_sessions import VoiceSessions
from telephony.calls import EndedBy, EndReason
from telephony.ports import ObservedParticipant, RoomEvent
from tests.builders.live_calls import Tenant, events_of, live_calls, settings, types_of
from tests.fakes.livekit_rooms import FakeRooms

pytestmark = pytest.mark.integration

ROOM = "call_+12015550100_abc"
CALL_ID = call_id_of_sip_room(ROOM)
JOINED_AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture
def rooms() -> FakeRooms:
    return FakeRooms()


@pytest.fixture
def handler(redis: Redis, rooms: FakeRooms) -> RoomEventsHandler:
    return RoomEventsHandler(live_calls(redis), rooms)


def caller(kind: str = "sip") -> ObservedParticipant:
    attributes = {
        "sip.trunkPhoneNumber": "12015550100",
        "sip.phoneNumber": "+12015550199",
        "sip.callID": "SCL_1",
    }
    return ObservedParticipant("sip_1", kind, attributes, JOINED_AT)  # type: ignore[arg-type]


def event(
    type_: str,
    *,
    after_s: float = 0,
    room: str = ROOM,
    participant: ObservedParticipant | None = None,
) -> RoomEvent:
    at = JOINED_AT + timedelta(seconds=after_s)
    return RoomEvent("EV_1", type_, at, room, "RM_1", participant)


async def test_a_sip_caller_who_joins_rings_once(
    redis: Redis, handler: RoomEventsHandler, tenant: Tenant
) -> None:
    await handler.handle(event("participant_joined", participant=caller()))
    await handler.handle(event("participant_joined", participant=caller()))
    [ringing] = await events_of(redis, CALL_ID)
    assert (ringing["called_number"], ringing["caller_number"]) == (tenant.did, "+12015550199")
    assert ringing["project_id"] == str(tenant.project_id)


@pytest.mark.parametrize(
    ("after_s", "ended_by", "end_reason"),
    [(5, "caller", "abandoned"), (20, "system", "no_worker")],
)
async def test_a_caller_who_leaves_unanswered_is_missed(
    redis: Redis, handler: RoomEventsHandler, after_s: float, ended_by: str, end_reason: str
) -> None:
    await handler.handle(event("participant_joined", participant=caller()))
    await handler.handle(event("participant_left", after_s=after_s, participant=caller()))
    await handler.handle(event("room_finished", after_s=after_s + 1))
    missed = (await events_of(redis, CALL_ID))[-1]
    assert missed["type"] == "call.missed"
    assert (missed["ended_by"], missed["end_reason"]) == (ended_by, end_reason)
    assert await types_of(redis, CALL_ID) == ["call.ringing", "call.missed"]


async def test_an_admitted_call_is_left_to_its_worker(
    redis: Redis, handler: RoomEventsHandler, tenant: Tenant
) -> None:
    assert isinstance(await live_calls(redis).admit(tenant.arrival(ROOM)), Admitted)
    await handler.handle(event("participant_left", participant=caller()))
    await handler.handle(event("room_finished"))
    assert "call.missed" not in await types_of(redis, CALL_ID)


async def test_other_rooms_and_participants_are_ignored(
    redis: Redis, handler: RoomEventsHandler
) -> None:
    await handler.handle(event("participant_joined", room="meeting", participant=caller()))
    await handler.handle(event("participant_joined", participant=caller("agent")))
    await handler.handle(event("participant_left", participant=caller()))
    await handler.handle(event("room_finished", room="meeting"))
    await handler.handle(event("room_started"))
    assert await events_of(redis) == []


async def test_a_telephone_that_comes_back_after_its_call_is_over_is_hung_up(
    redis: Redis, handler: RoomEventsHandler, rooms: FakeRooms, tenant: Tenant
) -> None:
    assert isinstance(await live_calls(redis).admit(tenant.arrival(ROOM)), Admitted)
    rooms.open_sip_room(ROOM, caller())
    await handler.handle(event("participant_joined", participant=caller()))
    assert ROOM in rooms.rooms

    await live_calls(redis).end(CALL_ID, CallEnd(EndedBy.SYSTEM, EndReason.CONNECTION_LOST))
    await handler.handle(event("participant_joined", participant=caller()))
    await handler.handle(event("participant_joined", participant=caller()))
    assert ROOM not in rooms.rooms
    assert (await types_of(redis, CALL_ID)).count("call.ringing") == 1


async def test_the_end_of_a_room_misses_the_web_call_in_it_and_none_that_came_after(
    redis: Redis, handler: RoomEventsHandler, rooms: FakeRooms, tenant: Tenant
) -> None:
    sessions = VoiceSessions(redis, rooms, settings())
    principal = Principal(tenant.organization_id, tenant.project_id, uuid.uuid4(), "key")
    opened = await sessions.open(principal, tenant.agent_id, "meeting", "web-user")
    # Told late, of the room that had the name before.
    await handler.handle(event("room_finished", room="meeting"))
    assert await types_of(redis, opened.call_id) == ["call.ringing"]
    now = replace(event("room_finished", room="meeting"), at=datetime.now(UTC) + timedelta(hours=1))
    await handler.handle(now)
    assert await types_of(redis, opened.call_id) == ["call.ringing", "call.missed"]
