"""Calls that no job took at first, on a real Redis and fake rooms."""

import uuid

import pytest
from redis.asyncio import Redis

from dispatch.accounts import Principal
from dispatch.calls import Arrival
from dispatch.errors import StoreUnavailable
from dispatch.store import redis_keys
from dispatch.store.redis_client import RedisClient
from dispatch.unanswered import UnansweredCalls
from dispatch.voice_sessions import VoiceSessions
from dispatch.workers import WorkerPresence
from telephony.ports import ObservedParticipant, RoomSpec
from tests.builders.live_calls import Tenant, live_calls, settings
from tests.fakes.livekit_rooms import FakeRooms

pytestmark = pytest.mark.integration

WORKER = "dialplane"


@pytest.fixture
def rooms() -> FakeRooms:
    return FakeRooms()


@pytest.fixture
def unanswered(redis: Redis, rooms: FakeRooms) -> UnansweredCalls:
    return unanswered_calls(redis, rooms, patience_s=0)


def unanswered_calls(redis: Redis, rooms: FakeRooms, *, patience_s: float) -> UnansweredCalls:
    return UnansweredCalls(
        live_calls(redis), WorkerPresence(redis), rooms, WORKER, patience_s=patience_s
    )


async def free(redis: Redis, calls: int) -> None:
    await WorkerPresence(redis).report("worker", active_calls=2, max_calls=2 + calls)


async def ringing(redis: Redis, tenant: Tenant, rooms: FakeRooms) -> Arrival:
    arrival = tenant.arrival()
    rooms.open_sip_room(arrival.room_name)
    await live_calls(redis).ring(arrival)
    return arrival


async def test_a_ringing_call_without_a_job_is_given_one(
    redis: Redis, tenant: Tenant, rooms: FakeRooms, unanswered: UnansweredCalls
) -> None:
    arrival = await ringing(redis, tenant, rooms)
    await free(redis, 1)
    assert await unanswered.run_once() == 1
    assert rooms.jobs == {arrival.room_name: WORKER}


async def test_it_is_given_another_when_that_one_is_lost_too(
    redis: Redis, tenant: Tenant, rooms: FakeRooms, unanswered: UnansweredCalls
) -> None:
    arrival = await ringing(redis, tenant, rooms)
    await free(redis, 1)
    await unanswered.run_once()
    assert await unanswered.run_once() == 0
    rooms.jobs.clear()
    assert await unanswered.run_once() == 1
    assert rooms.dispatched == [arrival.room_name] * 2


async def test_a_call_that_has_just_begun_to_ring_is_left_to_livekit(
    redis: Redis, tenant: Tenant, rooms: FakeRooms
) -> None:
    await ringing(redis, tenant, rooms)
    await free(redis, 1)
    assert await unanswered_calls(redis, rooms, patience_s=60).run_once() == 0
    assert rooms.dispatched == []


