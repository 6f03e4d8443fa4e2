"""The curl examples of TalkifAI's documentation, run as printed but for host and key.

Source: docs.talkifai.dev, pages create-session, send-message (which prints its request as a
listing), get-history, end-session, create-voice-session.
"""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest

from dispatch.access.audit import ADMINISTRATOR
from dispatch.accounts import Principal
from dispatch.agent_profile import AgentDraft
from tests.integration.gateway.listening import listening
from tests.integration.gateway.serving import Gateway, Tenant

pytestmark = pytest.mark.integration

AGENT_ID = uuid.UUID("5b710eca-ee67-4c3a-aeb6-8b541f451b40")
"""The agent of every example."""

HOST = "https://api.talkifai.dev"
KEY = "tk_live_your_key"

CREATE_SESSION = r"""
curl -X POST "https://api.talkifai.dev/v1/chat/sessions" \
  -H "X-API-Key: tk_live_your_key" \
  -H "Content-Type: application/json" \
  -d '{
    "agent_id": "5b710eca-ee67-4c3a-aeb6-8b541f451b40",
    "user_identifier": "customer@example.com"
  }'
"""

SEND_MESSAGE = r"""
curl -N -X POST "https://api.talkifai.dev/v1/chat/sessions/chat_abc123/messages" \
  -H "Authorization: Bearer eyJhbGc..." \
  -H "Content-Type: application/json" \
  -d '{
  "message": "What services do you offer?"
}'
"""

GET_HISTORY = r"""
curl -X GET "https://api.talkifai.dev/v1/chat/sessions/chat_abc123/messages?limit=20" \
  -H "Authorization: Bearer eyJhbGc..."
"""

END_SESSION = r"""
curl -X POST "https://api.talkifai.dev/v1/chat/sessions/chat_abc123/end" \
  -H "Authorization: Bearer eyJhbGc..."
"""

CREATE_VOICE_SESSION = r"""
curl -X POST "https://api.talkifai.dev/v1/chat/voice-sessions" \
  -H "X-API-Key: tk_live_your_key" \
  -H "Content-Type: application/json" \
  -d '{
    "agent_id": "5b710eca-ee67-4c3a-aeb6-8b541f451b40"
  }'
"""


@pytest.fixture
async def address(gateway: Gateway) -> AsyncIterator[str]:
    """Where the gateway listens."""
    async with listening(gateway.app) as url:
        yield url


@pytest.fixture
async def tenant(gateway: Gateway) -> Tenant:
    return await gateway.tenant(credits_microcredits=5_000_000, prefix="tk")


async def create_agent(gateway: Gateway, tenant: Tenant, **fields: Any) -> None:
    owner = Principal(
        uuid.UUID(tenant.organization_id),
        uuid.UUID(tenant.project_id),
        uuid.UUID(tenant.key_id),
        "tests",
    )
    script = {"steps": [{"phrases": ["what services do you offer"], "reply": "Printers."}]}
    draft = AgentDraft.model_validate({"name": "Support Agent", "script": script, **fields})
    await gateway.services.agents.create(ADMINISTRATOR, owner, draft, AGENT_ID)


async def run(example: str, **replaced: str) -> str:
    """Run an example in a shell; return what it printed."""
    for printed, real in replaced.items():
        example = example.replace(PLACEHOLDERS[printed], real)
    shell = await asyncio.create_subprocess_shell(
        example.strip(), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    output, error = await asyncio.wait_for(shell.communicate(), 120)
    assert shell.returncode == 0, error.decode()
    return output.decode()


PLACEHOLDERS = {
    "host": HOST,
    "key": KEY,
    "conversation": "chat_abc123",
    "token": "eyJhbGc...",
}


async def test_a_chat_from_its_opening_to_its_end(gateway: Gateway, tenant: Tenant, address: str):
    await create_agent(gateway, tenant, voice_enabled=False)
    opened = json.loads(await run(CREATE_SESSION, host=address, key=tenant.key))
    assert opened["agent_name"] == "Support Agent"
    guest = {
        "host": address,
        "conversation": opened["conversation_id"],
        "token": opened["session_token"],
    }
    stream = await run(SEND_MESSAGE, **guest)
    assert stream == (
        'event: stream_start\ndata: {"agent_name": "Support Agent"}\n\n'
        'event: chunk\ndata: {"delta": "Printers."}\n\n'
        "event: stream_end\n"
        'data: {"usage": {"input_tokens": 5, "output_tokens": 1}, "end_session": false}\n\n'
    )
    history = json.loads(await run(GET_HISTORY, **guest))
    assert [message["content"] for message in history["messages"]] == [
        opened["greeting"],
        "What services do you offer?",
        "Printers.",
    ]
    ended = json.loads(await run(END_SESSION, **guest))
    assert ended == {"success": True, "message": "Session ended successfully"}


async def test_a_voice_session(gateway: Gateway, tenant: Tenant, address: str):
    await create_agent(gateway, tenant)
    opened = json.loads(await run(CREATE_VOICE_SESSION, host=address, key=tenant.key))
    assert list(opened) == ["room_name", "token", "livekit_url", "agent_name"]
    assert opened["room_name"].startswith("agent_5b710eca_")
    assert opened["room_name"] in gateway.rooms.rooms
