"""An agent hands a conversation over to another one that its profile names."""

import uuid

import pytest

from dispatch.access.audit import ADMINISTRATOR
from dispatch.chat.events import Chunk, Handoff, StreamEnd, StreamStart, ToolCall, ToolResult
from dispatch.conversations import TokenUsage
from dispatch.errors import InvalidField
from tests.integration.dispatch.chat.conftest import ChatHouse
from tests.servers.openai_chat import Call, Reply

pytestmark = pytest.mark.integration


async def test_a_conversation_is_handed_over_and_goes_on_with_the_other_agent(house: ChatHouse):
    billing = await house.agent(
        name="Billing",
        role="Knows every invoice.",
        system_prompt="You do the books for {{name}}.",
        greeting="Billing here, {{name}}.",
    )
    closed = await house.agent(name="Closed", is_active=False)
    first = await house.agent(handoff_agent_ids=[billing, closed])
    chat = await house.chat(first, metadata={"name": "Ada"})
    house.server.replies = [
        Reply(says=["I pass you on."], calls=[Call("handoff", {"agent": "Billing"})]),
        Reply(says=["It is paid."]),
    ]
    turn_id = uuid.uuid4()
    assert await house.say(chat, "My invoice?", turn_id) == [
        StreamStart("Support Agent"),
        Chunk("I pass you on."),
        ToolCall("handoff"),
        ToolResult("handoff"),
        Handoff("Support Agent", "Billing"),
        Chunk(" Billing here, Ada."),
        StreamEnd(TokenUsage(10, 5), end_session=False),
    ]
    [offered] = [
        each["function"]
        for each in house.server.requests[0]["tools"]
        if each["function"]["name"] == "handoff"
    ]
    assert offered["parameters"]["properties"]["agent"]["enum"] == ["Billing"]
    assert "- Billing: Knows every invoice." in offered["description"]

    events = await house.say(chat, "And?")
    assert events[:2] == [StreamStart("Billing"), Chunk("It is paid.")]
    asked = house.server.requests[1]
    assert asked["messages"][0]["content"] == ("Knows every invoice.\n\nYou do the books for Ada.")
    assert {"role": "user", "content": "My invoice?"} in asked["messages"]
    assert "handoff" not in [each["function"]["name"] for each in asked["tools"]]
    # Told again after a lost answer, nothing is handed over a second time.
    assert await house.say(chat, "My invoice?", turn_id) == [
        StreamStart("Billing"),
        Chunk("I pass you on."),
        Chunk(" Billing here, Ada."),
        StreamEnd(TokenUsage(10, 5), end_session=False),
    ]
    assert len(house.server.requests) == 2


async def test_an_agent_that_is_not_named_takes_nothing_over(house: ChatHouse):
    await house.agent(name="Stranger")
    named = await house.agent(name="Named")
    chat = await house.chat(await house.agent(handoff_agent_ids=[named]))
    house.server.replies = [
        Reply(calls=[Call("handoff", {"agent": "Stranger"})]),
        Reply(says=["I stay."]),
    ]
    events = await house.say(chat)
    assert Chunk("I stay.") in events
    assert not any(isinstance(event, Handoff) for event in events)


async def test_only_agents_of_the_project_can_be_named(house: ChatHouse):
    with pytest.raises(InvalidField, match="The project has no agent") as refused:
        await house.agent(handoff_agent_ids=[uuid.uuid4()])
    assert refused.value.field == "handoff_agent_ids"
    agent = await house.agent()
    with pytest.raises(InvalidField, match="itself"):
        await house.agents.update(ADMINISTRATOR, house.owner, agent, {"handoff_agent_ids": [agent]})
