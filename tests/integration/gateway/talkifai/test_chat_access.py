"""Who may chat, from which pages, and how often."""

import uuid
from typing import Any

import httpx
import jwt
import pytest
from pydantic import SecretStr

from gateway.session_tokens import SessionTokens
from tests.integration.gateway.serving import Gateway, Tenant

pytestmark = pytest.mark.integration

CREDITS = 5_000_000
SESSIONS = "/v1/chat/sessions"
PAGE = "https://www.example.com"
ELSEWHERE = "https://elsewhere.example"


async def text_agent(tenant: Tenant) -> str:
    agent_id: str = (await tenant.agent(voiceEnabled=False))["id"]
    return agent_id


async def key_of(gateway: Gateway, tenant: Tenant, **fields: Any) -> tuple[str, str]:
    """Make another key of a project; return its id and itself."""
    answer = await gateway.admin.post(
        f"/admin/v1/projects/{tenant.project_id}/keys", json={"name": "another", **fields}
    )
    assert answer.status_code == 201, answer.text
    return answer.json()["id"], answer.json()["key"]


async def opened_by(gateway: Gateway, key: str, agent_id: str, **headers: str) -> httpx.Response:
    return await gateway.http.post(
        SESSIONS, json={"agent_id": agent_id}, headers={"X-API-Key": key} | headers
    )


def as_guest(opened: httpx.Response) -> tuple[str, dict[str, str]]:
    """Return the path of a session and the headers that open it."""
    assert opened.status_code == 200, opened.text
    body = opened.json()
    path = f"{SESSIONS}/{body['conversation_id']}/messages"
    return path, {"Authorization": f"Bearer {body['session_token']}"}


@pytest.fixture
async def tenant(gateway: Gateway) -> Tenant:
    return await gateway.tenant(credits_microcredits=CREDITS, prefix="tk")


class TestKeys:
    async def test_what_a_revoked_key_has_opened_ends_with_it(
        self, gateway: Gateway, tenant: Tenant
    ):
        key_id, key = await key_of(gateway, tenant)
        path, headers = as_guest(await opened_by(gateway, key, await text_agent(tenant)))
        assert (await gateway.http.get(path, headers=headers)).status_code == 200
        await gateway.admin.delete(f"/admin/v1/keys/{key_id}")
        answer = await gateway.http.get(path, headers=headers)
        assert (answer.status_code, answer.content) == (401, b'{"detail":"Invalid token"}')

    async def test_403_a_key_without_the_scope(self, gateway: Gateway, tenant: Tenant):
        _, key = await key_of(gateway, tenant, scopes=["agents:read"])
        answer = await opened_by(gateway, key, await text_agent(tenant))
        assert (answer.status_code, answer.content) == (
            403,
            b'{"detail":"This key lacks the scope chat:write."}',
        )

    async def test_a_session_opened_twice_with_one_idempotency_key_is_one(
        self, gateway: Gateway, tenant: Tenant
    ):
        agent_id = await text_agent(tenant)
        answers = [
            await opened_by(gateway, tenant.key, agent_id, **{"Idempotency-Key": "visitor-1"})
            for _ in range(2)
        ]
        assert answers[0].json() == answers[1].json()


class TestForgery:
    async def test_401_a_token_we_did_not_sign_for_this(self, gateway: Gateway, tenant: Tenant):
        path, headers = as_guest(await opened_by(gateway, tenant.key, await text_agent(tenant)))
        token = headers["Authorization"].removeprefix("Bearer ")
        claims = jwt.decode(token, options={"verify_signature": False})
        key = gateway.services.session_tokens._key
        forged = {
            "no algorithm": jwt.encode(claims, None, algorithm="none"),
            "another key": jwt.encode(claims, b"another key of thirty-two bytes!!", "HS256"),
            "a file as key": jwt.encode(claims, b"\0" * 32, "HS256", headers={"kid": "/dev/null"}),
            "another audience": jwt.encode({**claims, "aud": "else"}, key, "HS256"),
            "expired": jwt.encode({**claims, "exp": claims["iat"] - 1}, key, "HS256"),
            "for ever": jwt.encode(
                {name: value for name, value in claims.items() if name != "exp"}, key, "HS256"
            ),
        }
        for how, each in forged.items():
            answer = await gateway.http.get(path, headers={"Authorization": f"Bearer {each}"})
            assert (answer.status_code, answer.content) == (
                401,
                b'{"detail":"Invalid token"}',
            ), how

    async def test_another_installation_has_another_key(self):
        first, second = (
            SessionTokens.of_settings(None, pepper) for pepper in (SecretStr("a"), SecretStr("b"))
        )
        assert first._key != second._key
        own = SessionTokens.of_settings(SecretStr("x" * 32), SecretStr("a"))
        assert own._key == b"x" * 32


