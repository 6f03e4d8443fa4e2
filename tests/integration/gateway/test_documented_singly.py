"""Errors that few operations document, each asked for by itself; and that no other is documented.

Each is provoked with things that exist, and its body compared byte for byte. A new error in the
description has to come here, unless `documented_errors.py` finds it.
"""

import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

import httpx
import pytest

from dispatch.accounts import Scope
from dispatch.store.engine import Database
from gateway.app import DEFAULT_MAX_BODY_BYTES
from stack.ports import free_port
from tests.builders.identity_provider import token
from tests.fakes.livekit_events import sign_webhook, sip_participant_event
from tests.integration.gateway.access.conftest import GatewayWith, gateway_with
from tests.integration.gateway.documented_errors import (
    NOWHERE,
    PROJECTS_OWN,
    Pair,
    Wrong,
    asked_together,
    body,
    credential,
    documented,
    invalid,
    operations,
    operations_of_chats,
    send,
)
from tests.integration.gateway.everything import TOOL, Everything, one_of_everything
from tests.integration.gateway.serving import Gateway, error_of
from tests.integration.gateway.tenant_matrix import (
    Operation,
    nobodys,
    operations_of,
    request_of,
)

pytestmark = pytest.mark.integration

__all__ = ["gateway_with"]

NO_ROOMS = "LiveKit could not do what was asked."
WITHOUT_CREDIT = {
    "/telephony/outbound-call": "Insufficient balance to make call",
    "/v1/chat/sessions": "Insufficient credits. Please add credits to continue.",
    "/v1/chat/voice-sessions": "Insufficient credits",
}
"""Where TalkifAI has words of its own."""


@dataclass
class World:
    """A tenant with everything, at a gateway where people sign in."""

    gateway: Gateway
    without_redis: Gateway
    things: Everything
    nobody: Everything

    async def ask(
        self, operation: Operation, place: str = "", headers: Any = None, **changes: Any
    ) -> httpx.Response:
        """Ask for what exists, but in one place for what does not, or as is said in `changes`."""
        request = request_of(operation, self.things, place, self.nobody)
        if operation.path == "/api/v1/token":
            # Nobody is in that room, so that the agent is called.
            agent = {"agent_config_id": self.things.config_id} | request.body
            request = replace(request, body=agent | {"room": "another"})
        return await self.gateway.http.request(
            headers=credential(operation, self.things.tenant) | (headers or {}),
            **(request.arguments() | changes),
        )


@pytest.fixture
async def world(
    gateway_with: GatewayWith, gateway_without_redis: Gateway, database: Database
) -> AsyncIterator[World]:
    async with gateway_with() as gateway:
        tenant = await gateway.tenant(credits_microcredits=5_000_000, scopes=list(Scope))
        at = f"/admin/v1/organizations/{tenant.organization_id}"
        named = await gateway.admin.patch(at, json={"externalId": "org_a"})
        assert named.status_code == 200, named.text
        things = await one_of_everything(gateway, database, tenant, "+12015550101", "user_a")
        yield World(gateway, gateway_without_redis, things, nobodys(things))


Provocation = Callable[[World, Operation], Awaitable[tuple[httpx.Response, bytes]]]
"""Returns an answer, and the body that it should have."""


def naming(place: str, message: str, code: str = "NOT_FOUND") -> Provocation:
    """Name something that nobody has in the query or the body."""

    async def provoke(world: World, operation: Operation) -> tuple[httpx.Response, bytes]:
        answer = await world.ask(operation, place)
        told = message.format(**vars(world.nobody))
        return answer, body(operation, answer, code, told)

    return provoke


def asking(query: dict[str, str], message: str) -> Provocation:
    """Ask with a query that cannot be."""

    async def provoke(world: World, operation: Operation) -> tuple[httpx.Response, bytes]:
        answer = await world.ask(operation, params=query)
        [name] = query
        return answer, invalid(operation, answer, {name: f"{name}: {message}"})

    return provoke


def without_livekit(message: str) -> Provocation:
    """Ask while LiveKit is away."""

    async def provoke(world: World, operation: Operation) -> tuple[httpx.Response, bytes]:
        world.gateway.rooms.unreachable = True
        answer = await world.ask(operation)
        world.gateway.rooms.unreachable = False
        return answer, body(operation, answer, "BAD_GATEWAY", message)

    return provoke


async def reading_no_secret(world: World, operation: Operation) -> tuple[httpx.Response, bytes]:
    """Read the secrets of a provider that has none."""
    path = f"/api/v1/projects/{world.things.project_id}/secrets/nobody"
    answer = await world.things.tenant.http.get(path)
    return answer, body(operation, answer, "NOT_FOUND", "Secret not found.")


