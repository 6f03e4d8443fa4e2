"""HTTP tools in the framework's own text mode: the real session, script and server."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from livekit.agents import Agent, AgentSession

from dispatch.script import Script
from dispatch.tools.addresses import AllowedHosts
from dispatch.tools.runner import HttpToolRunner
from tests.builders.tools import CRM_KEY, http_tool, secrets_of
from tests.servers.tool_server import Reply, ToolServer, json_reply, running_tool_server
from worker.builtin import ScriptLLM
from worker.ending import CALLER_HUNG_UP, Ending
from worker.held_keys import HeldKeys
from worker.tools.http import http_tools

pytestmark = pytest.mark.unit

SCRIPT = Script.model_validate(
    {
        "steps": [
            {
                "phrases": ["my order"],
                "reply": "One moment.",
                "action": {"look_up": {"order": "12"}},
                "then": "It is {result.status}.",
            },
            {"phrases": ["hello"], "reply": "Hello."},
        ]
    }
)


class Desk:
    """An agent with one tool at work."""

    def __init__(self, server: ToolServer, session: AgentSession[Any]) -> None:
        self.server = server
        self.session = session
        self.ending = Ending()
        self.held = HeldKeys()
        self.said: asyncio.Queue[str] = asyncio.Queue()
        self.results: asyncio.Queue[tuple[str, bool]] = asyncio.Queue()
        session.on("conversation_item_added", self._on_item)
        session.on("function_tools_executed", self._on_tools)

    async def hear(self) -> str:
        async with asyncio.timeout(30):
            return await self.said.get()

    async def called(self) -> None:
        """Wait until the tool's request is at the server."""
        async with asyncio.timeout(30):
            while not self.server.received:
                await asyncio.sleep(0.01)

    def _on_item(self, event: Any) -> None:
        if getattr(event.item, "role", "") == "assistant":
            self.said.put_nowait(event.item.text_content)

    def _on_tools(self, event: Any) -> None:
        for _, output in event.zipped():
            self.results.put_nowait((output.output, output.is_error))


@pytest.fixture
async def server() -> AsyncIterator[ToolServer]:
    async with running_tool_server(lambda _request: json_reply({"status": "sent"})) as server:
        yield server


@pytest.fixture(params=["GET"])
async def desk(request: Any, server: ToolServer) -> AsyncIterator[Desk]:
    tool = http_tool(
        server.url("/orders"),
        method=request.param,
        headers={"Authorization": "Bearer {{secret:crm.api_key}}"},
        parameters={"type": "object", "required": ["order"]},
    )
    runner = HttpToolRunner(AllowedHosts(["127.0.0.1"]))
    async with AgentSession[Any](llm=ScriptLLM(SCRIPT)) as session:
        desk = Desk(server, session)
        tools: list[Any] = http_tools([tool], runner, secrets_of, desk.ending, desk.held)
        await session.start(Agent(instructions="", tools=tools))
        yield desk
    await runner.aclose()


async def test_the_agent_speaks_what_the_tool_answered(desk: Desk) -> None:
    await desk.session.run(user_input="my order")

    assert [await desk.hear(), await desk.hear()] == ["One moment.", "It is sent."]
    assert desk.server.received[0].target == "/orders?order=12"
    assert desk.server.received[0].headers["authorization"] == f"Bearer {CRM_KEY}"
    assert await desk.results.get() == ('{"status":"sent"}', False)


async def test_a_tool_that_fails_is_an_error_to_the_agent(desk: Desk) -> None:
    desk.server.behave = lambda _request: Reply(b"no", 404)

    await desk.session.run(user_input="my order")

    assert [await desk.hear(), await desk.hear()] == ["One moment.", SCRIPT.error_reply]
    assert await desk.results.get() == ("The tool answered with the error 404. no", True)


async def test_a_caller_who_talks_meanwhile_is_answered_at_once(desk: Desk) -> None:
    answer = asyncio.Event()

    async def hold() -> None:
        await answer.wait()

    desk.server.behave = lambda _request: Reply(
        b'{"status":"sent"}', headers={"Content-Type": "application/json"}, until=hold
    )
    desk.session.generate_reply(user_input="my order")
    assert await desk.hear() == "One moment."
    await desk.called()

    desk.session.generate_reply(user_input="hello")
    assert await desk.hear() == "Hello."
    answer.set()

    assert await desk.hear() == "It is sent."


async def test_a_tool_that_hangs_does_not_keep_the_call(desk: Desk) -> None:
    desk.server.behave = lambda _request: Reply(pause_s=3_600)
    desk.session.generate_reply(user_input="my order")
    await desk.called()

    desk.ending.cut_off(CALLER_HUNG_UP)

    async with asyncio.timeout(30):
        await desk.session.aclose()


@pytest.mark.parametrize("desk", ["POST"], indirect=True)
async def test_what_a_tool_changes_is_waited_for_after_the_call(desk: Desk) -> None:
    hung_up = asyncio.Event()

    async def wait() -> None:
        await hung_up.wait()

    desk.server.behave = lambda _request: Reply(b"booked", until=wait)
    desk.session.generate_reply(user_input="my order")
    await desk.called()

    desk.ending.cut_off(CALLER_HUNG_UP)
    closing = asyncio.create_task(desk.session.aclose())
    hung_up.set()
    async with asyncio.timeout(30):
        await closing

    assert desk.results.get_nowait() == ("booked", False)
