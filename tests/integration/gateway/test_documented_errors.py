"""Errors that many operations document, compared with their bodies byte for byte.

Who may not ask, asks too often, sends too much or no object, or asks while a store is away is told
so in the same words by every operation of an API. The operations come from the published
description; `documented_errors.py` says which are asked together.
"""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from pydantic import SecretStr

from dispatch.accounts import Scope
from dispatch.knowledge_base import MAX_DOCUMENT_BYTES
from dispatch.settings import DispatchSettings
from dispatch.store.engine import Database
from dispatch.store.redis_client import RedisClient
from gateway.app import DEFAULT_MAX_BODY_BYTES
from gateway.auth import AdminRoute, TenantRoute
from gateway.faces import face_of
from gateway.repetitions import HEADER
from stack.ports import free_port
from tests.builders.identity_provider import token
from tests.integration.gateway.access.conftest import GatewayWith, gateway_with
from tests.integration.gateway.documented_errors import (
    Wrong,
    body,
    credential,
    invalid,
    operations,
    send,
)
from tests.integration.gateway.everything import DOCUMENT, Everything, one_of_everything
from tests.integration.gateway.serving import Gateway, Tenant, serving
from tests.integration.gateway.tenant_matrix import Operation

pytestmark = pytest.mark.integration

__all__ = ["gateway_with"]

NOT_THERE = {
    "agent_id": {"Agent not found.", "Version not found."},
    "call_id": {"Call not found.", "Outbound call not found."},
    "carrier_connection_id": {"Carrier connection not found."},
    "key_id": {"Key not found."},
    "knowledge_base_id": {"Knowledge base not found."},
    "organization_id": {"Organization not found.", "Member not found."},
    # The body names an agent, which is looked for first.
    "phone_number": {"Phone number not found.", "Agent not found."},
    "phone_number_id": {"Phone number not found."},
    "project_id": {"Project not found.", "Knowledge base not found.", "Tool not found."},
    "provider": {"Secret not found."},
    "room_name": {"Room not found.", "Session not found."},
    "session_id": {"Session not found."},
    "tool_id": {"Tool not found."},
}
"""What is said of things that nobody has, by the first name in a path."""

NO_INTEGER = "Input should be a valid integer, unable to parse string as an integer."
LIMITED = ("native", "agntix", "talkifai", "voxai")


@pytest.fixture
async def tenant(gateway: Gateway) -> Tenant:
    """A tenant who may ask often."""
    tenant = await gateway.tenant(scopes=list(Scope))
    limits = {"limits": dict.fromkeys(LIMITED, 1_000_000)}
    answer = await gateway.admin.put(f"/admin/v1/keys/{tenant.key_id}/limits", json=limits)
    assert answer.status_code == 200, answer.text
    return tenant


@pytest.fixture
async def things(gateway: Gateway, database: Database, tenant: Tenant) -> Everything:
    """Everything that a path may name."""
    at = f"/admin/v1/organizations/{tenant.organization_id}/credits"
    paid = await gateway.admin.post(at, json={"amountMicrocredits": 5_000_000})
    assert paid.status_code == 201, paid.text
    return await one_of_everything(gateway, database, tenant, "+12015550101")


@pytest.fixture
async def nothing_behind(
    tenant: Tenant, dispatch_settings: DispatchSettings, dead_redis: RedisClient
) -> AsyncIterator[Gateway]:
    """A gateway whose Postgres and Redis are both away."""
    del tenant
    nobody = f"postgresql+psycopg://nobody@127.0.0.1:{free_port()}/nothing"
    settings = dispatch_settings.model_copy(update={"database_url": SecretStr(nobody)})
    database = Database(nobody, application_name="tests")
    try:
        async with serving(database, dead_redis, settings) as gateway:
            yield gateway
    finally:
        await database.aclose()


async def test_who_sends_no_credential_is_told_so(gateway: Gateway):
    wrong = Wrong()
    for operation in operations(gateway, 401):
        answer = await send(gateway.http, operation, {})
        message = "Authentication required."
        if face_of(operation.path).name == "talkifai":
            message = "Invalid API key"
        if operation.path == "/v1/chat/sessions":
            message = "Authentication required: provide X-API-Key or X-Studio-Token"
        wrong.check(operation, answer, 401, body(operation, answer, "UNAUTHORIZED", message))
    assert wrong == []