async def test_a_call_is_not_tried_again_before_its_time(
    redis: Redis, tenant: Tenant, rooms: FakeRooms, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_s = [0.0]
    monkeypatch.setattr("dispatch.unanswered.monotonic", lambda: now_s[0])
    arrival = await ringing(redis, tenant, rooms)
    await free(redis, 1)
    patience_s = 1.0
    unanswered = unanswered_calls(redis, rooms, patience_s=patience_s)
    while not rooms.dispatched:
        await unanswered.run_once()
    rooms.jobs.clear()
    now_s[0] += patience_s / 2
    assert await unanswered.run_once() == 0
    assert rooms.dispatched == [arrival.room_name]
    now_s[0] += patience_s / 2
    assert await unanswered.run_once() == 1


async def test_nothing_is_asked_of_workers_that_are_full(
    redis: Redis, tenant: Tenant, rooms: FakeRooms, unanswered: UnansweredCalls
) -> None:
    await ringing(redis, tenant, rooms)
    await free(redis, 0)
    assert await unanswered.run_once() == 0
    assert rooms.calls == []


async def test_more_callers_than_free_slots_take_turns(
    redis: Redis, tenant: Tenant, rooms: FakeRooms, unanswered: UnansweredCalls
) -> None:
    arrivals = [await ringing(redis, tenant, rooms) for _ in range(3)]
    await free(redis, 1)
    for _ in arrivals:
        await unanswered.run_once()
        rooms.jobs.clear()
    assert sorted(rooms.dispatched) == sorted(arrival.room_name for arrival in arrivals)


async def test_sessions_that_nobody_joins_hide_no_telephone_that_rings_since(
    redis: Redis, tenant: Tenant, rooms: FakeRooms, unanswered: UnansweredCalls
) -> None:
    long_ago = {str(uuid.uuid4()): number for number in range(600)}
    await redis.zadd(redis_keys.CALLS_RINGING, long_ago)
    arrival = await ringing(redis, tenant, rooms)
    await free(redis, 1)
    assert await unanswered.run_once() == 1
    assert rooms.jobs == {arrival.room_name: WORKER}


async def test_a_call_that_was_admitted_is_nobody_elses(
    redis: Redis, tenant: Tenant, rooms: FakeRooms, unanswered: UnansweredCalls
) -> None:
    arrival = await ringing(redis, tenant, rooms)
    await live_calls(redis).admit(arrival)
    await free(redis, 1)
    assert await unanswered.run_once() == 0
    assert rooms.dispatched == []


async def test_a_caller_who_has_gone_does_not_keep_others_waiting(
    redis: Redis, tenant: Tenant, rooms: FakeRooms, unanswered: UnansweredCalls
) -> None:
    gone, waiting = [await ringing(redis, tenant, rooms) for _ in range(2)]
    await rooms.delete_room(gone.room_name)
    await free(redis, 2)
    assert await unanswered.run_once() == 1
    assert rooms.dispatched == [waiting.room_name]


async def test_a_call_is_tried_again_when_livekit_is_back(
    redis: Redis, tenant: Tenant, rooms: FakeRooms, unanswered: UnansweredCalls
) -> None:
    await ringing(redis, tenant, rooms)
    await free(redis, 1)
    rooms.unreachable = True
    assert await unanswered.run_once() == 0
    rooms.unreachable = False
    assert await unanswered.run_once() == 1


async def test_a_call_whose_job_is_on_its_way_gets_no_second_one(
    redis: Redis, tenant: Tenant, rooms: FakeRooms, unanswered: UnansweredCalls
) -> None:
    arrival = tenant.arrival()
    await rooms.create_room(RoomSpec(arrival.room_name, worker_name=WORKER))
    await live_calls(redis).ring(arrival)
    await free(redis, 1)
    assert await unanswered.run_once() == 0


class TestWebCallers:
    async def opened(self, redis: Redis, tenant: Tenant, rooms: FakeRooms) -> str:
        """A voice session whose first job LiveKit has dropped; nobody has joined it."""
        principal = Principal(tenant.organization_id, tenant.project_id, uuid.uuid4(), "key")
        sessions = VoiceSessions(redis, rooms, settings())
        opened = await sessions.open(principal, tenant.agent_id, "web_1", "web-user")
        rooms.jobs.clear()
        await free(redis, 1)
        return opened.room_name

    async def test_one_who_waits_in_the_room_is_given_a_job(
        self, redis: Redis, tenant: Tenant, rooms: FakeRooms, unanswered: UnansweredCalls
    ) -> None:
        room_name = await self.opened(redis, tenant, rooms)
        rooms.participants[room_name].append(ObservedParticipant("web-user", "standard", {}, None))
        assert await unanswered.run_once() == 1
        assert rooms.dispatched == [room_name]

    async def test_one_who_has_not_joined_takes_no_workers_time(
        self, redis: Redis, tenant: Tenant, rooms: FakeRooms, unanswered: UnansweredCalls
    ) -> None:
        await self.opened(redis, tenant, rooms)
        telephone = await ringing(redis, tenant, rooms)
        assert await unanswered.run_once() == 1
        assert rooms.dispatched == [telephone.room_name]


async def test_says_when_redis_is_away(dead_redis: RedisClient, rooms: FakeRooms) -> None:
    with pytest.raises(StoreUnavailable):
        await unanswered_calls(dead_redis, rooms, patience_s=0).run_once()
