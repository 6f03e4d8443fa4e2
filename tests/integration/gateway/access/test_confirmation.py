"""A key that was seen before is believed only as far as Redis still says so, in one script."""

from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

import httpx
import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from dispatch.settings import DispatchSettings
from dispatch.store import redis_keys
from dispatch.store.engine import Database
from dispatch.store.redis_client import RedisClient, connect_redis
from tests.integration.gateway.serving import Gateway, Tenant, error_of, serving

pytestmark = pytest.mark.integration

LIMIT = 5


class Caller:
    """Opens sessions with a key that the gateway has seen before."""

    def __init__(self, tenant: Tenant, agent_id: str) -> None:
        self.tenant = tenant
        self.agent_id = agent_id

    async def open(self, **fields: Any) -> httpx.Response:
        body = {"agentId": self.agent_id, **fields}
        return await self.tenant.http.post("/v1/voice/sessions", json=body)


@pytest.fixture
async def caller(gateway: Gateway) -> Caller:
    tenant = await gateway.tenant(credits_microcredits=5_000_000)
    caller = Caller(tenant, (await tenant.agent())["id"])
    assert (await caller.open()).status_code == 201
    gateway.rooms.calls.clear()
    return caller


async def sessions_of(redis: RedisClient) -> int:
    return len([name async for name in redis.scan_iter(redis_keys.voice_session("*"))])


async def test_a_key_that_is_revoked_opens_nothing_any_more(
    gateway: Gateway, redis: RedisClient, caller: Caller
):
    await gateway.admin.post(f"/admin/v1/keys/{caller.tenant.key_id}/revoke")
    answer = await caller.open()
    assert error_of(answer)[:2] == (401, "UNAUTHORIZED")
    assert "x-ratelimit-limit" not in answer.headers
    assert (gateway.rooms.calls, await sessions_of(redis)) == ([], 1)


async def test_a_key_revoked_at_another_gateway_opens_nothing_here(
    gateway: Gateway,
    database: Database,
    redis: RedisClient,
    dispatch_settings: DispatchSettings,
    caller: Caller,
):
    async with serving(database, redis, dispatch_settings) as second:
        await second.admin.post(f"/admin/v1/keys/{caller.tenant.key_id}/revoke")
    assert (await caller.open()).status_code == 401
    assert (gateway.rooms.calls, await sessions_of(redis)) == ([], 1)


async def test_a_key_that_lost_its_scope_opens_nothing_and_gains_it_back(
    gateway: Gateway, redis: RedisClient, caller: Caller
):
    at = f"/admin/v1/keys/{caller.tenant.key_id}"
    await gateway.admin.patch(at, json={"scopes": ["agents:read"]})
    assert (await caller.open()).status_code == 403
    assert (gateway.rooms.calls, await sessions_of(redis)) == ([], 1)
    await gateway.admin.patch(at, json={"scopes": None})
    assert (await caller.open()).status_code == 201


async def test_a_key_that_expired_meanwhile_opens_nothing(
    gateway: Gateway, caller: Caller, monkeypatch: pytest.MonkeyPatch
):
    class InTwoHours(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> "InTwoHours":
            return super().now(tz) + timedelta(hours=2)

    at = f"/admin/v1/keys/{caller.tenant.key_id}"
    soon = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    changed = await gateway.admin.patch(at, json={"expiresAt": soon})
    assert changed.status_code == 200, changed.text
    assert (await caller.open()).status_code == 201
    gateway.rooms.calls.clear()
    monkeypatch.setattr("dispatch.access.authentication.datetime", InTwoHours)
    assert (await caller.open()).status_code == 401
    assert gateway.rooms.calls == []


async def test_a_key_that_redis_forgot_is_asked_for_in_postgres(
    gateway: Gateway, redis: RedisClient, caller: Caller
):
    forgotten = [name async for name in redis.scan_iter(redis_keys.credential("*"))]
    assert forgotten
    await redis.delete(*forgotten)
    assert (await caller.open()).status_code == 201
    assert gateway.rooms.calls == ["create_room"]


async def test_no_more_sessions_are_opened_than_the_limit_allows(
    gateway: Gateway, redis: RedisClient, caller: Caller
):
    at = f"/admin/v1/organizations/{caller.tenant.organization_id}/limits"
    await gateway.admin.put(at, json={"limits": {"agntix": LIMIT}})
    # One was opened already, and counts.
    answers = [await caller.open() for _ in range(LIMIT)]
    assert [answer.status_code for answer in answers] == [201] * (LIMIT - 1) + [429]
    left = [answer.headers["x-ratelimit-remaining"] for answer in answers]
    assert left == ["3", "2", "1", "0", "0"]
    assert error_of(answers[-1]) == (429, "RATE_LIMITED", "Rate limit exceeded")
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 61
    assert gateway.rooms.calls == ["create_room"] * (LIMIT - 1)
    assert await sessions_of(redis) == LIMIT


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{not json", 400),
        (b'{"agentId": 1}', 400),
        (b'{"agentId": "5b710eca-4a0e-4b52-9c53-3b2f6f0f8d11"}', 404),
        (b'{"agentId": "\\u0000"}', 400),
    ],
)
async def test_a_request_that_is_refused_is_counted_once_and_answered_only_to_whom_it_may(
    gateway: Gateway, caller: Caller, body: bytes, status: int
):
    http, path = caller.tenant.http, "/v1/voice/sessions"
    before = int((await caller.open()).headers["x-ratelimit-remaining"])
    answer = await http.post(path, content=body)
    assert answer.status_code == status
    assert int(answer.headers["x-ratelimit-remaining"]) == before - 1
    await gateway.admin.post(f"/admin/v1/keys/{caller.tenant.key_id}/revoke")
    assert (await http.post(path, content=body)).status_code == 401


async def test_whoever_cannot_pay_is_told_so_and_how_often_they_may_ask(
    gateway: Gateway, redis: RedisClient, caller: Caller
):
    await redis.set(redis_keys.balance(caller.tenant.organization_id), 1)
    answer = await caller.open()
    assert error_of(answer)[0] == 402
    assert "x-ratelimit-remaining" in answer.headers
    assert (gateway.rooms.calls, await sessions_of(redis)) == ([], 1)


async def test_nothing_is_opened_while_nobody_can_confirm(
    database: Database,
    redis: RedisClient,
    redis_url: str,
    dispatch_settings: DispatchSettings,
    monkeypatch: pytest.MonkeyPatch,
):
    async def broken() -> None:
        raise RedisConnectionError

    connected = connect_redis(redis_url)
    async with serving(database, connected, dispatch_settings) as gateway:
        tenant = await gateway.tenant(credits_microcredits=5_000_000)
        caller = Caller(tenant, (await tenant.agent())["id"])
        monkeypatch.setattr(connected.connection_pool, "get_connection", broken)
        answer = await caller.open()
    await connected.aclose()
    assert error_of(answer)[:2] == (503, "UNAVAILABLE")
    assert (gateway.rooms.calls, await sessions_of(redis)) == ([], 0)
