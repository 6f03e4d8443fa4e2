"""Worker presence and balances in Redis."""

import asyncio
import uuid

import pytest
from redis.asyncio import Redis

from dispatch.balances import Balances
from dispatch.errors import StoreUnavailable
from dispatch.store import redis_keys
from dispatch.store.redis_client import connect_redis
from dispatch.workers import WorkerPresence, WorkerReport

pytestmark = pytest.mark.integration


class TestWorkers:
    async def test_lists_who_reported(self, redis: Redis) -> None:
        presence = WorkerPresence(redis)
        await presence.report("b", 1, 25)
        await presence.report("a", 0, 10)
        await presence.report("b", 2, 25)
        assert await presence.list() == [WorkerReport("a", 0, 10), WorkerReport("b", 2, 25)]

    async def test_forgets_who_left_or_fell_silent(self, redis: Redis) -> None:
        presence = WorkerPresence(redis)
        for name in ("here", "gone", "silent"):
            await presence.report(name, 0, 1)
        await presence.leave("gone")
        await redis.zadd(redis_keys.WORKERS, {"silent": 1})
        assert [worker.worker_id for worker in await presence.list()] == ["here"]


class TestBalances:
    async def test_a_top_up_counts_once(self, redis: Redis) -> None:
        balances, organization_id = Balances(redis), uuid.uuid4()
        assert await balances.restore(organization_id, 5)
        answers = await asyncio.gather(
            *(balances.apply_top_up(organization_id, "op", 100) for _ in range(10))
        )
        assert answers == [105] * 10

    async def test_an_unknown_balance_takes_no_top_up(self, redis: Redis) -> None:
        balances, organization_id = Balances(redis), uuid.uuid4()
        assert await balances.apply_top_up(organization_id, "op", 100) is None
        assert await balances.get(organization_id) is None

    async def test_a_restored_sum_counts_its_top_ups(self, redis: Redis) -> None:
        balances, organization_id = Balances(redis), uuid.uuid4()
        assert await balances.restore(organization_id, 100, ["op"])
        assert await balances.apply_top_up(organization_id, "op", 100) == 100

    async def test_a_known_balance_is_not_restored(self, redis: Redis) -> None:
        balances, organization_id = Balances(redis), uuid.uuid4()
        await balances.restore(organization_id, 100)
        assert not await balances.restore(organization_id, 7, ["op"])
        assert await balances.apply_top_up(organization_id, "op", 1) == 101

    async def test_large_amounts_stay_exact(self, redis: Redis) -> None:
        balances, organization_id = Balances(redis), uuid.uuid4()
        await balances.restore(organization_id, 8_000_000_000_000_001)
        assert await balances.apply_top_up(organization_id, "op", 1) == 8_000_000_000_000_002

    async def test_says_when_redis_is_down(self) -> None:
        redis = connect_redis("redis://127.0.0.1:1/0")
        with pytest.raises(StoreUnavailable):
            await Balances(redis).get(uuid.uuid4())
        await redis.aclose()
