"""Widget keys, other keys in web pages, and what browsers are told (Fetch standard, CORS)."""

from typing import Any

import httpx
import pytest

from tests.integration.gateway.access.conftest import GatewayWith
from tests.integration.gateway.access.test_sign_in import registered, token
from tests.integration.gateway.serving import Gateway, Tenant, error_of

pytestmark = pytest.mark.integration

PAGE = "https://shop.example.com"
ALLOW_ORIGIN = "access-control-allow-origin"


async def widget(gateway: Gateway, **fields: Any) -> Tenant:
    given = {"kind": "widget", "allowedOrigins": ["example.com"], "credits_microcredits": 5_000_000}
    return await gateway.tenant(**(given | fields))


async def opened(gateway: Gateway, tenant: Tenant, origin: str | None) -> httpx.Response:
    """Open a voice session with an agent that is not there, as a page would."""
    headers = {} if origin is None else {"origin": origin}
    body = {"agent_id": "5b710eca-4a0e-4b52-9c53-3b2f6f0f8d11"}
    return await tenant.http.post("/v1/chat/voice-sessions", json=body, headers=headers)


@pytest.mark.parametrize("origin", [PAGE, "https://example.com", "http://localhost:3000"])
async def test_a_page_of_its_domains_may_use_a_widget_key_and_read_the_answer(
    gateway: Gateway, origin: str
):
    tenant = await widget(gateway)
    assert tenant.key.startswith("tk_widget_")
    answer = await opened(gateway, tenant, origin)
    assert answer.status_code == 404
    assert answer.headers[ALLOW_ORIGIN] == origin
    assert answer.headers["vary"] == "Origin"
    assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.parametrize("origin", [None, "null", "https://evilexample.com", "https://evil.net"])
async def test_no_other_page_may_and_it_can_read_that(gateway: Gateway, origin: str | None):
    answer = await opened(gateway, await widget(gateway), origin)
    words = "This key may not be used from this page."
    assert (answer.status_code, answer.json()) == (403, {"detail": words})
    assert answer.headers.get(ALLOW_ORIGIN) == origin
    assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/agents"),
        ("GET", "/v1/calls"),
        ("POST", "/v1/voice/sessions"),
        ("POST", "/v1/chat/voice-sessions"),
        ("POST", "/api/v1/token"),
        ("GET", "/v1/chat/sessions/chat_x/messages"),
        ("GET", "/admin/v1/organizations"),
    ],
)
async def test_a_page_can_read_that_its_credential_is_not_good(
    gateway: Gateway, method: str, path: str
):
    headers = {"origin": "https://anybody.example", "authorization": "Bearer tk_mistyped"}
    answer = await gateway.http.request(method, path, headers=headers)
    assert answer.status_code == 401
    assert answer.headers[ALLOW_ORIGIN] == "https://anybody.example"
    assert answer.headers["vary"] == "Origin"


async def test_what_is_refused_behind_the_door_is_for_the_keys_pages_only(gateway: Gateway):
    tenant = await gateway.tenant()
    path = "/v1/agents/5b710eca-4a0e-4b52-9c53-3b2f6f0f8d11"
    answer = await tenant.http.get(path, headers={"origin": "https://anybody.example"})
    assert answer.status_code == 404
    assert ALLOW_ORIGIN not in answer.headers


async def test_a_widget_key_opens_no_more_than_sessions(gateway: Gateway):
    tenant = await widget(gateway)
    for method, path in (
        ("GET", "/v1/agents"),
        ("POST", "/v1/agents"),
        ("GET", "/v1/calls"),
        ("GET", "/v1/chat/phone-numbers"),
        ("GET", f"/api/v1/projects/{tenant.project_id}/secrets/openai"),
    ):
        answer = await tenant.http.request(method, path, headers={"origin": PAGE}, json={})
        assert answer.status_code == 403, path


async def test_a_servers_key_with_domains_is_locked_to_them_in_browsers_only(gateway: Gateway):
    tenant = await gateway.tenant(allowedOrigins=["example.com"])
    from_server = await tenant.http.get("/v1/agents")
    from_page = await tenant.http.get("/v1/agents", headers={"origin": PAGE})
    from_elsewhere = await tenant.http.get("/v1/agents", headers={"origin": "https://evil.net"})
    codes = [each.status_code for each in (from_server, from_page, from_elsewhere)]
    assert codes == [200, 200, 403]
    assert ALLOW_ORIGIN not in from_server.headers
    assert from_page.headers[ALLOW_ORIGIN] == PAGE
    assert from_elsewhere.headers[ALLOW_ORIGIN] == "https://evil.net"


async def test_domains_can_be_changed_at_once(gateway: Gateway):
    tenant = await widget(gateway)
    assert (await opened(gateway, tenant, PAGE)).status_code == 404
    at = f"/admin/v1/keys/{tenant.key_id}"
    await gateway.admin.patch(at, json={"allowedOrigins": ["example.org"]})
    assert (await opened(gateway, tenant, PAGE)).status_code == 403
    assert (await opened(gateway, tenant, "https://example.org")).status_code == 404
    refused = await gateway.admin.patch(at, json={"allowedOrigins": []})
    assert error_of(refused)[:2] == (400, "VALIDATION_ERROR")


async def test_the_expose_list_lets_pages_read_how_often_they_may_ask(gateway: Gateway):
    answer = await opened(gateway, await widget(gateway), PAGE)
    exposed = answer.headers["access-control-expose-headers"]
    assert {"x-ratelimit-limit", "retry-after", "x-request-id"} <= set(exposed.split(", "))


async def test_a_preflight_is_granted_without_a_key_and_gives_nothing_away(gateway: Gateway):
    asked = {
        "origin": "https://anybody.example",
        "access-control-request-method": "POST",
        "access-control-request-headers": "x-api-key, content-type",
    }
    there = await gateway.http.options("/v1/chat/voice-sessions", headers=asked)
    nowhere = await gateway.http.options("/v1/nothing/here", headers=asked)
    assert there.status_code == nowhere.status_code == 204
    assert there.headers[ALLOW_ORIGIN] == "https://anybody.example"
    assert "x-api-key" in there.headers["access-control-allow-headers"]
    assert "access-control-allow-credentials" not in there.headers
    left_out = {"x-request-id"}
    assert {name: value for name, value in there.headers.items() if name not in left_out} == {
        name: value for name, value in nowhere.headers.items() if name not in left_out
    }


async def test_options_that_is_no_preflight_is_answered_as_any_wrong_method(gateway: Gateway):
    answer = await gateway.http.options("/v1/agents")
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, POST"


async def test_a_users_token_is_for_the_pages_that_the_installation_names(
    gateway_with: GatewayWith,
):
    async with gateway_with(allowed_origins=("https://console.example",)) as office:
        await registered(office)
        headers = {"authorization": f"Bearer {token()}"}
        for path in ("/v1/agents", "/admin/v1/organizations"):
            named, other = [
                await office.http.get(path, headers=headers | {"origin": origin})
                for origin in ("https://console.example", "https://evil.net")
            ]
            assert named.headers[ALLOW_ORIGIN] == "https://console.example"
            assert ALLOW_ORIGIN not in other.headers
