"""Too many requests, in the words of each API; and what a gateway does when nobody can count."""

import asyncio
import time
from typing import Any

import httpx
import pytest

from dispatch.settings import DispatchSettings
from dispatch.store.engine import Database
from dispatch.store.redis_client import RedisClient, connect_redis
from tests.integration.gateway.serving import Gateway, Tenant, error_of, serving

pytestmark = pytest.mark.integration

LIMIT = 5
PATHS = {
    "native": "/v1/agents",
    "agntix": "/v1/chat/phone-numbers",
    "voxai": "/api/v1/agents",
}


async def limited(gateway: Gateway, api: str, **fields: Any) -> Tenant:
    """Create a tenant who may ask five times a minute."""
    tenant = await gateway.tenant(**fields)
    at = f"/admin/v1/organizations/{tenant.organization_id}/limits"
    answer = await gateway.admin.put(at, json={"limits": {api: LIMIT}})
    assert answer.status_code == 200, answer.text
    return tenant


async def refused(tenant: Tenant, path: str) -> httpx.Response:
    answers = await asyncio.gather(*(tenant.http.get(path) for _ in range(LIMIT + 1)))
    (last,) = [answer for answer in answers if answer.status_code == 429]
    return last


def check_headers(answer: httpx.Response) -> None:
    assert answer.headers["x-ratelimit-limit"] == str(LIMIT)
    assert answer.headers["x-ratelimit-remaining"] == "0"
    assert 30 <= int(answer.headers["retry-after"]) <= 61
    assert 30 <= int(answer.headers["x-ratelimit-reset"]) - time.time() <= 62


@pytest.mark.parametrize("api", ["native", "agntix"])
async def test_agntix_and_we_say_it_in_an_envelope(gateway: Gateway, api: str):
    tenant = await limited(gateway, api)
    answer = await refused(tenant, PATHS[api])
    assert error_of(answer) == (429, "RATE_LIMITED", "Rate limit exceeded")
    check_headers(answer)


async def test_voxai_says_it_flat(gateway: Gateway):
    tenant = await limited(gateway, "voxai")
    answer = await refused(tenant, PATHS["voxai"])
    check_headers(answer)
    assert answer.json() == {
        "error": "Rate limit exceeded",
        "code": "RATE_LIMITED",
        "limit": LIMIT,
        "remaining": 0,
        "retry_after": int(answer.headers["retry-after"]),
    }


async def test_talkifai_says_it_in_its_detail(gateway: Gateway):
    tenant = await limited(gateway, "talkifai", prefix="tk")
    body = {"agent_id": "5b710eca-4a0e-4b52-9c53-3b2f6f0f8d11"}
    answers = [
        await tenant.http.post("/v1/chat/voice-sessions", json=body) for _ in range(LIMIT + 1)
    ]
    assert [answer.status_code for answer in answers] == [404] * LIMIT + [429]
    assert answers[-1].json() == {"detail": "Rate limit exceeded"}
    check_headers(answers[-1])


async def test_every_answer_says_how_often_one_may_ask_errors_too(gateway: Gateway):
    tenant = await limited(gateway, "native")
    answers = [
        await tenant.http.get(f"/v1/agents{rest}")
        for rest in ("", "/nonsense", "?limit=x", "?unknown=1")
    ]
    assert [answer.status_code for answer in answers] == [200, 404, 400, 400]
    assert [answer.headers["x-ratelimit-remaining"] for answer in answers] == ["4", "3", "2", "1"]


async def test_keys_of_one_organisation_share_agntixs_limit_and_have_their_own_of_voxai(
    gateway: Gateway,
):
    first = await limited(gateway, "agntix")
    at = f"/admin/v1/organizations/{first.organization_id}/limits"
    await gateway.admin.put(at, json={"limits": {"agntix": LIMIT, "voxai": LIMIT}})
    second = await gateway.tenant(organization_id=first.organization_id)
    left = [
        (await tenant.http.get(PATHS[api])).headers["x-ratelimit-remaining"]
        for api in ("agntix", "voxai")
        for tenant in (first, second)
    ]
    assert left == ["4", "3", "4", "4"]


