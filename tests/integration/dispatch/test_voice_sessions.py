"""Opening a call from a browser."""

import uuid

import pytest
from redis.asyncio import Redis

from dispatch.accounts import Principal
from dispatch.balances import Balances
from dispatch.calls import Admitted, CallEnd, RefusalReason, Refused
from dispatch.errors import (
    AgentNotVoiceReady,
    CapacityReached,
    Conflict,
    InsufficientCredits,
    NotFound,
    RoomUnavailable,
)
from dispatch.routes import Routes
from dispatch.voice_sessions import VoiceSessions
from telephony.calls import CallState, EndedBy, EndReason
from tests.builders.live_calls import Tenant, events_of, live_calls, settings
from tests.fakes.livekit_rooms import FakeRooms

pytestmark = pytest.mark.integration


@pytest.fixture
def rooms() -> FakeRooms:
    return FakeRooms()


@pytest.fixture
def sessions(redis: Redis, rooms: FakeRooms) -> VoiceSessions:
    return VoiceSessions(redis, rooms, settings())


def owner(tenant: Tenant) -> Principal:
    return Principal(tenant.organization_id, tenant.project_id, uuid.uuid4(), "key")


async def test_the_room_the_token_and_the_session_fit_together(
    redis: Redis, tenant: Tenant, rooms: FakeRooms, sessions: VoiceSessions
) -> None:
    metadata = {"customer": "7", "empty": [], "big": 12345678901234567890}
    opened = await sessions.open(
        owner(tenant), tenant.agent_id, "web_1", "web-user", metadata=metadata
    )
    assert opened.session_id.startswith("vs_")
    assert opened.agent_name
    assert rooms.calls == ["create_room"]
    assert rooms.specs["web_1"].worker_name == "dialplane"
    found = await sessions.find("web_1")
    assert found is not None
    assert (found.call_id, found.created_at) == (opened.call_id, opened.created_at)
    assert found.metadata == metadata
    assert await Balances(redis).get(tenant.organization_id) == 1_000_000


async def test_its_call_is_admitted_at_the_price_of_the_web(
    redis: Redis, tenant: Tenant, sessions: VoiceSessions
) -> None:
    opened = await sessions.open(
        owner(tenant), tenant.agent_id, "web_1", "web-user", metadata={"list": []}
    )
    found = await sessions.find("web_1")
    assert found is not None
    admitted = await live_calls(redis).admit(found.to_arrival())
    assert isinstance(admitted, Admitted)
    assert admitted.metadata == {"list": []}
    assert admitted.price_microcredits_per_minute == 50_000
    ringing, *_ = await events_of(redis, opened.call_id)
    assert ringing["metadata"] == {"list": []}
    assert ringing["project_id"] == str(tenant.project_id)


async def test_an_unknown_session_is_refused(
    redis: Redis, tenant: Tenant, sessions: VoiceSessions
) -> None:
    await sessions.open(owner(tenant), tenant.agent_id, "web_1", "web-user")
    found = await sessions.find("web_1")
    assert found is not None
    await redis.flushdb()
    answer = await live_calls(redis).admit(found.to_arrival())
    assert answer == Refused(found.call_id, RefusalReason.SESSION_UNKNOWN)
    assert await sessions.find("web_1") is None


async def test_another_tenants_agent_is_not_found(tenant: Tenant, sessions: VoiceSessions) -> None:
    with pytest.raises(NotFound):
        await sessions.open(owner(Tenant()), tenant.agent_id, "web_1", "web-user")


async def test_an_agent_without_voice_is_refused(
    redis: Redis, tenant: Tenant, sessions: VoiceSessions
) -> None:
    await Routes(redis).publish_agent(tenant.agent(voice_enabled=False))
    with pytest.raises(AgentNotVoiceReady):
        await sessions.open(owner(tenant), tenant.agent_id, "web_1", "web-user")


@pytest.mark.parametrize("balance", [None, 0, 49_999])
async def test_no_credit_opens_nothing(
    redis: Redis, rooms: FakeRooms, sessions: VoiceSessions, balance: int | None
) -> None:
    tenant = Tenant()
    await tenant.publish(redis, balance=balance)
    with pytest.raises(InsufficientCredits):
        await sessions.open(owner(tenant), tenant.agent_id, "web_1", "web-user")
    assert rooms.calls == []
    assert await events_of(redis) == []


async def test_no_slot_opens_nothing(redis: Redis, tenant: Tenant, rooms: FakeRooms) -> None:
    await live_calls(redis).admit(tenant.arrival())
    full = VoiceSessions(redis, rooms, settings(max_calls=1))
    with pytest.raises(CapacityReached):
        await full.open(owner(tenant), tenant.agent_id, "web_1", "web-user")


async def test_a_room_has_one_session(tenant: Tenant, sessions: VoiceSessions) -> None:
    await sessions.open(owner(tenant), tenant.agent_id, "web_1", "web-user")
    with pytest.raises(Conflict):
        await sessions.open(owner(tenant), tenant.agent_id, "web_1", "web-user")


@pytest.mark.parametrize("seat", ["", "7"])
async def test_a_rooms_name_can_be_used_again_once_the_call_in_it_is_over(
    redis: Redis, tenant: Tenant, sessions: VoiceSessions, seat: str
) -> None:
    first = await sessions.open(owner(tenant), tenant.agent_id, "web_1", "one", seat=seat)
    await live_calls(redis).end(first.call_id, CallEnd(EndedBy.CALLER, EndReason.HANG_UP))
    again = await sessions.open(owner(tenant), tenant.agent_id, "web_1", "two", seat=seat)
    assert again.call_id != first.call_id
    found = await sessions.find("web_1", seat)
    assert found is not None
    assert (found.call_id, found.caller_identity) == (again.call_id, "two")
    # The reaper, which knows only the room, must not take it for one that was left behind.
    call = await live_calls(redis).find_in_room("web_1")
    assert call is not None
    assert (call.call_id, call.state) == (again.call_id, CallState.RINGING)
    with pytest.raises(Conflict):
        await sessions.open(owner(tenant), tenant.agent_id, "web_1", "three", seat=seat)


async def test_without_livekit_the_call_is_missed_and_the_session_gone(
    redis: Redis, tenant: Tenant, rooms: FakeRooms, sessions: VoiceSessions
) -> None:
    rooms.unreachable = True
    with pytest.raises(RoomUnavailable):
        await sessions.open(owner(tenant), tenant.agent_id, "web_1", "web-user")
    assert await sessions.find("web_1") is None
    assert [event["type"] for event in await events_of(redis)] == ["call.ringing", "call.missed"]
