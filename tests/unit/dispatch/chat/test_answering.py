"""An answer as it grows, and what is kept of one that breaks off."""

from typing import Any

import pytest

from dispatch.chat.answering import MOST_CHARACTERS, MOST_ROUNDS, Answering
from dispatch.chat.events import ChatEvent, Chunk, ToolCall, ToolResult
from dispatch.chat.text_model import FunctionTool, ModelFailed, TextDelta
from dispatch.chat.tools import Toolbox, ToolOutcome
from dispatch.conversations import Item, Role, TokenUsage, ToolRequest
from tests.builders.text_models import RehearsedModel

pytestmark = pytest.mark.unit

LOOK_UP = ToolRequest("call_1", "look_up", '{"order": 7}')
QUESTION = Item(role=Role.USER, content="Where is my order?")


class LookUp:
    spec = FunctionTool("look_up", "Look an order up.", {"type": "object"})

    def __init__(self) -> None:
        self.given: list[dict[str, Any]] = []

    async def run(self, arguments: dict[str, Any]) -> ToolOutcome:
        self.given.append(arguments)
        return ToolOutcome("It is on its way.")


def answering(model: RehearsedModel, *tools: LookUp) -> Answering:
    return Answering(model, Toolbox(tools), "Be brief.", [QUESTION])


async def events_of(growing: Answering) -> list[ChatEvent]:
    return [event async for event in growing.grow()]


async def test_text_is_told_as_it_comes_and_kept_as_one_item():
    model = RehearsedModel([[TextDelta("On "), TextDelta("its way."), TokenUsage(9, 3)]])
    growing = answering(model)
    assert await events_of(growing) == [Chunk("On "), Chunk("its way.")]
    assert growing.items == [Item(role=Role.ASSISTANT, content="On its way.")]
    assert growing.usage == TokenUsage(9, 3)
    assert not growing.ends


async def test_a_tool_is_run_and_its_answer_given_to_the_model():
    tool = LookUp()
    model = RehearsedModel(
        [
            [TextDelta("Let me see. "), LOOK_UP, TokenUsage(9, 3)],
            [TextDelta("Soon."), TokenUsage(20, 1, 10)],
        ]
    )
    growing = answering(model, tool)
    assert await events_of(growing) == [
        Chunk("Let me see. "),
        ToolCall("look_up"),
        ToolResult("look_up"),
        Chunk("Soon."),
    ]
    assert tool.given == [{"order": 7}]
    answered = Item(role=Role.TOOL, content="It is on its way.", request_id="call_1")
    assert model.asked[1][-1] == answered
    assert model.offered[0] == ["look_up", "end_conversation"]
    assert growing.usage == TokenUsage(29, 4, 10)


async def test_what_is_said_after_a_tool_does_not_stick_to_what_was_said_before_it():
    model = RehearsedModel(
        [
            [TextDelta("One moment."), LOOK_UP, TokenUsage(9, 3)],
            [TextDelta("It is "), TextDelta("on its way."), TokenUsage(20, 1)],
        ]
    )
    growing = answering(model, LookUp())
    told = [event.delta for event in await events_of(growing) if isinstance(event, Chunk)]
    assert told == ["One moment.", " It is ", "on its way."]
    kept = [item.content for item in growing.items if item.role is Role.ASSISTANT]
    assert kept == ["One moment.", "It is on its way."]


@pytest.mark.parametrize("name", ["end_conversation", "end_call"])
async def test_the_agent_can_end_the_conversation(name: str):
    goodbye = [TextDelta("Goodbye."), ToolRequest("call_1", name, "{}"), TokenUsage(1, 1)]
    growing = answering(RehearsedModel([goodbye]))
    await events_of(growing)
    assert growing.ends


@pytest.mark.parametrize(
    ("request_", "sentence"),
    [
        (ToolRequest("1", "transfer_call", "{}"), "There is no such tool in a chat."),
        (ToolRequest("1", "look_up", "{"), "The arguments must be a JSON object."),
        (ToolRequest("1", "look_up", "[]"), "The arguments must be a JSON object."),
    ],
)
async def test_a_wrong_request_is_answered_and_not_an_end(request_: ToolRequest, sentence: str):
    model = RehearsedModel([[request_, TokenUsage(1, 1)], [TextDelta("Sorry."), TokenUsage(1, 1)]])
    tool = LookUp()
    growing = answering(model, tool)
    await events_of(growing)
    assert tool.given == []
    assert growing.items[1] == Item(role=Role.TOOL, content=sentence, request_id="1", failed=True)


async def test_a_model_that_asks_for_tools_without_end_is_stopped():
    model = RehearsedModel([[LOOK_UP, TokenUsage(1, 1)]] * (MOST_ROUNDS + 1))
    growing = answering(model, LookUp())
    with pytest.raises(ModelFailed):
        await events_of(growing)
    assert len(model.asked) == MOST_ROUNDS


async def test_a_model_that_talks_without_end_is_stopped():
    piece = TextDelta("x" * (MOST_CHARACTERS // 2))
    growing = answering(RehearsedModel([[piece, piece, piece, TokenUsage(1, 1)]]))
    with pytest.raises(ModelFailed):
        await events_of(growing)


async def test_what_was_said_before_the_model_failed_is_kept_and_counted_by_length():
    growing = answering(RehearsedModel([[TextDelta("Your order is"), ModelFailed("gone")]]))
    with pytest.raises(ModelFailed):
        await events_of(growing)
    growing.break_off()
    assert growing.items == [Item(role=Role.ASSISTANT, content="Your order is", failed=True)]
    # "Be brief." and the question are 27 characters, the answer 13: a token each four.
    assert growing.usage == TokenUsage(7, 4)


async def test_a_model_that_failed_at_once_leaves_nothing():
    growing = answering(RehearsedModel([[ModelFailed("gone")]]))
    with pytest.raises(ModelFailed):
        await events_of(growing)
    growing.break_off()
    assert (growing.items, growing.usage) == ([], TokenUsage())


async def test_tokens_nobody_counted_are_estimated():
    growing = answering(RehearsedModel([[TextDelta("12345678")]]))
    await events_of(growing)
    assert growing.usage == TokenUsage(7, 2)


async def test_what_no_store_can_hold_is_left_out():
    growing = answering(
        RehearsedModel([[TextDelta("a\0b"), TextDelta("\ud800c"), TokenUsage(1, 1)]])
    )
    assert await events_of(growing) == [Chunk("ab"), Chunk("?c")]
    assert growing.items[0].content == "ab?c"
