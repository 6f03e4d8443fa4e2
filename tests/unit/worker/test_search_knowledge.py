"""Looking something up in the framework's own text mode: the real session, script and tool."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from livekit.agents import Agent, AgentSession

from dispatch.agent_profile import AgentProfile
from dispatch.billing.items import KeySource, Service, Unit, UsageItem
from dispatch.knowledge.answering import LookUp
from dispatch.script import Script
from tests.builders.agents import a_profile
from worker.builtin import ScriptLLM
from worker.tools.search_knowledge import search_knowledge_tools

pytestmark = pytest.mark.unit

SCRIPT = Script.model_validate(
    {
        "steps": [
            {
                "phrases": ["prices"],
                "reply": "One moment.",
                "action": {"search_knowledge": {"query": "price list"}},
            }
        ],
        "fallback_to_knowledge": True,
    }
)


TOOK = UsageItem(Service.EMBEDDING, "openai", "letters", Unit.INPUT_TOKENS, 2, KeySource.OWN)


class Shelf:
    """Knowledge bases that hold one sentence, and what they were asked."""

    def __init__(self) -> None:
        self.queries: list[object] = []
        answer = json.dumps({"passages": [], "say": "A tart is three credits."})
        self.answer = LookUp(answer, used=[TOOK])

    async def look_up(self, _agent: AgentProfile, query: object) -> LookUp:
        self.queries.append(query)
        return self.answer


class Desk:
    """An agent at work that can look things up."""

    def __init__(self, session: AgentSession[Any], shelf: Shelf) -> None:
        self.session = session
        self.shelf = shelf
        self.used: list[UsageItem] = []
        self.said: asyncio.Queue[str] = asyncio.Queue()
        session.on("conversation_item_added", self._on_item)

    async def hear(self) -> str:
        async with asyncio.timeout(30):
            return await self.said.get()

    def _on_item(self, event: Any) -> None:
        if getattr(event.item, "role", "") == "assistant":
            self.said.put_nowait(event.item.text_content)


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    shelf = Shelf()
    profile = a_profile(script=SCRIPT, knowledge_bases=1)
    async with AgentSession[Any](llm=ScriptLLM(SCRIPT)) as session:
        desk = Desk(session, shelf)
        tools: list[Any] = search_knowledge_tools(profile, shelf.look_up, desk.used.extend)
        await session.start(Agent(instructions="", tools=tools))
        yield desk


async def test_an_action_speaks_what_is_found(desk: Desk) -> None:
    await desk.session.run(user_input="prices")
    assert [await desk.hear(), await desk.hear()] == ["One moment.", "A tart is three credits."]
    assert desk.shelf.queries == ["price list"]
    assert desk.used == [TOOK]


async def test_what_fits_no_step_is_looked_up_word_for_word(desk: Desk) -> None:
    await desk.session.run(user_input="do you have cherry tarts")
    assert await desk.hear() == "A tart is three credits."
    assert desk.shelf.queries == ["do you have cherry tarts"]


async def test_a_look_up_that_fails_is_an_error_to_the_agent(desk: Desk) -> None:
    desk.shelf.answer = LookUp("query must be a text.", failed=True)
    await desk.session.run(user_input="prices")
    assert [await desk.hear(), await desk.hear()] == ["One moment.", SCRIPT.error_reply]


def test_an_agent_without_knowledge_bases_has_no_such_tool() -> None:
    assert search_knowledge_tools(a_profile(), Shelf().look_up, [].extend) == []
