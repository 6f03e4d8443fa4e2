"""What JavaScript clients of Agntix do, in Node: the requests and readings its pages print.

Source: docs.agntix.ai, "Node.js" of the pages agents, chat/sessions, chat/messages, tools,
phone-numbers and voice, and sdks/node, errors/error-codes, guides/rate-limits. Chatting and its
stream are in `test_published_examples.py`. Hosts and keys are the reader's own, ids a variable.
"""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from dispatch.models.catalogue import ModelKind, catalogue
from tests.integration.gateway.following import in_node, needs_node
from tests.integration.gateway.listening import listening
from tests.integration.gateway.serving import Gateway, Tenant

pytestmark = [pytest.mark.integration, needs_node]

HOST = "https://api.agntix.ai"

# sdks/node: the wrapper that the other pages' calls fit into. It reads an answer's JSON always.
WRAPPER = r"""
const BASE = "https://api.agntix.ai";

async function agntix(path, init = {}) {
  const res = await fetch(`${BASE}${path}`, {
    ...init,
    headers: {
      "x-api-key": process.env.AGNTIX_API_KEY,
      "Content-Type": "application/json",
      ...init.headers,
    },
  });
  if (!res.ok) {
    const body = await res.json().catch(() => null);
    throw Object.assign(new Error(`Agntix ${res.status}`), { status: res.status, body });
  }
  return res.json();
}
const post = (path, body) => agntix(path, { method: "POST", body: JSON.stringify(body) });
const patch = (path, body) => agntix(path, { method: "PATCH", body: JSON.stringify(body) });
const erase = (path) => fetch(`https://api.agntix.ai${path}`, {
  method: "DELETE",
  headers: { "x-api-key": process.env.AGNTIX_API_KEY },
});
"""

AGENTS_AND_TOOLS = r"""
const newTool = (name) => ({
  name,
  description: "Retrieves the current account balance. Call when the user asks about credit.",
  type: "API_TOOL",
  apiTool: {
    url: "https://api.acme.com/v1/accounts/{{customerId}}/balance",
    method: "GET",
    headers: { Authorization: "Bearer sk_acme_1234" },
  },
  ajvPropertiesSchema: {
    type: "object",
    properties: { customerId: { type: "string", description: "Customer ID" } },
    required: ["customerId"],
  },
  preExecutionMessage: "Let me check your balance...",
});
const tool = await post("/v1/chat/tools", newTool("GET_ACCOUNT_BALANCE"));
const second = await post("/v1/chat/tools", newTool("GET_LIMIT"));
const { data: tools, pagination: toolPages } = await agntix("/v1/chat/tools?page=1&limit=20");
const retold = await patch(`/v1/chat/tools/${tool.id}`, {
  description: "Retrieves balance and pending transactions.",
  preExecutionMessage: "Checking your balance and recent transactions...",
});

const agent = await post("/v2/chat/agents", {
  fullName: "Customer Support Bot",
  description: "Handles tier-1 customer queries",
  role: "You are a helpful, concise support agent for Acme Inc.",
  language: "en",
  systemPrompt: "You specialize in billing, returns, and account access.",
  modelId: process.env.MODEL_ID,
  tools: [{ toolId: tool.id }],
});
// agents/update: add a tool to those it has.
const before = await agntix(`/v2/chat/agents/${agent.id}`);
const existing = before.agentTools.map(({ tool }) => ({ toolId: tool.id }));
await patch(`/v2/chat/agents/${agent.id}`, { tools: [...existing, { toolId: second.id }] });
const after = await agntix(`/v2/chat/agents/${agent.id}`);
const { data: agents, pagination } = await agntix("/v1/chat/agents?page=1&limit=20");

const agentGone = await erase(`/v2/chat/agents/${agent.id}`);
const toolGone = await erase(`/v1/chat/tools/${tool.id}`);
console.log(JSON.stringify({
  tools: tools.map((each) => each.name), toolPages, retold: retold.description,
  before: before.agentTools.map(({ tool }) => tool.name),
  after: after.agentTools.map(({ tool }) => tool.name),
  agents: agents.map((each) => each.fullName), pagination,
  gone: [agentGone.status, toolGone.status],
}));
"""

SESSIONS = r"""
const agentId = process.env.AGENT_ID;
const session = await post("/v1/chat/chat/sessions", {
  agentId, platform: "SDK", metadata: { userId: "usr_123", locale: "en-US" },
});
const message = await post(`/v1/chat/chat/sessions/${session.id}/messages`, {
  content: "What is my plan?", stream: false,
});
const params = new URLSearchParams({ agentId, state: "OPEN", page: "1", limit: "20" });
const { data, pagination } = await agntix(`/v1/chat/chat/sessions?${params}`);
const closed = await patch(`/v1/chat/chat/sessions/${session.id}/close`, { reason: "RESOLVED" });
// chat/messages/list and chat/sessions/get: the past, for chats and calls alike.
const { data: messages } = await agntix(`/api/v1/chat/sessions/${session.id}/messages`);
const past = await agntix(`/api/v1/chat/sessions/${session.id}`);
console.log(JSON.stringify({
  reply: message.content, role: message.role, open: data.map((each) => each.id === session.id),
  total: pagination.total, closed: closed.state, past: past.state,
  resolution: past.analysis?.resolution?.classification ?? null,
  lines: messages.map((each) => `[${each.role}] ${each.content}`),
}));
"""

