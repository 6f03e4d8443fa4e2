"""Sliding windows on a real Redis."""

import asyncio
import time

import pytest

from dispatch.access.rate_limits import RateLimits
from dispatch.errors import RateLimited, StoreUnavailable
from dispatch.store.credential_cache import CredentialCache
from dispatch.store.redis_client import RedisClient

pytestmark = pytest.mark.integration

SLOT_MS = 250


async def taken(limits: RateLimits, times: int, per_minute: int) -> int:
    """Ask so many times at once; return how often it was allowed."""
    asked = (limits.take("thing", per_minute) for _ in range(times))
    answers = await asyncio.gather(*asked, return_exceptions=True)
    refused = [answer for answer in answers if isinstance(answer, RateLimited)]
    assert len(refused) + sum(not isinstance(answer, Exception) for answer in answers) == times
    return times - len(refused)


async def age(redis: RedisClient, by_ms: int) -> None:
    """Make every request of the window older."""
    (name,) = await redis.keys("dp:rate:*")
    slots = by_ms // SLOT_MS
    fields = await redis.hgetall(name)
    moved = {
        (field if field in {"n", "from"} else str(int(field) - slots)): (
            str(int(value) - slots) if field == "from" else value
        )
        for field, value in fields.items()
    }
    await redis.delete(name)
    await redis.hset(name, mapping=moved)


@pytest.mark.parametrize(("times", "limit"), [(50, 20), (20, 20), (300, 299)])
async def test_at_once_exactly_as_many_are_allowed_as_the_limit_says(
    redis: RedisClient, redis_url: str, times: int, limit: int
):
    assert await taken(RateLimits(CredentialCache(redis)), times, limit) == min(times, limit)


async def test_two_processes_share_one_window(redis: RedisClient, dead_redis: RedisClient):
    first, second = (RateLimits(CredentialCache(redis)) for _ in range(2))
    allowed = await asyncio.gather(taken(first, 30, 40), taken(second, 30, 40))
    assert sum(allowed) == 40


async def test_the_state_says_what_is_left(redis: RedisClient):
    limits = RateLimits(CredentialCache(redis))
    left = [(await limits.take("thing", 3)).remaining for _ in range(3)]
    assert left == [2, 1, 0]
    with pytest.raises(RateLimited) as refused:
        await limits.take("thing", 3)
    assert refused.value.limit == 3
    assert 30 <= refused.value.retry_after_s <= 61


async def test_requests_count_for_a_minute_and_no_longer(redis: RedisClient):
    limits = RateLimits(CredentialCache(redis))
    assert await taken(limits, 3, 3) == 3
    # Short of a minute by as much as a busy machine may take until the next request.
    await age(redis, 30_000)
    assert await taken(limits, 1, 3) == 0
    await age(redis, 30_500)
    assert await taken(limits, 5, 3) == 3


async def test_the_window_slides(redis: RedisClient):
    limits = RateLimits(CredentialCache(redis))
    assert await taken(limits, 2, 3) == 2
    await age(redis, 30_000)
    assert await taken(limits, 2, 3) == 1
    await age(redis, 31_000)
    assert await taken(limits, 5, 3) == 2


async def test_a_refused_request_is_not_counted(redis: RedisClient):
    limits = RateLimits(CredentialCache(redis))
    assert await taken(limits, 100, 3) == 3
    await age(redis, 61_000)
    assert await taken(limits, 3, 3) == 3


async def test_a_wait_as_told_is_enough_and_not_much_too_long(redis: RedisClient):
    limits = RateLimits(CredentialCache(redis))
    await taken(limits, 3, 3)
    await age(redis, 30_000)
    with pytest.raises(RateLimited) as refused:
        await limits.take("thing", 3)
    wait_s = refused.value.retry_after_s
    assert wait_s <= 32
    await age(redis, wait_s * 1_000)
    assert (await limits.take("thing", 3)).is_allowed


async def test_a_clock_that_was_set_back_leaves_nothing_counted_for_ever(redis: RedisClient):
    limits = RateLimits(CredentialCache(redis))
    assert await taken(limits, 1, 3) == 1
    await age(redis, -2_000)
    assert await taken(limits, 4, 3) == 2
    await age(redis, 61_000)
    assert await taken(limits, 4, 3) == 3


async def test_a_window_nobody_uses_is_forgotten(redis: RedisClient):
    await RateLimits(CredentialCache(redis)).take("thing", 3)
    (name,) = await redis.keys("dp:rate:*")
    assert 30_000 < await redis.pttl(name) <= 61_000


async def test_a_busy_window_stays_small(redis: RedisClient):
    limits = RateLimits(CredentialCache(redis))
    began = time.monotonic()
    for _ in range(5):
        await taken(limits, 100, 1_000)
    slots = (time.monotonic() - began) * 1_000 / SLOT_MS
    (name,) = await redis.keys("dp:rate:*")
    assert await redis.hlen(name) <= slots + 4


async def test_nobody_is_let_through_uncounted(dead_redis: RedisClient):
    with pytest.raises(StoreUnavailable):
        await RateLimits(CredentialCache(dead_redis)).take("thing", 3)
