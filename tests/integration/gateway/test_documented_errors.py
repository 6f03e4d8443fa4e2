"""Errors that every operation documents, compared with their bodies byte for byte.

Who may not ask, asks too often, sends too much or no object, or asks while a store is away is told
so in the same words by every operation of an API. The operations come from the published
description; errors that only some of them have are tested where those are.
"""

import re
from collections.abc import AsyncIterator, Iterator, Mapping
from types import MappingProxyType
from typing import Any

import httpx
import orjson
import pytest
from pydantic import SecretStr

from dispatch.accounts import Scope
from dispatch.settings import DispatchSettings
from dispatch.store.engine import Database
from dispatch.store.redis_client import RedisClient
from gateway.app import DEFAULT_MAX_BODY_BYTES
from gateway.auth import AdminRoute, TenantRoute
from gateway.faces import face_of
from stack.ports import free_port
from tests.builders.identity_provider import token
from tests.integration.gateway.access.conftest import GatewayWith, gateway_with
from tests.integration.gateway.everything import DOCUMENT
from tests.integration.gateway.serving import ADMIN_KEY, Gateway, Tenant, serving
from tests.integration.gateway.tenant_matrix import OPEN, Operation, operations_of

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

PROJECTS_OWN = "GET /api/v1/projects/{project_id}/secrets/{provider}"
"""Tells a key of another project so, whatever is there."""

NO_INTEGER = "page: Input should be a valid integer, unable to parse string as an integer."
NOWHERE = "5b710eca-4a0e-4b52-9c53-3b2f6f0f8d11"
SESSIONS = ("/v1/chat/sessions/", "/v1/chat/chat/sessions/")
LIMITED = ("native", "agntix", "talkifai", "voxai")


def operations(gateway: Gateway, status: int) -> Iterator[Operation]:
    """Yield the operations that document a status."""
    described = gateway.app.openapi()
    for operation in operations_of(described):
        told = described["paths"][operation.path][operation.method]
        if str(status) in told["responses"] and operation.label not in OPEN:
            yield operation


async def send(
    http: httpx.AsyncClient,
    operation: Operation,
    headers: dict[str, str],
    names: Mapping[str, str] = MappingProxyType({}),
    **body: Any,
) -> httpx.Response:
    """Ask an operation about things that are not there, but for those that are named."""
    path = re.sub(r"{([^}]+)}", lambda found: names.get(found[1], NOWHERE), operation.path)
    content: dict[str, Any] = {}
    if operation.takes_files:
        content = {"files": DOCUMENT}
    elif operation.example is not None and not body:
        content = {"json": operation.example}
    return await http.request(operation.method.upper(), path, headers=headers, **content, **body)


def body(
    operation: Operation, answer: httpx.Response, code: str, message: str, **more: Any
) -> bytes:
    """Return the body of an error, as the operation's API writes it."""
    face = face_of(operation.path).name
    if face == "talkifai":
        return orjson.dumps({"detail": message})
    if face == "voxai":
        return orjson.dumps({"error": message, "code": code, **more})
    request_id = answer.headers["x-request-id"]
    error: dict[str, Any] = {"code": code, "message": message, "status": answer.status_code}
    if "details" in more:
        error["details"] = [
            {"field": field, "message": told} for field, told in more["details"].items()
        ]
    if face == "agntix":
        error["requestId"] = request_id
    found = re.search(rb'"timestamp":"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)"', answer.content)
    assert found is not None, answer.text
    meta = {"requestId": request_id, "timestamp": found[1].decode()}
    return orjson.dumps({"error": error, "meta": meta})


class Wrong(list[str]):
    """What was answered otherwise than expected, all of it at once."""

    def check(self, operation: Operation, answer: httpx.Response, status: int, body: bytes) -> None:
        """Remember an answer that is another one."""
        if answer.status_code != status or answer.content != body:
            self.append(f"{operation.label}: {answer.status_code} {answer.text[:300]} {body!r}")


def credential(operation: Operation, tenant: Tenant) -> dict[str, str]:
    """Return what lets a request in."""
    return {"x-api-key": ADMIN_KEY if operation.is_admins else tenant.key}