async def test_a_key_without_the_scope_is_told_which(gateway: Gateway):
    needed = {
        f"{method} {route.path_format}": route.scopes
        for route in gateway.app.routes
        if isinstance(route, TenantRoute)
        for method in route.methods
    }
    keys = [
        (frozenset(scopes), (await gateway.tenant(scopes=scopes)).http)
        for scopes in ([Scope.USAGE_READ], [Scope.SECRETS_WRITE])
    ]
    wrong = Wrong()
    for operation in operations(gateway, 403):
        if operation.is_admins:
            continue
        scopes = needed[operation.label]
        has, http = next(each for each in keys if not scopes <= each[0])
        answer = await send(http, operation, {})
        message = f"This key lacks the scope {min(scopes - has)}."
        wrong.check(operation, answer, 403, body(operation, answer, "FORBIDDEN", message))
    assert wrong == []


async def test_who_asks_too_often_is_told_when_to_come_back(gateway: Gateway, tenant: Tenant):
    path = f"/admin/v1/keys/{tenant.key_id}/limits"
    limited = await gateway.admin.put(path, json={"limits": dict.fromkeys(LIMITED, 1)})
    organization = f"/admin/v1/organizations/{tenant.organization_id}/limits"
    await gateway.admin.put(organization, json={"limits": dict.fromkeys(LIMITED, 1)})
    assert limited.status_code == 200, limited.text
    for used_up in ("/v1/agents", "/v1/chat/agents", "/v1/phone-numbers", "/api/v1/agents"):
        await tenant.http.get(used_up)
    wrong = Wrong()
    for operation in operations(gateway, 429):
        answer = await send(tenant.http, operation, {})
        assert answer.status_code == 429, (operation.label, answer.text)
        wait_s = int(answer.headers["retry-after"])
        assert 1 <= wait_s <= 61  # A window is rounded up to its next quarter of a second.
        more = {"limit": 1, "remaining": 0, "retry_after": wait_s}
        expected = body(operation, answer, "RATE_LIMITED", "Rate limit exceeded", **more)
        wrong.check(operation, answer, 429, expected)
    assert wrong == []


async def test_a_body_that_is_too_long_is_refused_by_its_length(
    gateway: Gateway, things: Everything
):
    wrong = Wrong()
    for operation in operations(gateway, 413):
        limit, sent = DEFAULT_MAX_BODY_BYTES, {"content": b"{}"}
        if operation.takes_files:
            limit, sent = MAX_DOCUMENT_BYTES + 65_536, {}
        headers = credential(operation, things.tenant) | {"content-length": str(limit + 1)}
        if operation.example is None and not operation.takes_files:
            # Nobody reads a body that means nothing, but to compare it with a repetition's.
            headers |= {HEADER: "the-first"}
        names = things.in_path(operation.method, operation.path)
        answer = await send(gateway.http, operation, headers, names, **sent)
        message = f"The body is longer than {limit} bytes."
        wrong.check(operation, answer, 413, body(operation, answer, "PAYLOAD_TOO_LARGE", message))
    assert wrong == []


async def test_a_request_that_cannot_be_is_refused_in_one_sentence(
    gateway: Gateway, things: Everything
):
    wrong = Wrong()
    described = gateway.app.openapi()["paths"]
    for operation in operations(gateway, 400):
        parameters = described[operation.path][operation.method].get("parameters", [])
        query = [each for each in parameters if each["in"] == "query"]
        told, sent = _impossible(operation, query)
        headers = credential(operation, things.tenant) | sent.pop("headers", {})
        names = things.in_path(operation.method, operation.path)
        answer = await send(gateway.http, operation, headers, names, **sent)
        expected = invalid(operation, answer, told)
        if operation.path in ("/v1/chat/sessions", "/v1/chat/voice-sessions"):
            expected = body(operation, answer, "", "Agent ID is required")
        wrong.check(operation, answer, 400, expected)
    assert wrong == []


