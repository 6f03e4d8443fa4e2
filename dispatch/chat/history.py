"""What a model is reminded of: the end of the conversation, in a form every model accepts."""

from collections.abc import Sequence
from dataclasses import replace

from dispatch.conversations import Item, Role


def remembered(items: Sequence[Item], memory: int) -> list[Item]:
    """Return the last items, without halves of what belongs together.

    A model that asked for a tool must be shown its answer, and no answer without its request:
    OpenAI refuses the whole conversation otherwise. A crash between the two, or the cut, leaves
    halves.

    Args:
        items: The conversation, oldest first; at least its end.
        memory: How many items at most.
    """
    last = items[-memory:]
    asked = {request.request_id for item in last for request in item.tool_requests}
    answered = {item.request_id for item in last if item.role is Role.TOOL}
    whole = (_without_unanswered(item, answered) for item in last)
    return [
        item
        for item in whole
        if (item.request_id in asked if item.role is Role.TOOL else _says_something(item))
    ]


def _without_unanswered(item: Item, answered: set[str | None]) -> Item:
    if not item.tool_requests:
        return item
    kept = tuple(each for each in item.tool_requests if each.request_id in answered)
    return replace(item, tool_requests=kept)


def _says_something(item: Item) -> bool:
    return bool(item.content or item.tool_requests)
