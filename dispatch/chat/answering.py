"""An agent's answer to one message, from its first word to its last tool."""

from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing
from typing import Final

from dispatch.chat.events import ChatEvent, Chunk, Handoff, ToolCall, ToolResult, apart
from dispatch.chat.history import remembered
from dispatch.chat.text_model import (
    ModelFailed,
    TextDelta,
    TextModel,
    estimated_usage,
    storable,
)
from dispatch.chat.tools import Takeover, Toolbox
from dispatch.conversations import Item, Role, TokenUsage, ToolRequest

MOST_ROUNDS: Final = 8
"""Times a model is asked for one answer: each time it may ask for tools."""

MOST_CHARACTERS: Final = 100_000
"""Longest text of one answer; a server that says more is not listened to."""


class Answering:
    """An answer as it grows. Whatever breaks it off, what there is of it can be kept.

    Args:
        model: Who answers.
        toolbox: What it may use.
        instructions: What it is told beforehand.
        history: The conversation, the message to answer last.
    """

    def __init__(
        self, model: TextModel, toolbox: Toolbox, instructions: str, history: Sequence[Item]
    ) -> None:
        self._model = model
        self._toolbox = toolbox
        self._instructions = instructions
        self._history = list(history)
        self._text = ""
        self._in_round = False
        self.items: list[Item] = []
        """What is to be written down."""
        self.usage = TokenUsage()
        self.ends = False
        """The agent wants no further message."""
        self.takeover: Takeover | None = None
        """Who goes on with the conversation."""

    async def grow(self) -> AsyncGenerator[ChatEvent]:
        """Yield what happens until the answer is complete.

        Raises:
            ModelFailed: It cannot be completed.
        """
        for _ in range(MOST_ROUNDS):
            requests: list[ToolRequest] = []
            async for event in self._round(requests):
                yield event
            for request in requests:
                yield ToolCall(request.name)
                outcome = await self._toolbox.run(request)
                self.ends = self.ends or outcome.ends
                self.takeover = self.takeover or outcome.takeover
                self.items.append(
                    Item(
                        role=Role.TOOL,
                        content=storable(outcome.text),
                        request_id=request.request_id,
                        failed=outcome.failed,
                    )
                )
                yield ToolResult(request.name)
            if self.takeover is not None:
                for told in self._taken_over(self.takeover):
                    yield told
                return
            if not requests or self.ends:
                return
        raise ModelFailed("The model asks for tools without end.")

    def _taken_over(self, takeover: Takeover) -> Iterator[ChatEvent]:
        """Let the other agent speak first, as it does to everybody."""
        yield Handoff(takeover.from_agent, takeover.agent.name)
        if takeover.greeting:
            told = apart(self._last_said(), takeover.greeting)
            self.items.append(Item(role=Role.ASSISTANT, content=takeover.greeting))
            yield Chunk(told)

    def break_off(self) -> None:
        """Keep what was said of an answer that will not be completed."""
        if self._in_round:
            self._close_round((), None, failed=True)

    async def _round(self, requests: list[ToolRequest]) -> AsyncGenerator[Chunk]:
        """Ask the model once; collects the tools it asks for."""
        counted: TokenUsage | None = None
        self._text, self._in_round = "", True
        parts = self._model.answer(self._instructions, self._known(), self._toolbox.specs)
        async with aclosing(parts):
            async for part in parts:
                match part:
                    case TextDelta():
                        text = storable(part.text)
                        told = text if self._text else apart(self._last_said(), text)
                        self._text += text
                        self._check_length()
                        yield Chunk(told)
                    case ToolRequest():
                        requests.append(_storable_request(part))
                    case TokenUsage():
                        counted = part
        self._close_round(tuple(requests), counted)

    def _close_round(
        self,
        requests: tuple[ToolRequest, ...],
        counted: TokenUsage | None,
        *,
        failed: bool = False,
    ) -> None:
        self._in_round = False
        written = len(self._text) + sum(len(each.name + each.arguments) for each in requests)
        if written and (counted is None or not counted.output_tokens):
            counted = estimated_usage(self._instructions, self._known(), written)
        self.usage += counted or TokenUsage()
        if written:
            self.items.append(
                Item(
                    role=Role.ASSISTANT,
                    content=self._text,
                    tool_requests=requests,
                    failed=failed,
                )
            )

    def _last_said(self) -> str:
        """Return what the agent said last in this answer, before the text that grows now."""
        said = (item.content for item in reversed(self.items) if item.role is Role.ASSISTANT)
        return next(filter(None, said), "")

    def _known(self) -> list[Item]:
        return remembered([*self._history, *self.items], self._model.memory)

    def _check_length(self) -> None:
        said = len(self._text) + sum(len(item.content) for item in self.items)
        if said > MOST_CHARACTERS:
            raise ModelFailed("The model's answer is too long.")


def _storable_request(request: ToolRequest) -> ToolRequest:
    return ToolRequest(
        storable(request.request_id), storable(request.name), storable(request.arguments)
    )
