"""The curl and Node examples of Agntix's documentation, run as printed but for the reader's own.

That is host, key and ids (placeholders in the documentation, as `96f3b0a3-1234-…` or
`deepgram-nova-2-uuid`). Source: docs.agntix.ai, pages quickstart, agents, chat, voice, phone
numbers, tools.
"""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from dispatch.models.catalogue import ModelKind, catalogue
from tests.integration.gateway.following import needs_node, run
from tests.integration.gateway.listening import listening
from tests.integration.gateway.serving import Gateway, Tenant

pytestmark = pytest.mark.integration

HOST = "https://api.agntix.ai"
AGENT_ID = "a1b2c3d4-e5f6-7890-abcd-ef1234567890"
SESSION_ID = "ses_01j3m8xkqp8v2nw4f7g9hk0r"

LIST_MODELS = r"""
curl https://api.agntix.ai/v1/chat/models \
  -H "x-api-key: $AGNTIX_API_KEY"
"""

QUICKSTART_AGENT = r"""
curl https://api.agntix.ai/v1/chat/agents \
  -H "x-api-key: $AGNTIX_API_KEY" \
  -H "Content-Type: application/json" \
  -d '{
    "name": "Quickstart bot",
    "modelId": "gpt-4o-mini",
    "systemPrompt": "You are a friendly assistant. Be concise."
  }'
"""

VOICE_AGENT = r"""
curl -X POST https://api.agntix.ai/v2/chat/agents \
  -H "x-api-key: pk_live_••••" \
  -H "Content-Type: application/json" \
  -d '{
    "fullName": "Inbound Receptionist",
    "description": "Answers inbound calls and routes to the correct department",
    "role": "You are a professional phone receptionist for Acme Inc.",
    "language": "en",
    "modelId": "96f3b0a3-1234-5678-abcd-ef1234567890",
    "voiceEnabled": true,
    "voicePipelineMode": "pipeline",
    "sttModelId": "deepgram-nova-2-uuid",
    "ttsModelId": "eleven-turbo-uuid"
  }'
"""

UPDATE_AGENT = r"""
curl -X PATCH https://api.agntix.ai/v2/chat/agents/a1b2c3d4-e5f6-7890-abcd-ef1234567890 \
  -H "x-api-key: pk_live_••••" \
  -H "Content-Type: application/json" \
  -d '{
    "fullName": "Tier-1 Support — Updated",
    "systemPrompt": "You specialize in billing, returns, and account access. Be brief.",
    "isActive": true
  }'
"""

LIST_AGENTS = r"""
curl "https://api.agntix.ai/v1/chat/agents?page=1&limit=20&isActive=true&search=support" \
  -H "x-api-key: pk_live_••••"
"""

CREATE_SESSION = r"""
curl -X POST https://api.agntix.ai/v1/chat/chat/sessions \
  -H "x-api-key: pk_live_••••" \
  -H "Content-Type: application/json" \
  -d '{
    "agentId": "a1b2c3d4-e5f6-7890-abcd-ef1234567890",
    "platform": "SDK",
    "metadata": {
      "userId": "usr_123",
      "locale": "en-US"
    }
  }'
"""

SEND_STREAMING = r"""
curl -X POST https://api.agntix.ai/v1/chat/chat/sessions/ses_01j3m8xkqp8v2nw4f7g9hk0r/messages \
  -H "x-api-key: pk_live_••••" \
  -H "Content-Type: application/json" \
  --no-buffer \
  -d '{ "content": "What is my current subscription plan?", "stream": true }'
"""

CLOSE_SESSION = r"""
curl -X PATCH https://api.agntix.ai/v1/chat/chat/sessions/ses_01j3m8xkqp8v2nw4f7g9hk0r/close \
  -H "x-api-key: pk_live_••••" \
  -H "Content-Type: application/json" \
  -d '{ "reason": "RESOLVED" }'
"""

VOICE_SESSION = r"""
curl -X POST https://api.agntix.ai/v1/voice/sessions \
  -H "x-api-key: pk_live_••••" \
  -H "Content-Type: application/json" \
  -d '{
    "agentId": "a1b2c3d4-e5f6-7890-abcd-ef1234567890",
    "metadata": { "callerId": "+15550001234" }
  }'
"""

