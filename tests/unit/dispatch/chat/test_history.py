"""What a model is reminded of."""

import pytest

from dispatch.chat.history import remembered
from dispatch.conversations import Item, Role, ToolRequest

pytestmark = pytest.mark.unit


def user(text: str) -> Item:
    return Item(role=Role.USER, content=text)


def agent(text: str, *requests: str) -> Item:
    asked = tuple(ToolRequest(name, "look_up", "{}") for name in requests)
    return Item(role=Role.ASSISTANT, content=text, tool_requests=asked)


def tool(request_id: str) -> Item:
    return Item(role=Role.TOOL, content="found", request_id=request_id)


def test_only_the_last_items_are_remembered():
    items = [user(str(number)) for number in range(50)]
    assert remembered(items, 40) == items[10:]


def test_a_short_conversation_is_remembered_whole():
    items = [user("a"), agent("b", "1"), tool("1"), agent("c")]
    assert remembered(items, 40) == items


def test_an_answer_whose_request_was_cut_off_is_left_out():
    items = [agent("", "1"), tool("1"), agent("c")]
    assert remembered(items, 2) == [agent("c")]


def test_a_request_that_a_crash_left_unanswered_is_left_out():
    items = [user("a"), agent("one moment", "1", "2"), tool("2"), user("b")]
    assert remembered(items, 40) == [
        user("a"),
        agent("one moment", "2"),
        tool("2"),
        user("b"),
    ]


def test_an_agent_that_only_asked_for_what_never_came_has_said_nothing():
    assert remembered([user("a"), agent("", "1"), user("b")], 40) == [user("a"), user("b")]
