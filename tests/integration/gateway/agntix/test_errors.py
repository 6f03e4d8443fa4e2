"""Agntix's error bodies, byte for byte but for the time."""

import re
from typing import Any

import httpx
import pytest

from tests.integration.gateway.serving import Gateway, Tenant

pytestmark = pytest.mark.integration

NOWHERE = "5b710eca-4a0e-4b52-9c53-3b2f6f0f8d11"
SESSIONS = "/v1/chat/chat/sessions"
_TIME = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def body(code: str, message: str, status: int, field: str | None = None) -> bytes:
    details = "" if field is None else f',"details":[{{"field":"{field}","message":"{message}"}}]'
    return (
        f'{{"error":{{"code":"{code}","message":"{message}","status":{status}{details},'
        '"requestId":"req_1"},"meta":{"requestId":"req_1","timestamp":"NOW"}}'
    ).encode()


async def sent(
    http: httpx.AsyncClient, method: str, path: str, json: Any = None, **headers: str
) -> bytes:
    answer = await http.request(
        method, path, json=json, headers={"x-request-id": "req_1"} | headers
    )
    return _TIME.sub(b"NOW", answer.content)


@pytest.fixture
async def tenant(gateway: Gateway) -> Tenant:
    return await gateway.tenant(credits_microcredits=5_000_000)


async def test_400_names_the_field(tenant: Tenant):
    got = await sent(tenant.http, "POST", "/v1/voice/sessions", {"agentId": "agnt_1"})
    assert got == body("VALIDATION_ERROR", "agentId must be a UUID.", 400, "agentId")


@pytest.mark.parametrize("headers", [{}, {"x-api-key": "pk_live_wrong"}])
async def test_401_tells_nothing(gateway: Gateway, headers: dict[str, str]):
    got = await sent(gateway.http, "GET", "/v2/chat/agents", **headers)
    assert got == body("UNAUTHORIZED", "Authentication required.", 401)


async def test_402(gateway: Gateway):
    poor = await gateway.tenant()
    agent = await poor.agent()
    got = await sent(poor.http, "POST", SESSIONS, {"agentId": agent["id"]})
    assert got == body("INSUFFICIENT_CREDITS", "Insufficient credits.", 402)


async def test_403_names_the_scope(gateway: Gateway, tenant: Tenant):
    key = (
        await tenant.http.post(
            "/v1/chat/api-keys", json={"name": "reader", "scopes": ["agents:read"]}
        )
    ).json()["key"]
    got = await sent(gateway.http, "DELETE", f"/v2/chat/agents/{NOWHERE}", **{"x-api-key": key})
    assert got == body("FORBIDDEN", "This key lacks the scope agents:write.", 403)


@pytest.mark.parametrize(
    ("path", "code", "message"),
    [
        (f"/v2/chat/agents/{NOWHERE}", "NOT_FOUND", "Agent not found."),
        ("/v2/chat/agents/agnt_1", "NOT_FOUND", "Agent not found."),
        (f"{SESSIONS}/{NOWHERE}", "SESSION_NOT_FOUND", "Session not found."),
        (f"{SESSIONS}/ses_1", "SESSION_NOT_FOUND", "Session not found."),
        (f"/api/v1/chat/sessions/{NOWHERE}", "SESSION_NOT_FOUND", "Session not found."),
        (f"/v1/chat/tools/{NOWHERE}", "TOOLS_NOT_FOUND", "Tool not found."),
        (f"/v1/chat/phone-numbers/{NOWHERE}", "NOT_FOUND", "Phone number not found."),
        ("/v2/chat/nothing", "NOT_FOUND", "There is nothing at this path."),
    ],
)
async def test_404(tenant: Tenant, path: str, code: str, message: str):
    assert await sent(tenant.http, "GET", path) == body(code, message, 404)


async def test_409_of_a_closed_session(tenant: Tenant):
    agent = await tenant.agent()
    opened = (await tenant.http.post(SESSIONS, json={"agentId": agent["id"]})).json()
    await tenant.http.patch(f"{SESSIONS}/{opened['id']}/close")
    got = await sent(tenant.http, "POST", f"{SESSIONS}/{opened['id']}/messages", {"content": "Hi"})
    assert got == body("SESSION_EXPIRED", "The session is closed.", 409)


async def test_413(tenant: Tenant):
    got = await sent(tenant.http, "POST", SESSIONS, {"agentId": "x" * 1_048_576})
    assert got == body("PAYLOAD_TOO_LARGE", "The body is longer than 1048576 bytes.", 413)


async def test_502_when_livekit_makes_no_room(gateway: Gateway, tenant: Tenant):
    gateway.rooms.unreachable = True
    agent = await tenant.agent()
    got = await sent(tenant.http, "POST", "/v1/voice/sessions", {"agentId": agent["id"]})
    assert got == body("BAD_GATEWAY", "LiveKit did not create the room.", 502)
