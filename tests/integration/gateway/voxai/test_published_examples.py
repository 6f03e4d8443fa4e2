"""The requests of VoxAI's API page, as its readers send them with curl and with fetch.

Only host and key are the reader's own; the ids are those of a fresh project. Source:
voxai.ai0.dev/docs/api, "cURL" of every endpoint. It prints no JavaScript that can be had; the
program here sends the token's request and reads its limits and errors as the page says them.
"""

import json
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from dispatch.accounts import SYSTEM
from tests.integration.gateway.following import in_node, in_shell, needs_node
from tests.integration.gateway.listening import listening
from tests.integration.gateway.serving import LIVEKIT_URL, Gateway, Tenant

pytestmark = pytest.mark.integration

HOST = "https://voxai.ai0.dev"
KEY = "YOUR_KEY"

TOKEN = r"""
curl -X POST https://voxai.ai0.dev/api/v1/token \
  -H "Content-Type: application/json" \
  -H "X-API-Key: YOUR_KEY" \
  -d '{"identity":"user1","room":"my-room"}'
"""

SEARCH = r"""
curl -X POST https://voxai.ai0.dev/api/v1/knowledge/search \
  -H "Content-Type: application/json" \
  -H "X-API-Key: YOUR_KEY" \
  -d '{"knowledge_base_id":1,"query":"refund policy","top_k":5}'
"""

START_SESSION = r"""
curl -X POST https://voxai.ai0.dev/api/v1/sessions \
  -H "Content-Type: application/json" \
  -H "X-API-Key: YOUR_KEY" \
  -d '{"room_name":"proj_my-room","agent_config_id":1,"session_type":"voice"}'
"""

TRANSCRIPT = r"""
curl -X POST https://voxai.ai0.dev/api/v1/sessions/proj_my-room/transcript \
  -H "Content-Type: application/json" \
  -H "X-API-Key: YOUR_KEY" \
  -d '{"speaker":"user","content":"Hello","timestamp_ms":1200}'
"""

END_SESSION = r"""
curl -X POST https://voxai.ai0.dev/api/v1/sessions/proj_my-room/end \
  -H "Content-Type: application/json" \
  -H "X-API-Key: YOUR_KEY" \
  -d '{"summary":"Asked about refunds","duration":120}'
"""

NODE = r"""
const base = "https://voxai.ai0.dev/api/v1";

async function voxai(path, init = {}) {
  const headers = { "X-API-Key": "YOUR_KEY", "Content-Type": "application/json" };
  const response = await fetch(base + path, { ...init, headers });
  const body = await response.json();
  if (!response.ok) throw new Error(`${body.code}: ${body.error}`);
  const remaining = Number(response.headers.get("X-RateLimit-Remaining"));
  const reset = Number(response.headers.get("X-RateLimit-Reset")) * 1000 - Date.now();
  return { body, remaining, reset };
}

const { body: { agents } } = await voxai("/agents");
const joined = await voxai("/token", {
  method: "POST",
  body: JSON.stringify({
    identity: "user-123",
    room: "my-room",
    agent_config_id: agents[0].id,
    grants: { canPublishData: false },
  }),
});
const refused = await voxai("/agents/999/tools").catch((error) => error.message);
console.log(JSON.stringify({ agents, joined, refused }));
"""


def get(path: str) -> str:
    """Return the page's form of every GET."""
    return f'curl "{HOST}/api/v1{path}" -H "X-API-Key: {KEY}"'


class Reader:
    """Somebody who follows the page with their own host and key."""

    def __init__(self, address: str, key: str, directory: Path) -> None:
        self._address, self._key, self._directory = address, key, directory

    async def curl(self, printed: str) -> Any:
        """Run a printed command and return its JSON."""
        return json.loads(await in_shell(self._own(printed), self._directory))

    async def node(self, program: str) -> Any:
        """Run a program and return the JSON it prints."""
        return json.loads(await in_node(self._own(program), self._directory))

    def _own(self, printed: str) -> str:
        return printed.replace(HOST, self._address).replace(KEY, self._key)


@pytest.fixture
async def tenant(gateway: Gateway) -> Tenant:
    return await gateway.tenant(credits_microcredits=5_000_000)


@pytest.fixture
async def reader(gateway: Gateway, tenant: Tenant, tmp_path: Path) -> AsyncIterator[Reader]:
    async with listening(gateway.app) as address:
        yield Reader(address, tenant.key, tmp_path)


async def test_a_room_is_entered_and_seen(gateway: Gateway, tenant: Tenant, reader: Reader):
    agent = await tenant.agent()
    joined = await reader.curl(TOKEN)
    assert list(joined) == ["token", "room", "wsUrl", "agents_dispatched"]
    agents = (await reader.curl(get("/agents")))["agents"]
    assert [(each["id"], each["name"]) for each in agents] == [(1, agent["name"])]
    assert await reader.curl(get("/agents/1/tools")) == {"tools": []}
    # The room is opened by who enters it first.
    gateway.rooms.open_sip_room(joined["room"])
    rooms = (await reader.curl(get("/rooms")))["rooms"]
    assert [(room["name"], room["fullName"]) for room in rooms] == [("my-room", joined["room"])]
    assert await reader.curl(get("/rooms/my-room/participants")) == {"participants": []}


async def test_a_session_is_kept_from_its_beginning_to_its_end(tenant: Tenant, reader: Reader):
    await tenant.agent()
    started = await reader.curl(START_SESSION)
    assert started["room_name"].endswith("_my-room")
    line = await reader.curl(TRANSCRIPT)
    assert (line["speaker"], line["content"]) == ("user", "Hello")
    ended = await reader.curl(END_SESSION)
    assert (ended["id"], ended["status"], ended["duration"]) == (started["id"], "completed", 120)


async def test_knowledge_usage_and_quota_are_read(tenant: Tenant, reader: Reader):
    await tenant.http.post("/v1/knowledge-bases", json={"name": "Shop"})
    assert (await reader.curl(SEARCH))["results"] == []
    usage = await reader.curl(get("/usage?period=7d&group_by=model"))
    assert (usage["period"], usage["group_by"]) == ("7d", "model")
    assert list(await reader.curl(get("/quota"))) == ["plan", "plan_display", "quotas"]


async def test_an_agent_server_reads_its_projects_secrets(gateway: Gateway, tmp_path: Path):
    tenant = await gateway.tenant(scopes=["secrets:read"])
    project_id = uuid.UUID(tenant.project_id)
    await gateway.services.secrets.put(SYSTEM, project_id, "openai", {"api_key": "sk-1234"})
    async with listening(gateway.app) as address:
        reader = Reader(address, tenant.key, tmp_path)
        answer = await reader.curl(get(f"/projects/{project_id}/secrets/openai"))
    assert answer == {"provider": "openai", "secrets": {"api_key": "sk-1234"}}


@needs_node
async def test_node_takes_a_token_and_reads_limits_and_errors(tenant: Tenant, reader: Reader):
    await tenant.agent()
    out = await reader.node(NODE)
    assert [agent["id"] for agent in out["agents"]] == [1]
    joined = out["joined"]
    assert joined["body"]["agents_dispatched"] == [1]
    assert joined["body"]["wsUrl"] == LIVEKIT_URL
    assert joined["remaining"] > 0
    # A sliding minute of quarter seconds, told as a whole second of the clock, rounded up.
    assert 0 < joined["reset"] <= 61_250
    assert out["refused"].startswith("NOT_FOUND: ")
