"""Calls nobody ends, on a real Redis and fake rooms."""

from datetime import UTC, datetime

import pytest
from redis.asyncio import Redis

from dispatch.calls import CallEnd
from dispatch.reaper import Reaper
from telephony.calls import CallState, EndedBy, EndReason
from telephony.errors import VendorUnavailable
from tests.builders.live_calls import Tenant, events_of, lapse, live_calls
from tests.fakes.livekit_rooms import FakeRooms

pytestmark = pytest.mark.integration


@pytest.fixture
async def tenant(redis: Redis) -> Tenant:
    tenant = Tenant()
    await tenant.publish(redis, balance=1_000_000)
    return tenant


@pytest.fixture
def rooms() -> FakeRooms:
    return FakeRooms()


@pytest.fixture
def reaper(redis: Redis, rooms: FakeRooms) -> Reaper:
    return Reaper(live_calls(redis), rooms, sweep_interval_s=0, stale_ringing_s=0)


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
