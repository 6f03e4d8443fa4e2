"""A repeated request is carried out once, whatever dies in between."""

import asyncio
from datetime import timedelta

import pytest
from pydantic import SecretStr

from dispatch.access.idempotency import Attempt, Idempotency, RepeatableRequest
from dispatch.errors import KeyReused, StillRunning, StoreUnavailable
from dispatch.store.redis_client import RedisClient
from dispatch.store.request_claims import RequestClaims

pytestmark = pytest.mark.integration

PEPPER = SecretStr("pepper-of-the-tests")
LEASE_S = 9
"""Extended when a third is over: what is left must outlast the pauses of a busy machine."""
REQUEST = RepeatableRequest("tenant", "pk_live_1", "order-1", b"POST /v1/agents\n{}")


def over(redis: RedisClient, lease_s: float = 60) -> Idempotency:
    return Idempotency(RequestClaims(redis), PEPPER, timedelta(seconds=lease_s))


async def begun(idempotency: Idempotency, request: RepeatableRequest = REQUEST) -> Attempt:
    attempt = await idempotency.begin(request)
    assert isinstance(attempt, Attempt)
    return attempt


def other(**changes: object) -> RepeatableRequest:
    fields = {name: getattr(REQUEST, name) for name in ("tenant", "credential", "key", "content")}
    return RepeatableRequest(**(fields | changes))


async def test_a_repetition_gets_the_first_answer(redis: RedisClient):
    idempotency = over(redis)
    await idempotency.keep(await begun(idempotency), b"made")
    assert await over(redis).begin(REQUEST) == b"made"


async def test_another_request_with_the_same_key_is_refused(redis: RedisClient):
    idempotency = over(redis)
    attempt = await begun(idempotency)
    with pytest.raises(KeyReused):
        await idempotency.begin(other(content=b"POST /v1/agents\n{1}"))
    await idempotency.keep(attempt, b"made")
    with pytest.raises(KeyReused):
        await idempotency.begin(other(content=b"POST /v1/agents\n{1}"))


async def test_keys_of_two_tenants_have_nothing_to_do_with_each_other(redis: RedisClient):
    idempotency = over(redis)
    first = await begun(idempotency)
    second = await begun(idempotency, other(tenant="another"))
    assert first.new_id != second.new_id
    assert first.seed != second.seed


async def test_of_many_at_once_one_is_carried_out(redis: RedisClient):
    idempotency = over(redis)
    attempts = await asyncio.gather(
        *(idempotency.begin(REQUEST) for _ in range(10)), return_exceptions=True
    )
    assert sum(isinstance(attempt, Attempt) for attempt in attempts) == 1
    waits = [each.retry_after_s for each in attempts if isinstance(each, StillRunning)]
    assert len(waits) == 9
    assert all(1 <= wait <= 60 for wait in waits)


async def test_after_a_crash_the_repetition_has_the_same_ids_and_secrets(redis: RedisClient):
    crashed = await begun(over(redis, lease_s=0.02))
    idempotency = over(redis)
    async with asyncio.timeout(30):
        while True:
            try:
                again = await begun(idempotency)
                break
            except StillRunning:
                await asyncio.sleep(0.005)
    assert (again.new_id, again.seed) == (crashed.new_id, crashed.seed)
    await idempotency.keep(again, b"made")
    assert await idempotency.begin(REQUEST) == b"made"


async def test_work_that_takes_longer_than_the_lease_is_not_begun_twice(redis: RedisClient):
    idempotency = over(redis, lease_s=LEASE_S)
    attempt = await begun(idempotency)
    (name,) = await redis.keys("dp:idempotency:*")
    lapses = set[str]()
    async with idempotency.held(attempt), asyncio.timeout(60):
        # Asked again and again until the claim was extended, and extended again.
        while len(lapses) < 3:
            lapses.add(await redis.hget(name, "until_ms"))
            with pytest.raises(StillRunning):
                await idempotency.begin(REQUEST)
            await asyncio.sleep(0.02)
    await idempotency.keep(attempt, b"transferred")
    assert await idempotency.begin(REQUEST) == b"transferred"


