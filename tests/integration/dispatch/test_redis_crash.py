"""A Redis that crashes and forgets its last second, which is on record already."""

import shutil
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import select

from dispatch.balances import Balances
from dispatch.calls import Arrival, CallEnd
from dispatch.event_drain import EventDrain
from dispatch.store.engine import Database
from dispatch.store.redis_client import RedisClient, connect_redis
from dispatch.store.repositories import ledger
from dispatch.store.tables import CallEventRow, CallRow
from stack.redis import RedisServer
from telephony.calls import EndedBy, EndReason
from tests.builders.live_calls import Tenant, live_calls, shift_clock

pytestmark = pytest.mark.integration

HANG_UP = CallEnd(EndedBy.CALLER, EndReason.HANG_UP)


class CrashingRedis:
    """A Redis that can lose everything written since a moment of the test's choice."""

    def __init__(self, directory: Path) -> None:
        self._directory, self._kept = directory, directory.with_name("kept")
        self.server = RedisServer(directory)
        self.server.start()

    def note_what_is_on_disk(self) -> None:
        """Take the present state for the one that the disk holds at the crash."""
        self.server.stop()
        shutil.copytree(self._directory, self._kept)
        self.server.start()

    def crash(self) -> None:
        """Fall back to it."""
        self.server.kill()
        shutil.rmtree(self._directory)
        self._kept.rename(self._directory)
        self.server.start()


@pytest.fixture
def crashing(tmp_path: Path) -> Iterator[CrashingRedis]:
    redis = CrashingRedis(tmp_path / "redis")
    yield redis
    redis.server.stop()


@pytest.fixture
async def client(crashing: CrashingRedis) -> AsyncIterator[RedisClient]:
    client = connect_redis(crashing.server.url)
    yield client
    await client.aclose()


@pytest.fixture
async def tenant(client: RedisClient) -> Tenant:
    tenant = Tenant()
    await tenant.publish(client, balance=1_000_000)
    return tenant


async def drain(client: RedisClient, database: Database) -> None:
    while await EventDrain(client, database, wait_s=0).run_once():
        pass


async def keys_on_record(database: Database) -> list[str]:
    query = select(CallEventRow.data["digits"].astext).where(CallEventRow.type == "keys")
    async with database.reading() as db:
        return list(await db.scalars(query.order_by(CallEventRow.seq)))


async def talking(client: RedisClient, tenant: Tenant) -> Arrival:
    arrival = tenant.arrival()
    await live_calls(client).admit(arrival)
    await live_calls(client).answered(arrival.call_id, datetime.now(UTC))
    return arrival


async def test_events_after_the_crash_are_not_mistaken_for_forgotten_ones(
    crashing: CrashingRedis, client: RedisClient, database: Database, tenant: Tenant
) -> None:
    arrival = await talking(client, tenant)
    crashing.note_what_is_on_disk()
    for key in "12":
        await live_calls(client).record_keys(arrival.call_id, key, key, datetime.now(UTC))
    await drain(client, database)
    crashing.crash()
    for key in "34":
        await live_calls(client).record_keys(arrival.call_id, key, key, datetime.now(UTC))
    await drain(client, database)
    assert await keys_on_record(database) == ["1", "2", "3", "4"]


async def test_a_lost_calls_late_events_survive_another_crash(
    crashing: CrashingRedis, client: RedisClient, database: Database, tenant: Tenant
) -> None:
    arrival = await talking(client, tenant)
    await client.flushdb()
    await live_calls(client).end(arrival.call_id, HANG_UP)
    crashing.note_what_is_on_disk()
    for key in "12":
        if key == "2":
            crashing.crash()
        await live_calls(client).record_keys(arrival.call_id, key, key, datetime.now(UTC))
        await drain(client, database)
    assert await keys_on_record(database) == ["1", "2"]


@pytest.mark.parametrize("forgotten", ["extension", "end"])
async def test_money_the_crash_forgot_is_neither_lost_nor_taken_twice(
    crashing: CrashingRedis,
    client: RedisClient,
    database: Database,
    tenant: Tenant,
    forgotten: str,
) -> None:
    calls, arrival = live_calls(client), await talking(client, tenant)
    hung_up_at = datetime.now(UTC)
    await shift_clock(client, arrival.call_id, 50)
    crashing.note_what_is_on_disk()
    if forgotten == "extension":
        await calls.beat(arrival.call_id)
    else:
        await calls.end(arrival.call_id, HANG_UP, hung_up_at)
    await drain(client, database)
    crashing.crash()
    await calls.beat(arrival.call_id)
    await calls.end(arrival.call_id, HANG_UP, hung_up_at)
    await drain(client, database)
    async with database.reading() as db:
        entries = await ledger.list_of_call(db, arrival.call_id)
        call = await db.get_one(CallRow, arrival.call_id)
    assert sum(entry.amount_microcredits for entry in entries) == -(call.cost_microcredits or 0)
    assert [str(entry.kind) for entry in entries].count("charge") == 1
    spent = 1_000_000 - (await Balances(client).get(tenant.organization_id) or 0)
    assert spent == call.cost_microcredits