CREATE_TOOL = r"""
curl -X POST https://api.agntix.ai/v1/chat/tools \
  -H "x-api-key: pk_live_••••" \
  -H "Content-Type: application/json" \
  -d '{
    "name": "SUBMIT_SUPPORT_TICKET",
    "description": "Submits a new support ticket. Call when the user wants to raise an issue.",
    "type": "API_TOOL",
    "apiTool": {
      "url": "https://api.acme.com/v1/accounts/{{customerId}}/tickets",
      "method": "POST",
      "headers": { "Authorization": "Bearer sk_acme_••••", "Content-Type": "application/json" },
      "body": {
        "subject": "{{subject}}",
        "description": "{{description}}",
        "priority": "{{priority}}"
      }
    },
    "ajvPropertiesSchema": {
      "type": "object",
      "properties": {
        "customerId": { "type": "string", "description": "Customer ID" },
        "subject": { "type": "string", "description": "Ticket subject" },
        "description": { "type": "string", "description": "Detailed issue description" },
        "priority": { "type": "string", "enum": ["low", "medium", "high"] }
      },
      "required": ["subject", "description"]
    },
    "preExecutionMessage": "Let me check your balance..."
  }'
"""

CREATE_KEY = r"""
curl https://api.agntix.ai/v1/chat/api-keys \
  -H "x-api-key: $AGNTIX_API_KEY" \
  -H "Content-Type: application/json" \
  -d '{ "name": "CI/CD bot", "scopes": ["chat:write", "agents:read"] }'
"""

NODE = r"""
const session = await (await fetch("https://api.agntix.ai/v1/chat/chat/sessions", {
  method: "POST",
  headers: { "x-api-key": process.env.AGNTIX_API_KEY, "Content-Type": "application/json" },
  body: JSON.stringify({ agentId }),
})).json();

const reply = await (await fetch(
  `https://api.agntix.ai/v1/chat/chat/sessions/${session.id}/messages`,
  {
    method: "POST",
    headers: { "x-api-key": process.env.AGNTIX_API_KEY, "Content-Type": "application/json" },
    body: JSON.stringify({ content: "Say hello in three words." }),
  },
)).json();

console.log(reply);
"""

NODE_STREAMING = r"""
const res = await fetch(
  `https://api.agntix.ai/v1/chat/chat/sessions/${sessionId}/messages`,
  {
    method: 'POST',
    headers: {
      'x-api-key': 'pk_live_••••',
      'Content-Type': 'application/json',
    },
    body: JSON.stringify({
      content: 'What is my current subscription plan?',
      stream: true,
    }),
  },
);

const reader = res.body.getReader();
const decoder = new TextDecoder();
let fullReply = '';

while (true) {
  const { done, value } = await reader.read();
  if (done) break;

  const chunk = decoder.decode(value);
  for (const line of chunk.split('\n')) {
    if (line.startsWith('data: ') && line !== 'data: [DONE]') {
      const event = JSON.parse(line.slice(6));
      fullReply += event.delta ?? '';
      process.stdout.write(event.delta ?? '');
    }
  }
}
console.log('\nFull reply:', fullReply);
"""

SCRIPT = {
    "steps": [{"phrases": ["what is my current subscription plan"], "reply": "Your plan is Pro."}],
    "fallback": "Hello to you.",
}


class Reader:
    """Somebody who follows the documentation with their own host, key and ids."""

    def __init__(self, address: str, tenant: Tenant) -> None:
        self._theirs = {
            HOST: address,
            "$AGNTIX_API_KEY": tenant.key,
            "pk_live_••••": tenant.key,
            "sk_acme_••••": "sk_acme_1234",
        }
        self._key = tenant.key

    async def curl(self, printed: str, **ids: str) -> Any:
        """Run a printed command; returns its JSON, or its text where it is none."""
        out = await self._run("sh", "-c", self._own(printed, ids).replace("curl", "curl -sS", 1))
        return json.loads(out) if out.startswith("{") else out

    async def node(self, printed: str, **ids: str) -> str:
        """Run a printed program as a module."""
        return await self._run("node", "--input-type=module", "-e", self._own(printed, ids))

    def _own(self, printed: str, ids: dict[str, str]) -> str:
        for theirs, own in (self._theirs | ids).items():
            printed = printed.replace(theirs, own)
        return printed

    async def _run(self, *command: str) -> str:
        return await run([*command], Path.cwd(), {"AGNTIX_API_KEY": self._key})


