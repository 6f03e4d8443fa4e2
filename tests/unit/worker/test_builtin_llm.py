"""The script in an agent session without audio: replies, tools and what follows from them."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from livekit.agents import Agent, AgentSession, ToolError, function_tool
from livekit.agents.llm import ChatContext, FunctionTool

from dispatch.script import Script, key_text
from worker.builtin import ScriptLLM

pytestmark = pytest.mark.unit

SCRIPT = Script.model_validate(
    {
        "steps": [
            {"phrases": ["opening hours"], "keys": ["1"], "reply": "From nine to five.  Always."},
            {"phrases": ["goodbye"], "reply": "Goodbye.", "action": {"end_call": {}}},
            {
                "phrases": ["order status"],
                "reply": "One moment.",
                "action": {"look_up": {"kind": "order"}},
            },
        ]
    }
)


def tools(result: str | None) -> list[FunctionTool]:
    @function_tool(name="end_call", description="Hang up.")
    async def end_call() -> None:
        return None

    @function_tool(name="look_up", description="Look something up.")
    async def look_up(kind: str) -> str | None:
        if result == "failure":
            raise ToolError(f"no {kind}")
        return result

    return [end_call, look_up]


@pytest.fixture
async def agent_session() -> AsyncIterator[AgentSession[Any]]:
    async with AgentSession[Any](llm=ScriptLLM(SCRIPT)) as session:
        yield session


async def test_a_phrase_gets_the_reply_of_its_step_word_for_word(
    agent_session: AgentSession[Any],
) -> None:
    await agent_session.start(Agent(instructions=""))
    run = await agent_session.run(user_input="Opening hours?")
    message = run.expect.next_event().is_message(role="assistant").event().item
    assert message.text_content == "From nine to five.  Always."
    run.expect.no_more_events()


async def test_a_key_is_input_beside_speech(agent_session: AgentSession[Any]) -> None:
    await agent_session.start(Agent(instructions=""))
    run = await agent_session.run(user_input=key_text("1"))
    run.expect.contains_message(role="assistant")


async def test_the_goodbye_comes_before_the_tool_and_nothing_after_it(
    agent_session: AgentSession[Any],
) -> None:
    await agent_session.start(Agent(instructions="", tools=tools(None)))
    run = await agent_session.run(user_input="goodbye")
    run.expect.next_event().is_message(role="assistant")
    run.expect.next_event().is_function_call(name="end_call", arguments={})
    run.expect.next_event().is_function_call_output()
    run.expect.no_more_events()


@pytest.mark.parametrize(
    ("result", "said"),
    [
        ('{"say": "It is on its way."}', "It is on its way."),
        ("failure", "Sorry, that did not work."),
    ],
)
async def test_says_what_the_tool_asks_for_or_that_it_failed(
    agent_session: AgentSession[Any], result: str, said: str
) -> None:
    await agent_session.start(Agent(instructions="", tools=tools(result)))
    run = await agent_session.run(user_input="order status")
    run.expect.next_event().is_message(role="assistant")
    run.expect.next_event().is_function_call(name="look_up", arguments={"kind": "order"})
    run.expect.next_event().is_function_call_output()
    message = run.expect.next_event().is_message(role="assistant").event().item
    assert message.text_content == said
    run.expect.no_more_events()


@pytest.mark.parametrize("result", [None, "order 17 is late", '["say"]', '{"say": 5}'])
async def test_keeps_a_result_that_is_not_for_the_caller_to_itself(
    agent_session: AgentSession[Any], result: str | None
) -> None:
    await agent_session.start(Agent(instructions="", tools=tools(result)))
    run = await agent_session.run(user_input="order status")
    said = [
        event.item.text_content
        for event in run.events
        if event.type == "message" and event.item.role == "assistant"
    ]
    assert said == ["One moment."]


async def test_apologises_when_the_agent_does_not_have_the_tool(
    agent_session: AgentSession[Any],
) -> None:
    await agent_session.start(Agent(instructions=""))
    run = await agent_session.run(user_input="order status")
    assert [event.item.text_content for event in run.events if event.type == "message"] == [
        "One moment.",
        "Sorry, that did not work.",
    ]


async def test_goes_on_from_the_conversation_of_another_worker(
    agent_session: AgentSession[Any],
) -> None:
    earlier = ChatContext.empty()
    earlier.add_message(role="user", content="menu")
    script = Script.model_validate(
        {
            "steps": [{"phrases": ["menu"], "reply": "Where to?", "goto": "second"}],
            "menus": {"second": {"steps": [{"keys": ["5"], "reply": "Five of the second menu."}]}},
        }
    )
    await agent_session.start(Agent(instructions="", llm=ScriptLLM(script), chat_ctx=earlier))
    run = await agent_session.run(user_input=key_text("5"))
    message = run.expect.next_event().is_message(role="assistant").event().item
    assert message.text_content == "Five of the second menu."


async def test_reports_words_as_usage_and_no_call_when_tools_are_forbidden() -> None:
    conversation = ChatContext.empty()
    conversation.add_message(role="user", content="goodbye now")
    async with ScriptLLM(SCRIPT) as model:
        answer = await model.chat(chat_ctx=conversation, tool_choice="none").collect()
    assert (answer.text, answer.tool_calls) == ("Goodbye.", [])
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (2, 1)


async def test_has_nothing_to_say_before_the_caller_said_anything() -> None:
    async with ScriptLLM(SCRIPT) as model:
        answer = await model.chat(chat_ctx=ChatContext.empty()).collect()
    assert (answer.text, answer.tool_calls) == ("", [])