class TestPages:
    async def test_any_page_may_use_a_session_of_a_key_that_is_not_locked(
        self, gateway: Gateway, tenant: Tenant
    ):
        path, headers = as_guest(await opened_by(gateway, tenant.key, await text_agent(tenant)))
        answer = await gateway.http.get(path, headers=headers | {"Origin": PAGE})
        assert answer.status_code == 200
        assert answer.headers["access-control-allow-origin"] == PAGE

    async def test_a_widget_key_works_on_its_domains_only(self, gateway: Gateway, tenant: Tenant):
        _, key = await key_of(gateway, tenant, kind="widget", allowedOrigins=["example.com"])
        agent_id = await text_agent(tenant)
        refused = await opened_by(gateway, key, agent_id, Origin=ELSEWHERE)
        assert (refused.status_code, refused.content) == (
            403,
            b'{"detail":"This key may not be used from this page."}',
        )
        opened = await opened_by(gateway, key, agent_id, Origin=PAGE)
        assert opened.headers["access-control-allow-origin"] == PAGE
        path, headers = as_guest(opened)
        here = await gateway.http.get(path, headers=headers | {"Origin": PAGE})
        assert here.status_code == 200
        there = await gateway.http.get(path, headers=headers | {"Origin": ELSEWHERE})
        assert (there.status_code, there.content) == (
            403,
            b'{"detail":"This session may not be used from this page."}',
        )
        assert there.headers["access-control-allow-origin"] == ELSEWHERE

    async def test_a_browser_is_told_that_it_may_ask(self, gateway: Gateway):
        answer = await gateway.http.options(
            f"{SESSIONS}/chat_x/messages",
            headers={"Origin": PAGE, "Access-Control-Request-Method": "POST"},
        )
        assert answer.status_code == 204
        assert "authorization" in answer.headers["access-control-allow-headers"]


class TestLimits:
    async def test_429_when_a_session_asks_too_often(self, gateway: Gateway, tenant: Tenant):
        path, headers = as_guest(await opened_by(gateway, tenant.key, await text_agent(tenant)))
        end = path.replace("/messages", "/end")
        for left in range(59, -1, -1):
            answer = await gateway.http.post(end, headers=headers)
            assert answer.status_code == 200
            assert answer.headers["x-ratelimit-remaining"] == str(left)
        answer = await gateway.http.post(end, headers=headers | {"Origin": PAGE})
        assert (answer.status_code, answer.content) == (429, b'{"detail":"Rate limit exceeded"}')
        assert 1 <= int(answer.headers["retry-after"]) <= 61
        assert answer.headers["access-control-allow-origin"] == PAGE
        assert answer.headers["x-ratelimit-limit"] == "60"

    async def test_429_when_a_key_opens_too_many(self, gateway: Gateway, tenant: Tenant):
        body = {"agent_id": await text_agent(tenant)}
        told = []
        for taken in (0, 98):
            for _ in range(taken):
                await gateway.services.rate_limits.take(f"chat-session:{tenant.key_id}", 100)
            answer = await tenant.http.post("/v1/chat/sessions", json=body)
            told.append((answer.status_code, answer.headers["x-ratelimit-remaining"]))
        assert told == [(200, "99"), (200, "0")]
        answer = await tenant.http.post("/v1/chat/sessions", json=body)
        assert (answer.status_code, answer.content) == (429, b'{"detail":"Rate limit exceeded"}')
        assert answer.headers["x-ratelimit-limit"] == "100"
        assert answer.headers["x-ratelimit-remaining"] == "0"

    async def test_another_session_has_a_limit_of_its_own(self, gateway: Gateway, tenant: Tenant):
        agent_id = await text_agent(tenant)
        limits = []
        for _ in range(2):
            path, headers = as_guest(await opened_by(gateway, tenant.key, agent_id))
            answer = await gateway.http.get(path, headers=headers)
            limits.append(
                (answer.headers["x-ratelimit-limit"], answer.headers["x-ratelimit-remaining"])
            )
        assert limits == [("100", "99")] * 2


class TestWhileRedisIsDown:
    async def test_what_was_said_can_still_be_read_but_nothing_is_spent(
        self, gateway: Gateway, gateway_without_redis: Gateway, tenant: Tenant
    ):
        path, headers = as_guest(await opened_by(gateway, tenant.key, await text_agent(tenant)))
        assert (await gateway_without_redis.http.get(path, headers=headers)).status_code == 200
        sent = await gateway_without_redis.http.post(
            path, json={"message": "hello"}, headers=headers
        )
        assert (sent.status_code, sent.content) == (
            503,
            b'{"detail":"Billing service unavailable: connection timeout"}',
        )


async def test_a_voice_session_asked_for_twice_with_one_idempotency_key_is_one(
    gateway: Gateway, tenant: Tenant
):
    agent_id = (await tenant.agent())["id"]
    headers = {"Idempotency-Key": str(uuid.uuid4())}
    answers = [
        await tenant.http.post(
            "/v1/chat/voice-sessions", json={"agent_id": agent_id}, headers=headers
        )
        for _ in range(2)
    ]
    assert answers[0].json()["room_name"] == answers[1].json()["room_name"]
    assert gateway.rooms.calls == ["create_room"]
