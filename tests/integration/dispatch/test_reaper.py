"""Calls nobody ends, on a real Redis and fake rooms."""

import uuid
from datetime import UTC, datetime

import pytest
from redis.asyncio import Redis

from dispatch.accounts import Principal
from dispatch.balances import Balances
from dispatch.calls import CallEnd
from dispatch.reaper import Reaper
from dispatch.voice_sessions import VoiceSessions
from telephony.calls import CallState, EndedBy, EndReason
from telephony.errors import VendorUnavailable
from tests.builders.live_calls import Tenant, events_of, lapse, live_calls, settings
from tests.fakes.livekit_rooms import FakeRooms

pytestmark = pytest.mark.integration


@pytest.fixture
def rooms() -> FakeRooms:
    return FakeRooms()


@pytest.fixture
def reaper(redis: Redis, rooms: FakeRooms) -> Reaper:
    return Reaper(live_calls(redis), rooms, sweep_interval_s=0, stale_ringing_s=0, heal_s=0)


async def test_a_lost_workers_call_is_ended_and_its_room_deleted(
    redis: Redis, tenant: Tenant, rooms: FakeRooms, reaper: Reaper
) -> None:
    calls, arrival = live_calls(redis), tenant.arrival()
    rooms.open_sip_room(arrival.room_name)
    await calls.admit(arrival)
    await calls.answered(arrival.call_id, datetime.now(UTC))
    assert await reaper.run_once() == 0
    await lapse(redis, tenant, arrival.call_id)
    assert await reaper.run_once() == 1
    assert rooms.rooms == {}
    call = await calls.find(arrival.call_id)
    assert call is not None
    assert call.state is CallState.ENDED


async def test_the_call_of_a_job_that_is_known_to_be_dead_ends_at_once(
    redis: Redis, tenant: Tenant, rooms: FakeRooms, reaper: Reaper
) -> None:
    calls, arrival, other = live_calls(redis), tenant.arrival(), tenant.arrival()
    for one in (arrival, other):
        rooms.open_sip_room(one.room_name)
        await calls.admit(one, "AJ_1")
        await calls.answered(one.call_id, datetime.now(UTC))
    # Another job's death says nothing about this one.
    assert not await calls.forsake(arrival.room_name, "AJ_2")
    assert await reaper.run_once() == 0

    assert await calls.forsake(arrival.room_name, "AJ_1")
    assert await reaper.run_once() == 1
    assert set(rooms.rooms) == {other.room_name}
    ended = next(event for event in await events_of(redis) if event["type"] == "call.ended")
    assert (ended["ended_by"], ended["end_reason"]) == ("system", "worker_lost")
    assert not await calls.forsake(arrival.room_name, "AJ_1")


async def test_a_clock_that_jumps_ahead_is_not_the_end_of_the_calls_that_go_on(
    redis: Redis, tenant: Tenant, rooms: FakeRooms
) -> None:
    now_s = 100.0
    reaper = Reaper(live_calls(redis), rooms, heal_s=6, clock=lambda: now_s)
    calls, goes_on, lost = live_calls(redis), tenant.arrival(), tenant.arrival()
    for arrival in (goes_on, lost):
        await calls.admit(arrival)
        await calls.answered(arrival.call_id, datetime.now(UTC))
    assert await reaper.run_once() == 0
    now_s = 200
    assert await reaper.run_once() == 0
    # To a clock that stands at 190 now, that of Redis has jumped ahead by ten seconds.
    now_s = 190
    for arrival in (goes_on, lost):
        await lapse(redis, tenant, arrival.call_id)
    assert await reaper.run_once() == 0
    await calls.beat(goes_on.call_id)
    now_s = 197
    assert await reaper.run_once() == 1
    found = [await calls.find(arrival.call_id) for arrival in (goes_on, lost)]
    assert [call and call.state for call in found] == [CallState.ACTIVE, CallState.ENDED]


async def test_it_settles_though_livekit_is_down_and_deletes_the_room_later(
    redis: Redis, tenant: Tenant, rooms: FakeRooms, reaper: Reaper
) -> None:
    calls, arrival = live_calls(redis), tenant.arrival()
    rooms.open_sip_room(arrival.room_name)
    await calls.admit(arrival)
    await lapse(redis, tenant, arrival.call_id)
    rooms.unreachable = True
    with pytest.raises(VendorUnavailable):
        await reaper.run_once()
    call = await calls.find(arrival.call_id)
    assert call is not None
    assert call.state is CallState.MISSED
    rooms.unreachable = False
    await reaper.run_once()
    await reaper.run_once()
    assert rooms.rooms == {}