@pytest.fixture
async def tenant(gateway: Gateway) -> Tenant:
    """A tenant who may ask often."""
    tenant = await gateway.tenant(scopes=list(Scope))
    limits = {"limits": dict.fromkeys(LIMITED, 1_000_000)}
    answer = await gateway.admin.put(f"/admin/v1/keys/{tenant.key_id}/limits", json=limits)
    assert answer.status_code == 200, answer.text
    return tenant


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
        if operation.is_a_chats:
            message = "Invalid token"
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
        if operation.is_admins or operation.is_a_chats:
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
        if operation.is_admins or operation.is_a_chats:
            continue
        answer = await send(tenant.http, operation, {})
        assert answer.status_code == 429, (operation.label, answer.text)
        wait_s = int(answer.headers["retry-after"])
        assert 1 <= wait_s <= 61  # A window is rounded up to its next quarter of a second.
        more = {"limit": 1, "remaining": 0, "retry_after": wait_s}
        expected = body(operation, answer, "RATE_LIMITED", "Rate limit exceeded", **more)
        wrong.check(operation, answer, 429, expected)
    assert wrong == []


async def test_a_body_that_is_too_long_is_refused_by_its_length(gateway: Gateway, tenant: Tenant):
    too_long = b" " * (DEFAULT_MAX_BODY_BYTES + 1)
    message = f"The body is longer than {DEFAULT_MAX_BODY_BYTES} bytes."
    wrong = Wrong()
    for operation in operations(gateway, 413):
        if operation.example is None or operation.path.startswith(SESSIONS):
            continue  # Files may be longer, and what a path names there is looked for first.
        headers = credential(operation, tenant)
        answer = await send(gateway.http, operation, headers, content=too_long)
        wrong.check(operation, answer, 413, body(operation, answer, "PAYLOAD_TOO_LARGE", message))
    assert wrong == []


async def test_a_body_that_is_no_object_is_refused_in_one_sentence(
    gateway: Gateway, tenant: Tenant
):
    wrong = Wrong()
    for operation in operations(gateway, 400):
        if operation.example is None or operation.path.startswith(SESSIONS):
            continue
        headers = credential(operation, tenant) | {"content-type": "application/json"}
        answer = await send(gateway.http, operation, headers, content=b'["text"]')
        message = "The body must be a JSON object, sent as application/json."
        told = body(operation, answer, _invalid(operation), message, details={"": message})
        if operation.path in ("/v1/chat/sessions", "/v1/chat/voice-sessions"):
            told = body(operation, answer, "", "Agent ID is required")
        wrong.check(operation, answer, 400, told)
    assert wrong == []


async def test_a_query_that_cannot_be_is_refused_in_one_sentence(gateway: Gateway, tenant: Tenant):
    wrong = Wrong()
    described = gateway.app.openapi()["paths"]
    for operation in operations(gateway, 400):
        if operation.example is not None or operation.takes_files:
            continue
        if operation.path.startswith(SESSIONS):
            continue
        told = described[operation.path][operation.method].get("parameters", [])
        if face_of(operation.path).name in ("native", "admin"):
            field, words = "nonsense", "nonsense is not a known query parameter."
        elif any(each["name"] == "page" for each in told):
            field, words = "page", NO_INTEGER
        else:
            continue
        headers = credential(operation, tenant)
        answer = await send(gateway.http, operation, headers, params={field: "x"})
        code = _invalid(operation)
        expected = body(operation, answer, code, words, details={field: words})
        wrong.check(operation, answer, 400, expected)
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
            if not for_members[operation.label]:
                words = "Only the installation's administrator may do this."
            elif operation.method != "get":
                words = "Only owners and admins may change this."
            else:
                continue  # Whoever belongs to the organisation may look.
            answer = await send(gateway.http, operation, headers, own)
            wrong.check(operation, answer, 403, body(operation, answer, "FORBIDDEN", words))
    assert wrong == []


async def test_without_any_store_everything_says_so(nothing_behind: Gateway, tenant: Tenant):
    wrong = Wrong()
    for operation in operations(nothing_behind, 503):
        if operation.is_a_chats:
            continue
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
        if not operation.parameters or operation.is_a_chats or operation.label == PROJECTS_OWN:
            continue
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


def _invalid(operation: Operation) -> str:
    is_voxai = face_of(operation.path).name == "voxai"
    return "INVALID_REQUEST" if is_voxai else "VALIDATION_ERROR"