async def as_a_member(world: World, operation: Operation) -> tuple[httpx.Response, bytes]:
    """Ask for the changes of another organisation than the member's."""
    signed = token(sub="user_a", org_id="org_a")
    answer = await world.gateway.http.get(
        operation.path,
        params={"organizationId": NOWHERE},
        headers={"authorization": f"Bearer {signed}"},
    )
    return answer, body(operation, answer, "NOT_FOUND", "Organization not found.")


async def naming_a_tool_alike(world: World, operation: Operation) -> tuple[httpx.Response, bytes]:
    """Give a tool the name of another."""
    name = f"tool_{uuid.uuid4().hex}"
    other = await world.things.tenant.http.post("/v1/tools", json=TOOL | {"name": name})
    assert other.status_code == 201, other.text
    answer = await world.ask(operation, json={"name": name})
    message = f"The project has a tool named {name} already."
    return answer, body(operation, answer, "CONFLICT", message)


async def naming_it_alike(world: World, operation: Operation) -> tuple[httpx.Response, bytes]:
    """Give an organisation the name that another has at the identity provider."""
    http = world.gateway.admin
    other = {"name": "Another", "externalId": "org_b"}
    assert (await http.post("/admin/v1/organizations", json=other)).status_code == 201
    message = "Another organisation has this externalId."
    again = await http.post("/admin/v1/organizations", json=other)
    assert error_of(again) == (409, "CONFLICT", message)
    answer = await world.ask(operation, json={"externalId": "org_b"})
    return answer, body(operation, answer, "CONFLICT", message)


async def deleting_what_is_used(world: World, operation: Operation) -> tuple[httpx.Response, bytes]:
    """Delete a carrier connection that a number comes in on."""
    answer = await world.ask(operation)
    message = "Numbers come in on this carrier connection; delete them first."
    return answer, body(operation, answer, "CONFLICT", message)


async def failing_to_answer(world: World, operation: Operation) -> tuple[httpx.Response, bytes]:
    """Write to an agent whose model does not answer."""
    nowhere = f"http://127.0.0.1:{free_port()}/v1"
    model = {"provider": "openai", "model": "gpt-4.1-mini", "baseUrl": nowhere}
    http = world.things.tenant.http
    kept = await http.put("/v1/secrets/openai", json={"values": {"api_key": "sk-0123456789ab"}})
    assert kept.status_code == 200, kept.text
    made = await http.post(
        "/v1/agents", json={"name": "Silent", "voiceEnabled": False, "models": {"llm": model}}
    )
    assert made.status_code == 201, made.text
    opened = await http.post("/v1/chat/chat/sessions", json={"agentId": made.json()["id"]})
    assert opened.status_code == 201, opened.text
    path = f"/v1/chat/chat/sessions/{opened.json()['id']}/messages"
    answer = await http.post(path, json={"content": "Hello?"})
    message = "Something went wrong while answering. Please try again."
    return answer, body(operation, answer, "GENERIC_ERROR", message)


def told(status: int, code: str, message: str) -> Provocation:
    """Tell of a room as LiveKit does, but for what is wrong with that."""

    async def provoke(world: World, operation: Operation) -> tuple[httpx.Response, bytes]:
        webhook = sign_webhook(sip_participant_event("participant_joined", "call_1"))
        headers = {"authorization": webhook.authorization}
        if status == 401:
            headers["authorization"] = ""
        if status == 413:
            headers["content-length"] = str(DEFAULT_MAX_BODY_BYTES + 1)
        gateway = world.without_redis if status == 503 else world.gateway
        answer = await gateway.http.post(operation.path, content=webhook.body, headers=headers)
        return answer, body(operation, answer, code, message)

    return provoke