async def test_a_ringing_call_is_missed_when_its_room_is_gone(
    redis: Redis, tenant: Tenant, rooms: FakeRooms, reaper: Reaper
) -> None:
    calls, gone, ringing = live_calls(redis), tenant.arrival(), tenant.arrival()
    rooms.open_sip_room(ringing.room_name)
    await calls.ring(gone)
    await calls.ring(ringing)
    assert await reaper.run_once() == 1
    missed = (await events_of(redis, gone.call_id))[-1]
    assert (missed["type"], missed["end_reason"]) == ("call.missed", "no_worker")
    assert await calls.stale_ringing(0) == [ringing.call_id]


async def test_only_rooms_of_calls_known_to_be_over_are_deleted(
    redis: Redis, tenant: Tenant, rooms: FakeRooms, reaper: Reaper
) -> None:
    calls, over, live = live_calls(redis), tenant.arrival(), tenant.arrival()
    for name in (over.room_name, live.room_name, "call_somebody_elses", "meeting"):
        rooms.open_sip_room(name)
    await calls.admit(live)
    await calls.admit(over)
    await calls.end(over.call_id, CallEnd(EndedBy.AGENT, EndReason.HANG_UP))
    await reaper.run_once()
    assert over.room_name in rooms.rooms
    await reaper.run_once()
    assert set(rooms.rooms) == {live.room_name, "call_somebody_elses", "meeting"}


async def test_a_room_that_cannot_be_deleted_keeps_no_other_from_it(
    redis: Redis, tenant: Tenant, rooms: FakeRooms, reaper: Reaper
) -> None:
    calls, stuck, over = live_calls(redis), tenant.arrival(), tenant.arrival()
    for arrival in (stuck, over):
        rooms.open_sip_room(arrival.room_name)
        await calls.admit(arrival)
        await calls.end(arrival.call_id, CallEnd(EndedBy.AGENT, EndReason.HANG_UP))
    rooms.undeletable.add(stuck.room_name)
    await reaper.run_once()
    for _ in range(2):
        with pytest.raises(VendorUnavailable):
            await reaper.run_once()
    assert set(rooms.rooms) == {stuck.room_name}
    rooms.undeletable.clear()
    await reaper.run_once()
    assert rooms.rooms == {}


async def test_a_web_session_nobody_joined_is_missed_and_free(
    redis: Redis, tenant: Tenant, rooms: FakeRooms, reaper: Reaper
) -> None:
    sessions = VoiceSessions(redis, rooms, settings())
    owner = Principal(tenant.organization_id, tenant.project_id, uuid.uuid4(), "key")
    opened = await sessions.open(owner, tenant.agent_id, "web_1", "web-user")
    assert await reaper.run_once() == 0
    await rooms.delete_room("web_1")
    assert await reaper.run_once() == 1
    missed = (await events_of(redis, opened.call_id))[-1]
    assert (missed["type"], missed["end_reason"]) == ("call.missed", "abandoned")
    assert missed["cost_microcredits"] == 0
    assert await Balances(redis).get(tenant.organization_id) == 1_000_000


async def test_a_caller_whom_no_job_takes_is_not_left_in_silence(
    redis: Redis, tenant: Tenant, rooms: FakeRooms
) -> None:
    calls, waiting, talking = live_calls(redis), tenant.arrival(), tenant.arrival()
    for arrival in (waiting, talking):
        rooms.open_sip_room(arrival.room_name)
        await calls.ring(arrival)
    await calls.admit(talking)
    assert await Reaper(calls, rooms, unanswered_s=0).run_once() == 1
    missed = (await events_of(redis, waiting.call_id))[-1]
    assert (missed["type"], missed["end_reason"]) == ("call.missed", "no_worker")
    assert set(rooms.rooms) == {talking.room_name}


async def test_workers_may_beat_again_before_they_count_as_lost(
    redis: Redis, tenant: Tenant, rooms: FakeRooms
) -> None:
    calls, arrival = live_calls(redis), tenant.arrival()
    await calls.admit(arrival)
    await lapse(redis, tenant, arrival.call_id)
    assert await Reaper(calls, rooms).run_once() == 0
    assert (await calls.beat(arrival.call_id)).known
