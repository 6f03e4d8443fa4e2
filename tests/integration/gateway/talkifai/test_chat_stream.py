"""A chat over a real connection, with a model that takes its time."""

import asyncio
import contextlib
import json
import uuid
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest

from dispatch.access.audit import ADMINISTRATOR
from dispatch.settings import DispatchSettings
from dispatch.store.engine import Database
from dispatch.store.redis_client import RedisClient, connect_redis
from tests.integration.gateway.listening import listening
from tests.integration.gateway.serving import Gateway, serving
from tests.servers.openai_chat import KEY, Call, OpenAIChatServer, Reply

pytestmark = pytest.mark.integration

CREDITS = 5_000_000
SESSIONS = "/v1/chat/sessions"


@pytest.fixture
def server() -> Iterator[OpenAIChatServer]:
    with OpenAIChatServer().running() as server:
        yield server


@pytest.fixture
async def chat(
    database: Database,
    redis: RedisClient,
    redis_url: str,
    dispatch_settings: DispatchSettings,
    server: OpenAIChatServer,
) -> AsyncIterator[httpx.AsyncClient]:
    """A client in a session whose agent's model is the server's; its base is the session."""
    connected = connect_redis(redis_url)
    settings = dispatch_settings.model_copy(update={"dialplane_tool_allowed_hosts": ("127.0.0.1",)})
    async with serving(database, connected, settings) as gateway, listening(gateway.app) as url:
        opened = await _open(gateway, server)
        async with httpx.AsyncClient(
            base_url=f"{url}{SESSIONS}/{opened['conversation_id']}",
            headers={"Authorization": f"Bearer {opened['session_token']}"},
            timeout=60,
        ) as client:
            yield client
        server.gate.set()
    await connected.aclose()


async def _open(gateway: Gateway, server: OpenAIChatServer) -> dict[str, Any]:
    tenant = await gateway.tenant(credits_microcredits=CREDITS, prefix="tk")
    await gateway.services.secrets.put(
        ADMINISTRATOR, uuid.UUID(tenant.project_id), "openai", {"api_key": KEY}
    )
    llm = {"provider": "openai", "model": "gpt-4o-mini", "baseUrl": server.base_url}
    billing = await tenant.agent(name="Billing", greeting="Billing here.")
    agent = await tenant.agent(
        voiceEnabled=False, models={"llm": llm}, handoffAgentIds=[billing["id"]]
    )
    assert agent["handoffAgentIds"] == [billing["id"]]
    answer = await tenant.http.post(SESSIONS, json={"agent_id": agent["id"]})
    opened: dict[str, Any] = answer.json()
    assert opened["agent_model"] == "gpt-4o-mini"
    return opened


async def first_chunk(lines: AsyncIterator[str]) -> str:
    async for line in lines:
        if line.startswith("data: ") and "delta" in line:
            delta: str = json.loads(line.removeprefix("data: "))["delta"]
            return delta
    raise AssertionError("The stream ended without a word.")


async def test_a_word_arrives_before_the_answer_is_complete(
    chat: httpx.AsyncClient, server: OpenAIChatServer
):
    server.replies = [Reply(says=["From nine ", "to five."])]
    server.gate.clear()
    async with chat.stream("POST", "/messages", json={"message": "Hello"}) as stream:
        assert stream.status_code == 200
        lines = stream.aiter_lines()
        assert await first_chunk(lines) == "From nine "
        server.gate.set()
        assert "event: stream_end" in [line async for line in lines]


async def test_a_handoff_is_told_as_both_of_talkifais_pages_tell_it(
    chat: httpx.AsyncClient, server: OpenAIChatServer
):
    server.replies = [Reply(calls=[Call("handoff", {"agent": "Billing"})])]
    answer = await chat.post("/messages", json={"message": "My invoice?"})
    frames = [frame.split("\n") for frame in blocks(answer.text)]
    told = [(event.removeprefix("event: "), json.loads(data[6:])) for event, data, *_ in frames]
    assert told == [
        ("stream_start", {"agent_name": "Reception"}),
        ("tool_call", {"name": "handoff", "status": "executing"}),
        ("tool_result", {"name": "handoff", "status": "completed"}),
        ("handoff", {"to": "Billing", "from_agent": "Reception", "to_agent": "Billing"}),
        ("chunk", {"delta": "Billing here."}),
        ("stream_end", {"usage": {"input_tokens": 10, "output_tokens": 5}, "end_session": False}),
    ]
    # The other agent is a script of ours, and no vendor is asked any more.
    await chat.post("/messages", json={"message": "Hello?"})
    assert len(server.requests) == 1


def blocks(stream: str) -> list[str]:
    """The frames of a stream."""
    return [block for block in stream.replace("\r\n", "\n").split("\n\n") if block.strip()]


async def test_a_connection_that_breaks_loses_nothing(
    chat: httpx.AsyncClient, server: OpenAIChatServer
):
    server.replies = [Reply(says=["From nine ", "to five."])]
    server.gate.clear()
    with contextlib.suppress(httpx.StreamClosed, GeneratorExit):
        async with chat.stream("POST", "/messages", json={"message": "Hello"}) as stream:
            await first_chunk(stream.aiter_lines())
    server.gate.set()
    async with asyncio.timeout(30):
        while (history := (await chat.get("/messages")).json())["count"] < 3:
            # A session may be read a hundred times a minute.
            await asyncio.sleep(0.3)
    assert history["messages"][-1]["content"] == "From nine to five."
    assert len(server.requests) == 1


async def test_409_while_the_message_before_is_being_answered(
    chat: httpx.AsyncClient, server: OpenAIChatServer
):
    server.gate.clear()
    async with chat.stream("POST", "/messages", json={"message": "One"}) as stream:
        lines = stream.aiter_lines()
        await first_chunk(lines)
        refused = await chat.post("/messages", json={"message": "Two"})
        server.gate.set()
        assert "event: stream_end" in [line async for line in lines]
    assert (refused.status_code, refused.content) == (
        409,
        b'{"detail":"Another message of this session is being answered; wait for its end."}',
    )


async def test_a_model_that_fails_is_told_as_an_event(
    chat: httpx.AsyncClient, server: OpenAIChatServer
):
    server.replies = [Reply(says=["From nine"], breaks_after=1)]
    answer = await chat.post("/messages", json={"message": "Hello"})
    assert answer.status_code == 200
    assert answer.text.endswith(
        "event: error\n"
        'data: {"error": "Something went wrong while answering. Please try again."}\n\n'
    )