async def test_a_stranger_is_not_counted(gateway: Gateway):
    answer = await gateway.http.get("/v1/agents", headers={"x-api-key": "pk_live_x"})
    assert answer.status_code == 401
    assert "x-ratelimit-limit" not in answer.headers


async def test_two_gateways_count_together_and_exactly(
    gateway: Gateway, database: Database, redis: RedisClient, dispatch_settings: DispatchSettings
):
    tenant = await gateway.tenant()
    at = f"/admin/v1/keys/{tenant.key_id}/limits"
    await gateway.admin.put(at, json={"limits": {"native": 20}})
    async with serving(database, redis, dispatch_settings) as second:
        headers = {"x-api-key": tenant.key}
        asked = [
            each.http.get("/v1/agents?limit=1", headers=headers)
            for _ in range(15)
            for each in (gateway, second)
        ]
        codes = [answer.status_code for answer in await asyncio.gather(*asked)]
    assert (codes.count(200), codes.count(429)) == (20, 10)


async def test_a_key_revoked_at_one_gateway_is_refused_at_the_other(
    gateway: Gateway, database: Database, redis: RedisClient, dispatch_settings: DispatchSettings
):
    tenant = await gateway.tenant()
    async with serving(database, redis, dispatch_settings) as second:
        headers = {"x-api-key": tenant.key}
        for _ in range(3):
            assert (await second.http.get("/v1/agents", headers=headers)).status_code == 200
        await gateway.admin.post(f"/admin/v1/keys/{tenant.key_id}/revoke")
        assert (await second.http.get("/v1/agents", headers=headers)).status_code == 401


async def test_reading_goes_on_and_spending_does_not_while_nobody_counts(
    gateway: Gateway, gateway_without_redis: Gateway
):
    tenant = await gateway.tenant(credits_microcredits=1_000_000)
    agent = await tenant.agent()
    headers = {"x-api-key": tenant.key}
    http = gateway_without_redis.http
    assert (await http.get("/v1/agents", headers=headers)).status_code == 200
    opened = await http.post("/v1/voice/sessions", json={"agentId": agent["id"]}, headers=headers)
    assert error_of(opened)[:2] == (503, "UNAVAILABLE")


async def scripts_run(url: str) -> int:
    """Return how many scripts Redis ran: nothing on these paths asks it anything else."""
    watching = connect_redis(url)
    calls: int = (await watching.info("commandstats"))["cmdstat_evalsha"]["calls"]
    await watching.aclose()
    return calls


async def test_who_asks_and_how_often_costs_one_round_trip(gateway: Gateway, redis_url: str):
    tenant = await gateway.tenant()
    await tenant.http.get("/v1/agents")
    before = await scripts_run(redis_url)
    for _ in range(10):
        await tenant.http.get("/v1/agents")
    assert await scripts_run(redis_url) - before == 10


@pytest.mark.parametrize("path", ["/v1/voice/sessions", "/v1/chat/voice-sessions"])
async def test_opening_a_voice_session_costs_one_more_only_for_keys_not_seen_before(
    gateway: Gateway, redis_url: str, path: str
):
    tenant = await gateway.tenant(credits_microcredits=5_000_000)
    agent_id = (await tenant.agent())["id"]
    body = {"agentId" if path == "/v1/voice/sessions" else "agent_id": agent_id}
    key = await tenant.key_with(gateway.admin, "voice:write")
    assert (await gateway.http.post(path, json=body, headers=key)).is_success
    for _ in range(3):
        before = await scripts_run(redis_url)
        assert (await gateway.http.post(path, json=body, headers=key)).is_success
        assert await scripts_run(redis_url) - before == 1
    # Of a page it must be known whether it may use the key at all.
    assert (
        await gateway.http.post(path, json=body, headers=key | {"origin": "https://x.example"})
    ).is_success
    assert await scripts_run(redis_url) - before == 3