def _impossible(
    operation: Operation, query: list[dict[str, Any]]
) -> tuple[dict[str, str], dict[str, Any]]:
    """Return what is said of which fields, and what to send for that."""
    if operation.takes_files:
        return {"file": "file is required."}, {"files": {"another": DOCUMENT["file"]}}
    if operation.example is not None:
        message = "The body must be a JSON object, sent as application/json."
        sent = {"content": b'["text"]', "headers": {"content-type": "application/json"}}
        return {"": message}, sent
    if operation.method == "post":
        message = f"{HEADER}: must have 1 to 255 visible ASCII characters."
        return {HEADER: message}, {"headers": {HEADER: "with blanks"}}
    if face_of(operation.path).name in ("native", "admin"):
        message = "nonsense is not a known query parameter."
        return {"nonsense": message}, {"params": {"nonsense": "x"}}
    required = [each["name"] for each in query if each["required"]]
    if required:
        return {name: f"{name} is required." for name in required}, {}
    name = next(each["name"] for each in query if each["schema"].get("type") == "integer")
    return {name: f"{name}: {NO_INTEGER}"}, {"params": {name: "x"}}


async def test_a_key_of_another_request_is_refused(gateway: Gateway, tenant: Tenant):
    repeated = {HEADER: "the-first"}
    agent = await tenant.http.post("/v1/agents", json={"name": "First"}, headers=repeated)
    named = {"name": "First"}
    organization = await gateway.admin.post("/admin/v1/organizations", json=named, headers=repeated)
    assert agent.status_code == organization.status_code == 201
    wrong = Wrong()
    message = "This Idempotency-Key was used for another request."
    for operation in operations(gateway, 409):
        headers = credential(operation, tenant) | repeated
        answer = await send(gateway.http, operation, headers)
        wrong.check(operation, answer, 409, body(operation, answer, "CONFLICT", message))
    assert wrong == []


async def test_a_member_is_told_what_only_others_may(gateway_with: GatewayWith):
    wrong = Wrong()
    async with gateway_with() as gateway:
        tenant = await gateway.tenant()
        at = f"/admin/v1/organizations/{tenant.organization_id}"
        assert (await gateway.admin.patch(at, json={"externalId": "org_a"})).status_code == 200
        member = {"subject": "user_a", "role": "viewer"}
        assert (await gateway.admin.post(f"{at}/members", json=member)).status_code == 201
        headers = {"authorization": f"Bearer {token(sub='user_a', org_id='org_a')}"}
        own = {"organization_id": tenant.organization_id, "project_id": tenant.project_id}
        for_members = {
            f"{method} {route.path_format}": route.is_for_members
            for route in gateway.app.routes
            if isinstance(route, AdminRoute)
            for method in route.methods
        }
        for operation in operations(gateway, 403):
            if not operation.is_admins:
                continue
            words = "Only the installation's administrator may do this."
            if for_members[operation.label]:
                words = "Only owners and admins may change this."
            answer = await send(gateway.http, operation, headers, own)
            wrong.check(operation, answer, 403, body(operation, answer, "FORBIDDEN", words))
    assert wrong == []


async def test_without_any_store_everything_says_so(nothing_behind: Gateway, tenant: Tenant):
    wrong = Wrong()
    for operation in operations(nothing_behind, 503):
        headers = credential(operation, tenant)
        answer = await send(nothing_behind.http, operation, headers)
        message = "A store is unavailable; nothing was changed. Try again shortly."
        if operation.path == "/v1/chat/sessions":
            message = "Billing service unavailable: connection timeout"
        wrong.check(operation, answer, 503, body(operation, answer, "UNAVAILABLE", message))
    assert wrong == []


async def test_what_a_path_names_and_nobody_has_is_told_by_its_kind(
    gateway: Gateway, tenant: Tenant
):
    wrong = Wrong()
    kinds: dict[str, set[str]] = {}
    for operation in operations(gateway, 404):
        answer = await send(gateway.http, operation, credential(operation, tenant))
        if answer.status_code != 404:
            wrong.append(f"{operation.label}: {answer.status_code} {answer.text[:200]}")
            continue
        told = answer.json()
        message = told.get("detail") or told["error"]
        code = "NOT_FOUND"
        if isinstance(message, dict):
            message, code = message["message"], message["code"]
        kinds.setdefault(operation.parameters[0], set()).add(message)
        wrong.check(operation, answer, 404, body(operation, answer, code, message))
    assert wrong == []
    assert kinds == NOT_THERE