VOICE_AND_NUMBERS = r"""
const { data: models } = await agntix("/v1/voice/models");
const { data: voices } = await agntix("/v1/voice/voices?language=en");
const { data: providers } = await agntix("/v1/voice/providers");
const agentId = process.env.AGENT_ID;
const number = await post("/v1/chat/phone-numbers", {
  provider: "twilio", number: "+12015550100", agentId,
});
const { items } = await agntix("/api/v1/phone-numbers?size=50");
const { token, serverUrl } = await post("/v1/voice/sessions", {
  agentId, metadata: { callerId: "+12015550123" },
});
console.log(JSON.stringify({
  tts: models.filter((each) => each.type === "TTS").length,
  voices: voices.every((each) => each.name && each.provider && each.gender),
  providers: providers.map((each) => each.name),
  number: number.number, numbers: items.map((each) => each.phone_number),
  token: token.split(".").length, serverUrl,
}));
"""

# errors/error-codes and guides/rate-limits: what to do with each kind of error.
ERRORS = r"""
async function call(path, init) {
  const res = await fetch(`https://api.agntix.ai${path}`, init);
  if (res.ok) return res.json();
  const body = await res.json().catch(() => ({}));
  const code = body.error?.code ?? "UNKNOWN";
  if (res.status === 429) {
    const retryAfter = Number(res.headers.get("Retry-After"));
    throw Object.assign(new Error(code), { code, retryAfter });
  }
  if (res.status === 401) throw Object.assign(new Error("Auth failed"), { code });
  throw Object.assign(new Error(body.error?.message ?? `${res.status}`), {
    status: res.status, code, requestId: body.error?.requestId,
  });
}
const headers = { "x-api-key": process.env.AGNTIX_API_KEY };
const caught = async (path, init) => {
  try { await call(path, init); return null; } catch (e) { return { ...e, message: e.message }; }
};
const nowhere = "/v1/chat/chat/sessions/5b710eca-4a0e-4b52-9c53-3b2f6f0f8d11";
const unknown = await caught(nowhere, { headers });
const refused = await caught("/v1/chat/agents", { headers: { "x-api-key": "pk_live_wrong" } });
let limited = null;
for (let i = 0; i < 10 && !limited; i++) limited = await caught("/v1/chat/agents", { headers });
console.log(JSON.stringify({ unknown, refused, limited }));
"""

Run = Callable[..., Awaitable[Any]]


@pytest.fixture
async def tenant(gateway: Gateway) -> Tenant:
    return await gateway.tenant(credits_microcredits=5_000_000)


@pytest.fixture
async def node(gateway: Gateway, tenant: Tenant, tmp_path: Path) -> AsyncIterator[Run]:
    """Runs a program with the reader's own host and key; returns the JSON it prints."""
    async with listening(gateway.app) as address:

        async def run(program: str, **environment: str) -> Any:
            own = {"AGNTIX_API_KEY": tenant.key, **environment}
            return json.loads(await in_node(program.replace(HOST, address), tmp_path, **own))

        yield run


async def test_agents_get_tools_and_lose_them(node: Run):
    model = catalogue().default_model(ModelKind.LLM, "openai")
    assert model is not None
    out = await node(WRAPPER + AGENTS_AND_TOOLS, MODEL_ID=str(model.id))
    assert sorted(out["tools"]) == ["GET_ACCOUNT_BALANCE", "GET_LIMIT"]
    assert out["toolPages"] == {"page": 1, "limit": 20, "total": 2, "totalPages": 1}
    assert out["retold"] == "Retrieves balance and pending transactions."
    assert out["before"] == ["GET_ACCOUNT_BALANCE"]
    assert out["after"] == ["GET_ACCOUNT_BALANCE", "GET_LIMIT"]
    assert (out["agents"], out["pagination"]["total"]) == (["Customer Support Bot"], 1)
    assert out["gone"] == [204, 204]


async def test_a_chat_is_held_listed_closed_and_read_again(node: Run, tenant: Tenant):
    script = {"steps": [{"phrases": ["what is my plan"], "reply": "Your plan is Pro."}]}
    agent = await tenant.agent(script=script, greeting="Hello.")
    assert await node(WRAPPER + SESSIONS, AGENT_ID=agent["id"]) == {
        "reply": "Your plan is Pro.",
        "role": "ASSISTANT",
        "open": [True],
        "total": 1,
        "closed": "CLOSED",
        "past": "CLOSED",
        "resolution": None,
        "lines": ["[ASSISTANT] Hello.", "[USER] What is my plan?", "[ASSISTANT] Your plan is Pro."],
    }


async def test_voices_are_listed_and_a_number_and_a_session_made(node: Run, tenant: Tenant):
    await tenant.connection()
    agent = await tenant.agent()
    out = await node(WRAPPER + VOICE_AND_NUMBERS, AGENT_ID=agent["id"])
    assert out["tts"] > 0
    assert out["voices"] is True
    assert "Deepgram" in out["providers"]
    assert (out["number"], out["numbers"]) == ("+12015550100", ["+12015550100"])
    assert (out["token"], out["serverUrl"]) == (3, "wss://livekit.example.com")


async def test_errors_say_their_code_and_how_long_to_wait(
    gateway: Gateway, tenant: Tenant, node: Run
):
    at = f"/admin/v1/keys/{tenant.key_id}/limits"
    await gateway.admin.put(at, json={"limits": {"agntix": 5}})
    out = await node(ERRORS)
    assert out["unknown"]["code"] == "SESSION_NOT_FOUND"
    assert out["unknown"]["status"] == 404
    assert out["unknown"]["requestId"]
    assert out["refused"] == {"code": "UNAUTHORIZED", "message": "Auth failed"}
    assert out["limited"]["code"] == "RATE_LIMITED"
    # A window moves on by quarter seconds, and the wait is told in whole ones.
    assert 0 < out["limited"]["retryAfter"] <= 61