NO_AGENT = "Agent not found."
NO_NUMBER = "Phone number not found."
PROVOKED: dict[Pair, Provocation] = {
    ("GET /admin/v1/audit-log", 404): as_a_member,
    (PROJECTS_OWN, 404): reading_no_secret,
    # Somebody else's thing, and nobody's, is not there.
    ("POST /api/v1/knowledge/search", 404): naming(
        "knowledge_base_id", "Knowledge base not found."
    ),
    ("POST /api/v1/sessions", 404): naming("agent_config_id", NO_AGENT),
    ("POST /api/v1/token", 404): naming("agent_config_id", NO_AGENT),
    ("POST /telephony/outbound-call", 404): naming(
        "from_number",
        "Phone number {phone_number} not found or has no outbound agent assigned",
    ),
    ("POST /v1/byoc/phone-numbers", 404): naming("inboundAgentId", NO_AGENT),
    ("POST /v1/byoc/trunks/refresh", 404): naming("phoneNumber", NO_NUMBER),
    ("POST /v1/calls", 404): naming("agentId", NO_AGENT),
    ("POST /v1/chat/chat/sessions", 404): naming("agentId", NO_AGENT),
    ("POST /v1/chat/phone-numbers", 404): naming("agentId", NO_AGENT),
    ("POST /v1/chat/phone-numbers/map-agent", 404): naming("agentId", NO_AGENT),
    ("POST /v1/chat/phone-numbers/outbound/call", 404): naming("agentId", NO_AGENT),
    ("POST /v1/chat/sessions", 404): naming(
        "agent_id", "Agent {writer_id} not found or does not belong to your organization"
    ),
    ("POST /v1/chat/voice-sessions", 404): naming(
        "agent_id", "Agent not found or does not belong to your organization"
    ),
    ("POST /v1/voice/sessions", 404): naming("agentId", NO_AGENT),
    # Queries of a few words.
    ("GET /api/v1/usage", 400): asking(
        {"period": "age"}, "Input should be 'today', '7d', '30d' or 'all'."
    ),
    ("GET /v1/voice/models", 400): asking(
        {"type": "LLM"}, "Input should be 'TTS', 'STT' or 'STS'."
    ),
    ("GET /v1/voice/voices", 400): asking(
        {"language": "e" * 36}, "String should have at most 35 characters."
    ),
    ("DELETE /v1/carrier-connections/{carrier_connection_id}", 409): deleting_what_is_used,
    ("PATCH /admin/v1/organizations/{organization_id}", 409): naming_it_alike,
    ("PATCH /admin/v1/projects/{project_id}/tools/{tool_id}", 409): naming_a_tool_alike,
    ("PATCH /v1/chat/tools/{tool_id}", 409): naming_a_tool_alike,
    ("PATCH /v1/tools/{tool_id}", 409): naming_a_tool_alike,
    ("POST /v1/chat/chat/sessions/{session_id}/messages", 502): failing_to_answer,
    ("POST /webhooks/livekit", 401): told(401, "UNAUTHORIZED", "The webhook's signature is wrong."),
    ("POST /webhooks/livekit", 413): told(
        413, "PAYLOAD_TOO_LARGE", f"The body is longer than {DEFAULT_MAX_BODY_BYTES} bytes."
    ),
    ("POST /webhooks/livekit", 503): told(
        503, "UNAVAILABLE", "A store is unavailable; nothing was changed. Try again shortly."
    ),
    ("GET /api/v1/rooms", 502): without_livekit(NO_ROOMS),
    ("GET /api/v1/rooms/{room_name}/participants", 502): without_livekit(NO_ROOMS),
    ("POST /api/v1/token", 502): without_livekit(NO_ROOMS),
    ("POST /v1/voice/sessions", 502): without_livekit("LiveKit did not create the room."),
    ("POST /v1/chat/voice-sessions", 500): without_livekit(
        "Failed to create voice session: LiveKit connection failed"
    ),
}


async def test_what_few_operations_document_is_as_documented(world: World):
    wrong = Wrong()
    known = {each.label: each for each in operations_of(world.gateway.app.openapi())}
    for (label, status), provoke in PROVOKED.items():
        answer, expected = await provoke(world, known[label])
        wrong.check(known[label], answer, status, expected)
    assert wrong == []


async def test_without_credit_nothing_is_begun_that_costs(world: World):
    http, things = world.gateway.http, world.things
    at = f"/admin/v1/organizations/{things.organization_id}"
    left = (await world.gateway.admin.get(at)).json()["balanceMicrocredits"]
    spent = {"amountMicrocredits": -left, "reason": "All of it."}
    taken = await world.gateway.admin.post(f"{at}/credits/adjustments", json=spent)
    assert taken.status_code == 201, taken.text
    wrong = Wrong()
    for operation in operations(world.gateway, 402):
        answer = await world.ask(operation)
        message = WITHOUT_CREDIT.get(operation.path, "Insufficient credits.")
        expected = body(operation, answer, "INSUFFICIENT_CREDITS", message)
        wrong.check(operation, answer, 402, expected)
    [chat] = operations_of_chats(world.gateway, 402)
    headers = {"authorization": f"Bearer {things.chat_token}"}
    answer = await send(http, chat, headers, {"conversation_id": things.conversation_id})
    wrong.check(chat, answer, 402, body(chat, answer, "", WITHOUT_CREDIT["/v1/chat/sessions"]))
    assert wrong == []


async def test_each_documented_error_is_asked_for(gateway: Gateway):
    assert asked_together(gateway) | PROVOKED.keys() == documented(gateway)
