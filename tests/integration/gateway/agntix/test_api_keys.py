"""Agntix's API keys."""

from typing import Any

import pytest

from tests.integration.gateway.serving import Gateway, Tenant, error_of

pytestmark = pytest.mark.integration

KEYS = "/v1/chat/api-keys"


@pytest.fixture
async def tenant(gateway: Gateway) -> Tenant:
    return await gateway.tenant()


async def made(tenant: Tenant, **fields: Any) -> dict[str, Any]:
    answer = await tenant.http.post(KEYS, json={"name": "backend", **fields})
    assert answer.status_code == 201, answer.text
    key: dict[str, Any] = answer.json()
    return key


async def status_with(gateway: Gateway, key: str) -> int:
    answer = await gateway.http.get("/v2/chat/agents", headers={"x-api-key": key})
    return answer.status_code


async def test_the_key_itself_is_shown_once(gateway: Gateway, tenant: Tenant):
    made_key = await made(tenant, description="For the shop.", scopes=["agents:read"])
    key = made_key.pop("key")
    assert key.startswith("pk_live_")
    assert made_key["scopes"] == made_key["permissions"] == ["agents:read"]
    assert (made_key["prefixType"], made_key["isActive"]) == ("LIVE", True)
    assert await status_with(gateway, key) == 200
    listed = (await tenant.http.get(KEYS)).json()
    assert listed["data"][0] == made_key
    assert key not in str(listed)


async def test_permissions_are_scopes(tenant: Tenant):
    assert (await made(tenant, permissions=["chat:read"]))["scopes"] == ["chat:read"]
    both = {"name": "backend", "permissions": ["chat:read"], "scopes": ["chat:read"]}
    answer = await tenant.http.post(KEYS, json=both)
    message = "permissions: send scopes or permissions, not both."
    assert error_of(answer) == (400, "VALIDATION_ERROR", message)


async def test_a_revoked_key_is_useless_at_once(gateway: Gateway, tenant: Tenant):
    key = await made(tenant)
    assert await status_with(gateway, key["key"]) == 200
    answer = await tenant.http.post(f"{KEYS}/{key['id']}/revoke", json={"reason": "leaked"})
    assert answer.status_code == 200
    assert answer.json()["isActive"] is False
    assert answer.json()["revokedAt"] is not None
    assert await status_with(gateway, key["key"]) == 401


async def test_a_deleted_key_is_listed_no_more(gateway: Gateway, tenant: Tenant):
    key = await made(tenant)
    answer = await tenant.http.request("DELETE", f"{KEYS}/{key['id']}", json={"reason": "unused"})
    assert (answer.status_code, answer.content) == (204, b"")
    assert await status_with(gateway, key["key"]) == 401
    listed = (await tenant.http.get(KEYS)).json()["data"]
    assert key["id"] not in [each["id"] for each in listed]


async def test_a_patch_takes_effect_at_once(gateway: Gateway, tenant: Tenant):
    key = await made(tenant)
    path = f"{KEYS}/{key['id']}"
    assert await status_with(gateway, key["key"]) == 200
    answer = await tenant.http.patch(path, json={"name": "shop", "scopes": ["chat:read"]})
    assert (answer.json()["name"], answer.json()["scopes"]) == ("shop", ["chat:read"])
    assert await status_with(gateway, key["key"]) == 403


async def test_nobody_gives_a_key_more_than_they_have(gateway: Gateway, tenant: Tenant):
    weak = await made(tenant, scopes=["keys:read", "keys:write"])
    answer = await gateway.http.post(
        KEYS,
        json={"name": "stronger", "scopes": ["agents:write"]},
        headers={"x-api-key": weak["key"]},
    )
    message = "Whoever lacks the scope agents:write cannot give it to a key."
    assert error_of(answer) == (403, "FORBIDDEN", message)


async def test_a_repeated_request_is_given_the_same_key(tenant: Tenant):
    headers = {"Idempotency-Key": "key-1"}
    first = await tenant.http.post(KEYS, json={"name": "backend"}, headers=headers)
    second = await tenant.http.post(KEYS, json={"name": "backend"}, headers=headers)
    assert first.json()["key"] == second.json()["key"]


@pytest.mark.parametrize(("method", "suffix"), [("PATCH", ""), ("DELETE", ""), ("POST", "/revoke")])
async def test_a_key_of_another_project_is_not_there(
    gateway: Gateway, tenant: Tenant, method: str, suffix: str
):
    stranger = await gateway.tenant()
    body = {"json": {"name": "mine"}} if method == "PATCH" else {}
    answer = await stranger.http.request(method, f"{KEYS}/{tenant.key_id}{suffix}", **body)
    assert error_of(answer) == (404, "NOT_FOUND", "Key not found.")
    assert await status_with(gateway, tenant.key) == 200


async def test_development_keys_are_not_made(tenant: Tenant):
    answer = await tenant.http.post(KEYS, json={"name": "dev", "prefixType": "DEVELOPMENT"})
    assert error_of(answer) == (400, "VALIDATION_ERROR", "prefixType: Input should be 'LIVE'.")
