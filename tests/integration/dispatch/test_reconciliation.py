"""Calls on record that Redis forgot, on a real Redis and a real Postgres."""

import uuid
from datetime import UTC, datetime

import pytest
from redis.asyncio import Redis

from dispatch.calls import Arrival, CallEnd
from dispatch.event_drain import EventDrain
from dispatch.reconciliation import Reconciliation
from dispatch.store import redis_keys
from dispatch.store.engine import Database
from dispatch.store.tables import CallRow
from telephony.calls import CallState, EndedBy, EndReason
from telephony.errors import VendorUnavailable
from tests.builders.live_calls import Tenant, events_of, live_calls
from tests.fakes.livekit_rooms import FakeRooms

pytestmark = pytest.mark.integration


@pytest.fixture
async def arrival(redis: Redis) -> Arrival:
    """A caller who rings a tenant with credit."""
    tenant = Tenant()
    await tenant.publish(redis, balance=1_000_000)
    return tenant.arrival()


@pytest.fixture
def rooms(arrival: Arrival) -> FakeRooms:
    """LiveKit, where the caller waits."""
    rooms = FakeRooms()
    rooms.open_sip_room(arrival.room_name)
    return rooms


@pytest.fixture
def reconciliation(redis: Redis, database: Database, rooms: FakeRooms) -> Reconciliation:
    return Reconciliation(live_calls(redis), redis, database, rooms, forgotten_for_s=0)


async def drained(redis: Redis, database: Database) -> None:
    drain = EventDrain(redis, database, wait_s=0)
    while await drain.run_once():
        pass


async def recorded(database: Database, arrival: Arrival) -> CallRow:
    async with database.reading() as db:
        return await db.get_one(CallRow, arrival.call_id)


async def talk(redis: Redis, arrival: Arrival) -> None:
    await live_calls(redis).admit(arrival)
    await live_calls(redis).answered(arrival.call_id, datetime.now(UTC))


async def test_a_forgotten_call_ends_at_what_its_ledger_took(
    redis: Redis,
    database: Database,
    arrival: Arrival,
    rooms: FakeRooms,
    reconciliation: Reconciliation,
) -> None:
    await talk(redis, arrival)
    await drained(redis, database)
    await redis.flushdb()
    assert (await reconciliation.run_once()).ended == 1
    assert rooms.rooms == {}
    await drained(redis, database)
    row = await recorded(database, arrival)
    assert (row.state, row.ended_by, row.end_reason) == ("ended", "system", "state_lost")
    assert row.cost_microcredits == 100_000
    assert (await reconciliation.run_once()).ended == 0


async def test_a_forgotten_call_that_only_rang_was_missed(
    redis: Redis, database: Database, arrival: Arrival, reconciliation: Reconciliation
) -> None:
    await live_calls(redis).ring(arrival)
    await drained(redis, database)
    await redis.flushdb()
    await reconciliation.run_once()
    await drained(redis, database)
    row = await recorded(database, arrival)
    assert (row.state, row.end_reason, row.cost_microcredits) == ("missed", "state_lost", 0)


async def test_a_call_that_redis_knows_is_left_alone(
    redis: Redis, database: Database, arrival: Arrival, reconciliation: Reconciliation
) -> None:
    await talk(redis, arrival)
    await drained(redis, database)
    assert (await reconciliation.run_once()).ended == 0
    assert (await recorded(database, arrival)).state == "active"


async def test_a_worker_has_time_to_end_its_call_itself(
    redis: Redis, database: Database, arrival: Arrival, rooms: FakeRooms
) -> None:
    await talk(redis, arrival)
    await drained(redis, database)
    await redis.flushdb()
    found = await Reconciliation(live_calls(redis), redis, database, rooms).run_once()
    assert (found.ended, found.forgotten) == (0, 1)


async def test_nothing_is_concluded_while_old_events_wait(
    redis: Redis, database: Database, arrival: Arrival, reconciliation: Reconciliation
) -> None:
    await talk(redis, arrival)
    await drained(redis, database)
    await redis.flushdb()
    await redis.xadd(redis_keys.EVENTS, {"call_id": str(arrival.call_id)}, id="1-1")
    assert (await reconciliation.run_once()).ended == 0


async def test_it_ends_the_call_when_livekit_is_back(
    redis: Redis,
    database: Database,
    arrival: Arrival,
    rooms: FakeRooms,
    reconciliation: Reconciliation,
) -> None:
    await talk(redis, arrival)
    await drained(redis, database)
    await redis.flushdb()
    rooms.unreachable = True
    with pytest.raises(VendorUnavailable):
        await reconciliation.run_once()
    rooms.unreachable = False
    assert (await reconciliation.run_once()).ended == 1


async def test_a_room_that_cannot_be_deleted_keeps_no_other_call_open(
    redis: Redis, database: Database, rooms: FakeRooms, reconciliation: Reconciliation
) -> None:
    tenant = Tenant()
    await tenant.publish(redis, balance=1_000_000)
    # By id, as they are found, so that the first one is in the way.
    first, second = sorted((tenant.arrival(), tenant.arrival()), key=lambda each: each.call_id)
    for each in (first, second):
        rooms.open_sip_room(each.room_name)
        await talk(redis, each)
    await drained(redis, database)
    await redis.flushdb()
    rooms.undeletable.add(first.room_name)
    for _ in range(2):
        with pytest.raises(VendorUnavailable):
            await reconciliation.run_once()
    await drained(redis, database)
    assert (await recorded(database, first)).ended_at is None
    assert (await recorded(database, second)).end_reason == "state_lost"
    rooms.undeletable.clear()
    await reconciliation.run_once()
    await drained(redis, database)
    assert (await recorded(database, first)).end_reason == "state_lost"


async def test_a_call_whose_state_was_lost_is_put_on_record(redis: Redis) -> None:
    call_id = uuid.uuid4()
    settlement = await live_calls(redis).end(call_id, CallEnd(EndedBy.SYSTEM, EndReason.STATE_LOST))
    assert settlement.state is CallState.ENDED
    [event] = await events_of(redis, call_id)
    assert (event["type"], event["state_lost"]) == ("call.ended", True)
