"""One of everything that a tenant can have, made through the API where the API makes it."""

import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx

from dispatch.store.engine import Database
from dispatch.store.tables import CallRow
from tests.integration.gateway.serving import Gateway, Tenant

TOOL = {
    "name": "find_order",
    "description": "Finds an order.",
    "parameters": {"type": "object", "properties": {"order": {"type": "string"}}},
    "http": {"method": "GET", "url": "https://shop.example.com/orders"},
}
DOCUMENT = {"file": ("hours.txt", b"The shop opens at nine.", "text/plain")}


@dataclass
class Everything:
    """A tenant's things, by the names that paths and bodies give them."""

    tenant: Tenant
    agent_id: str
    config_id: int
    writer_id: str
    version: int
    carrier_connection_id: str
    phone_number: str
    number_id: str
    knowledge_base_id: str
    knowledge_base_number: int
    document_id: str
    tool_id: str
    provider: str
    room_name: str
    full_room_name: str
    chat_session_id: str
    """A session of Agntix's API."""
    conversation_id: str
    """A session of TalkifAI's API."""
    chat_token: str
    voice_session_id: str
    voice_token: str
    call_id: str
    member_id: str
    spare_key_id: str
    project_id: str = field(init=False)
    organization_id: str = field(init=False)
    key_id: str = field(init=False)

    def __post_init__(self) -> None:
        self.project_id = self.tenant.project_id
        self.organization_id = self.tenant.organization_id
        self.key_id = self.tenant.key_id

    def in_path(self, method: str, path: str) -> dict[str, str]:
        """Return the things by the names of a path's parameters."""
        number = self.number_id if names_numbers_id(method, path) else self.phone_number
        # VoxAI's clients know agents by small numbers.
        agent_id = str(self.config_id) if path.startswith("/api/v1/") else self.agent_id
        return {
            "agent_id": agent_id,
            "version": str(self.version),
            "carrier_connection_id": self.carrier_connection_id,
            "phone_number": number,
            "phone_number_id": self.number_id,
            "knowledge_base_id": self.knowledge_base_id,
            "document_id": self.document_id,
            "tool_id": self.tool_id,
            "provider": self.provider,
            "room_name": self.full_room_name,
            "session_id": self.chat_session_id,
            "conversation_id": self.conversation_id,
            "call_id": self.call_id,
            "member_id": self.member_id,
            "key_id": self.spare_key_id,
            "project_id": self.project_id,
            "organization_id": self.organization_id,
        }


def names_numbers_id(method: str, path: str) -> bool:
    """Whether a path names a phone number by its id: clients of some APIs do, others write it."""
    return (path, method.upper()) in {
        ("/v1/phone-numbers/{phone_number}", "PUT"),
        ("/v1/phone-numbers/{phone_number}", "PATCH"),
        ("/v1/phone-numbers/{phone_number}", "DELETE"),
        ("/v1/chat/phone-numbers/{phone_number}", "GET"),
        ("/v1/chat/phone-numbers/{phone_number}", "PATCH"),
    }


async def one_of_everything(
    gateway: Gateway, database: Database, tenant: Tenant, number: str, subject: str = ""
) -> Everything:
    """Give a tenant with credits one of everything.

    Args:
        gateway: Where to.
        database: For what only calls make.
        tenant: Whose it will be.
        number: A phone number that nobody has.
        subject: The member's name at the identity provider; made up unless it is given.
    """
    http = tenant.http
    tool = await _made(http, "/v1/tools", TOOL)
    base = await _made(http, "/v1/knowledge-bases", {"name": "Shop", "embedding": None})
    documents = f"/v1/knowledge-bases/{base['id']}/documents"
    document = await http.post(documents, files=DOCUMENT)
    assert document.status_code == 201, document.text
    provider = f"vendor-{uuid.uuid4().hex[:8]}"
    values = {"values": {"api_key": "sk-0123456789ab"}}
    secret = await http.put(f"/v1/secrets/{provider}", json=values)
    assert secret.status_code == 200, secret.text
    agent = await tenant.agent(toolIds=[tool["id"]], knowledgeBaseIds=[base["id"]])
    writer = await tenant.agent(name="Writer", voiceEnabled=False)
    connection = await tenant.connection()
    termination = f"/v1/carrier-connections/{connection['id']}/termination"
    placed = await http.put(termination, json={"uri": "sip.example.com"})
    assert placed.status_code == 200, placed.text
    own = {"agentId": agent["id"], "connectionId": connection["id"]}
    called = await tenant.number(number, **own)
    await http.patch(
        f"/v1/chat/phone-numbers/{called['id']}", json={"outBoundAgentId": agent["id"]}
    )
    await _made(http, "/api/v1/sessions", {"room_name": "my-room"})
    joined = await http.post("/api/v1/token", json={"identity": "ann", "room": "my-room"})
    assert joined.status_code == 200, joined.text
    voice = await _made(http, "/v1/voice/sessions", {"agentId": agent["id"]})
    session = await _made(http, "/v1/chat/chat/sessions", {"agentId": writer["id"]})
    chat = await http.post("/v1/chat/sessions", json={"agent_id": writer["id"]})
    assert chat.status_code == 200, chat.text
    of_organization = f"/admin/v1/organizations/{tenant.organization_id}"
    of_project = f"/admin/v1/projects/{tenant.project_id}"
    member = await _made(
        gateway.admin,
        f"{of_organization}/members",
        {"subject": subject or uuid.uuid4().hex, "role": "owner"},
    )
    key = await _made(gateway.admin, f"{of_project}/keys", {"name": "spare"})
    return Everything(
        tenant=tenant,
        agent_id=agent["id"],
        config_id=agent["configId"],
        writer_id=writer["id"],
        version=agent["version"],
        carrier_connection_id=connection["id"],
        phone_number=number,
        number_id=called["id"],
        knowledge_base_id=base["id"],
        knowledge_base_number=base["number"],
        document_id=document.json()["id"],
        tool_id=tool["id"],
        provider=provider,
        room_name="my-room",
        full_room_name=joined.json()["room"],
        chat_session_id=session["id"],
        conversation_id=chat.json()["conversation_id"],
        chat_token=chat.json()["session_token"],
        voice_session_id=voice["id"],
        voice_token=voice["token"],
        call_id=await _recorded_call(database, tenant, number, agent["id"]),
        member_id=member["id"],
        spare_key_id=key["id"],
    )


async def _recorded_call(database: Database, tenant: Tenant, number: str, agent_id: str) -> str:
    call_id = uuid.uuid4()
    at = datetime(2026, 1, 1, 12, tzinfo=UTC)
    async with database.transaction() as db:
        db.add(
            CallRow(
                id=call_id,
                organization_id=uuid.UUID(tenant.organization_id),
                project_id=uuid.UUID(tenant.project_id),
                agent_id=uuid.UUID(agent_id),
                agent_version=1,
                kind="sip",
                direction="inbound",
                state="ended",
                room_name=f"call_{call_id.hex}",
                called_number=number,
                caller_number="+12015550123",
                started_at=at,
                answered_at=at,
                ended_at=at,
                billed_s=1,
                cost_microcredits=1_667,
                ended_by="caller",
                end_reason="hang_up",
            )
        )
    return str(call_id)


async def _made(http: httpx.AsyncClient, path: str, body: Any) -> dict[str, Any]:
    answer = await http.post(path, json=body)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made