async def test_a_claim_whose_holder_died_lapses(redis: RedisClient):
    idempotency = over(redis, lease_s=0.1)
    attempt = await begun(idempotency)

    async def work() -> None:
        async with idempotency.held(attempt):
            await asyncio.Event().wait()

    at_work = asyncio.create_task(work())
    await asyncio.sleep(0)
    at_work.cancel()
    await asyncio.gather(at_work, return_exceptions=True)
    async with asyncio.timeout(30):
        while isinstance(again := await _tried(idempotency), StillRunning):
            await asyncio.sleep(0.005)
    assert isinstance(again, Attempt)
    assert again.new_id == attempt.new_id


async def test_a_claim_that_became_anothers_is_not_taken_back(redis: RedisClient):
    slow = await begun(over(redis, lease_s=0.001))
    idempotency = over(redis)
    async with asyncio.timeout(30):
        while isinstance(quick := await _tried(idempotency), StillRunning):
            await asyncio.sleep(0.005)
    assert isinstance(quick, Attempt)
    claims = RequestClaims(redis)
    assert not await claims.extend(slow.digest, slow.owner, timedelta(seconds=60))
    await idempotency.give_up(quick)
    assert isinstance(await _tried(idempotency), Attempt)


async def test_a_redis_that_forgot_everything_changes_no_id(redis: RedisClient):
    before = await begun(over(redis))
    await redis.flushdb()
    after = await begun(over(redis))
    assert (after.new_id, after.seed) == (before.new_id, before.seed)


async def test_who_comes_late_does_not_replace_the_answer(redis: RedisClient):
    slow = await begun(over(redis, lease_s=0.001))
    idempotency = over(redis)
    async with asyncio.timeout(30):
        while isinstance(quick := await _tried(idempotency), StillRunning):
            await asyncio.sleep(0.005)
    assert isinstance(quick, Attempt)
    await idempotency.keep(quick, b"quick")
    await over(redis).keep(slow, b"slow")
    assert await idempotency.begin(REQUEST) == b"quick"


async def _tried(idempotency: Idempotency) -> Attempt | bytes | StillRunning:
    try:
        return await idempotency.begin(REQUEST)
    except StillRunning as exc:
        return exc


async def test_what_failed_may_be_tried_again_at_once(redis: RedisClient):
    idempotency = over(redis)
    failed = await begun(idempotency)
    await idempotency.give_up(failed)
    again = await begun(idempotency)
    assert again.new_id == failed.new_id


async def test_an_answer_in_redis_is_of_no_use_to_who_has_only_redis(redis: RedisClient):
    idempotency = over(redis)
    await idempotency.keep(await begun(idempotency), b"pk_live_secret")
    (name,) = await redis.keys("dp:idempotency:*")
    kept = repr(name) + repr(await redis.hgetall(name))
    assert "pk_live" not in kept
    assert "order-1" not in kept
    with pytest.raises(KeyReused):
        await idempotency.begin(other(credential="pk_live_2"))


async def test_an_answer_is_kept_for_a_day(redis: RedisClient):
    idempotency = over(redis)
    await idempotency.keep(await begun(idempotency), b"made")
    (name,) = await redis.keys("dp:idempotency:*")
    assert 86_300 < await redis.ttl(name) <= 86_400


async def test_an_answer_too_long_to_keep_is_worked_out_again(redis: RedisClient):
    idempotency = over(redis)
    first = await begun(idempotency)
    await idempotency.keep(first, b"x" * 300_000)
    assert (await begun(idempotency)).new_id == first.new_id


async def test_without_redis_nothing_is_begun(dead_redis: RedisClient):
    with pytest.raises(StoreUnavailable):
        await over(dead_redis).begin(REQUEST)


async def test_a_claim_whose_answer_was_lost_and_is_asked_for_again_is_still_a_claim(
    redis: RedisClient,
):
    claims = RequestClaims(redis)
    for owner, kind in (("one", "claimed"), ("one", "claimed"), ("other", "running")):
        claim = await claims.claim("digest", "fingerprint", owner, timedelta(seconds=60))
        assert claim.kind == kind
