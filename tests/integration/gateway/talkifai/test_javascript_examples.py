"""What a site with TalkifAI's chat does: its server and its page, in Node.

Source: docs.talkifai.dev, guides/chat-api ("Backend proxy", "Parsing the stream") and
api-reference/chat. Only host, key and agent are the reader's own. The same page in a browser is in
`test_browsers.py`.
"""

import json
from pathlib import Path

import pytest

from tests.integration.gateway.following import in_node, needs_node
from tests.integration.gateway.listening import listening
from tests.integration.gateway.serving import Gateway

pytestmark = [pytest.mark.integration, needs_node]

HOST = "https://api.talkifai.dev"

CHAT = r"""
// The site's server: only it knows the key.
async function start() {
  const response = await fetch("https://api.talkifai.dev/v1/chat/sessions", {
    method: "POST",
    headers: {
      "X-API-Key": process.env.TALKIFAI_API_KEY,
      "Content-Type": "application/json",
    },
    body: JSON.stringify({ agent_id: process.env.TALKIFAI_AGENT_ID }),
  });
  return response.json();
}

// The page: the session's token is enough for it.
const { session_token: sessionToken, conversation_id: conversationId, greeting } = await start();
const events = [];

async function endSession() {
  const response = await fetch(
    `https://api.talkifai.dev/v1/chat/sessions/${conversationId}/end`,
    { method: "POST", headers: { "Authorization": `Bearer ${sessionToken}` } },
  );
  return response.json();
}

async function send(message) {
  const response = await fetch(
    `https://api.talkifai.dev/v1/chat/sessions/${conversationId}/messages`,
    {
      method: "POST",
      headers: {
        "Authorization": `Bearer ${sessionToken}`,
        "Content-Type": "application/json",
      },
      body: JSON.stringify({ message }),
    },
  );
  const reader = response.body.getReader();
  const decoder = new TextDecoder();
  let fullText = "";
  let buffer = "";
  let ended = null;
  while (true) {
    const { done, value } = await reader.read();
    if (done) break;
    buffer += decoder.decode(value, { stream: true });
    const blocks = buffer.split("\n\n");
    buffer = blocks.pop(); // keep what is not complete yet
    for (const block of blocks) {
      let eventType = "";
      let dataStr = "";
      for (const line of block.split("\n")) {
        if (line.startsWith("event: ")) eventType = line.slice(7).trim();
        else if (line.startsWith("data: ")) dataStr = line.slice(6);
      }
      if (!dataStr) continue;
      const data = JSON.parse(dataStr);
      events.push(eventType);
      if (eventType === "chunk") fullText += data.delta;
      if (eventType === "error") throw new Error(data.error);
      if (eventType === "stream_end" && data.end_session) ended = await endSession();
    }
  }
  return { fullText, ended };
}

const first = await send("What services do you offer?");
const last = await send("Goodbye");
console.log(JSON.stringify({ greeting, first, last, events }));
"""

VOICE = r"""
const response = await fetch("https://api.talkifai.dev/v1/chat/voice-sessions", {
  method: "POST",
  headers: { "X-API-Key": process.env.TALKIFAI_API_KEY, "Content-Type": "application/json" },
  body: JSON.stringify({ agent_id: process.env.TALKIFAI_AGENT_ID }),
});
if (!response.ok) throw new Error((await response.json()).detail);
const { room_name, token, livekit_url, agent_name } = await response.json();
const { video } = JSON.parse(Buffer.from(token.split(".")[1], "base64url"));
console.log(JSON.stringify({ room_name, livekit_url, agent_name, video }));
"""

SCRIPT = {
    "steps": [
        {"phrases": ["what services do you offer"], "reply": "Grüße: printers & paper."},
        {"phrases": ["goodbye"], "reply": "See you.", "action": {"end_call": {}}},
    ]
}


async def test_a_page_chats_through_its_sites_server_until_the_agent_ends_it(
    gateway: Gateway, tmp_path: Path
):
    tenant = await gateway.tenant(credits_microcredits=5_000_000, prefix="tk")
    agent = await tenant.agent(script=SCRIPT, greeting="Hello.", voiceEnabled=False)
    async with listening(gateway.app) as address:
        own = {"TALKIFAI_API_KEY": tenant.key, "TALKIFAI_AGENT_ID": agent["id"]}
        out = json.loads(await in_node(CHAT.replace(HOST, address), tmp_path, **own))
    assert out["greeting"] == "Hello."
    assert out["first"] == {"fullText": "Grüße: printers & paper.", "ended": None}
    assert out["last"] == {
        "fullText": "See you.",
        "ended": {"success": True, "message": "Session ended successfully"},
    }
    assert out["events"][0] == "stream_start"
    assert out["events"].count("stream_end") == 2


async def test_a_sites_server_opens_a_voice_session(gateway: Gateway, tmp_path: Path):
    tenant = await gateway.tenant(credits_microcredits=5_000_000, prefix="tk")
    agent = await tenant.agent(name="Support Agent")
    async with listening(gateway.app) as address:
        own = {"TALKIFAI_API_KEY": tenant.key, "TALKIFAI_AGENT_ID": agent["id"]}
        out = json.loads(await in_node(VOICE.replace(HOST, address), tmp_path, **own))
    assert out["room_name"].startswith(f"agent_{agent['id'][:8]}_")
    assert (out["livekit_url"], out["agent_name"]) == ("wss://livekit.example.com", "Support Agent")
    assert out["video"]["room"] == out["room_name"]
    granted = {name for name, value in out["video"].items() if value is True}
    assert granted == {"roomJoin", "canPublish", "canSubscribe"}
    assert out["video"]["canPublishData"] is False