@pytest.fixture
async def tenant(gateway: Gateway) -> Tenant:
    return await gateway.tenant(credits_microcredits=5_000_000)


@pytest.fixture
async def reader(gateway: Gateway, tenant: Tenant) -> AsyncIterator[Reader]:
    async with listening(gateway.app) as address:
        yield Reader(address, tenant)


def default_id(kind: ModelKind, provider: str) -> str:
    model = catalogue().default_model(kind, provider)
    assert model is not None
    return str(model.id)


async def test_agents_are_made_found_and_changed(reader: Reader):
    models = await reader.curl(LIST_MODELS)
    assert "gpt-4o-mini" in [model["name"] for model in models["data"]]
    quick = await reader.curl(QUICKSTART_AGENT)
    assert (quick["fullName"], quick["model"]["name"]) == ("Quickstart bot", "gpt-4o-mini")
    ids = {
        "96f3b0a3-1234-5678-abcd-ef1234567890": default_id(ModelKind.LLM, "openai"),
        "deepgram-nova-2-uuid": default_id(ModelKind.STT, "deepgram"),
        "eleven-turbo-uuid": default_id(ModelKind.TTS, "deepgram"),
    }
    voice = await reader.curl(VOICE_AGENT, **ids)
    assert voice["voiceEnabled"] is True
    changed = await reader.curl(UPDATE_AGENT, **{AGENT_ID: quick["id"]})
    assert changed["fullName"] == "Tier-1 Support — Updated"
    found = await reader.curl(LIST_AGENTS)
    assert [agent["id"] for agent in found["data"]] == [quick["id"]]


async def test_a_chat_is_opened_held_and_closed(reader: Reader, tenant: Tenant):
    agent = await tenant.agent(script=SCRIPT)
    session = await reader.curl(CREATE_SESSION, **{AGENT_ID: agent["id"]})
    assert session["metadata"] == {"userId": "usr_123", "locale": "en-US"}
    streamed = await reader.curl(SEND_STREAMING, **{SESSION_ID: session["id"]})
    assert streamed.startswith('data: {"id":"')
    assert streamed.endswith("data: [DONE]\n\n")
    closed = await reader.curl(CLOSE_SESSION, **{SESSION_ID: session["id"]})
    assert closed["state"] == "CLOSED"


async def test_a_voice_session_is_opened(reader: Reader, tenant: Tenant):
    agent = await tenant.agent(script=SCRIPT)
    session = await reader.curl(VOICE_SESSION, **{AGENT_ID: agent["id"]})
    assert session["serverUrl"] == "wss://livekit.example.com"
    assert list(session) == ["id", "agentId", "token", "serverUrl", "createdAt"]


async def test_tools_and_keys_are_made(reader: Reader):
    tool = await reader.curl(CREATE_TOOL)
    assert tool["apiTool"]["body"]["subject"] == "{{subject}}"
    key = await reader.curl(CREATE_KEY)
    assert key["key"].startswith("pk_live_")


@needs_node
async def test_node_chats(reader: Reader, tenant: Tenant):
    agent = await tenant.agent(script=SCRIPT)
    out = await reader.node(f"const agentId = '{agent['id']}';\n{NODE}")
    assert "content: 'Hello to you.'" in out
    session = await reader.curl(CREATE_SESSION, **{AGENT_ID: agent["id"]})
    out = await reader.node(f"const sessionId = '{session['id']}';\n{NODE_STREAMING}")
    assert out.endswith("Full reply: Your plan is Pro.\n")
