"""What a chat asks of a language model, whoever runs it."""

import math
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from dispatch.conversations import Item, TokenUsage, ToolRequest
from dispatch.errors import DispatchError


class ModelFailed(DispatchError):
    """The model did not answer, or not to the end; the text is for logs and names no secret."""


@dataclass(frozen=True, slots=True)
class TextDelta:
    """The next piece of the answer."""

    text: str


@dataclass(frozen=True, slots=True)
class FunctionTool:
    """A tool as a model is told of it."""

    name: str
    description: str
    parameters: dict[str, Any]
    """JSON Schema of its arguments."""


def storable(text: str) -> str:
    """Return a text as every store and client can take it.

    Servers are free to send what JSON can escape and Postgres and UTF-8 cannot hold: NUL, and
    halves of surrogate pairs.
    """
    return text.replace("\0", "").encode("utf-8", "replace").decode()


ModelPart = TextDelta | ToolRequest | TokenUsage


class TextModel(Protocol):
    """A model that answers in writing."""

    @property
    def provider(self) -> str:
        """Whose it is, as in the price table."""
        ...

    @property
    def name(self) -> str:
        """Its name, as in the price table and as users see it."""
        ...

    @property
    def own_key(self) -> bool:
        """Whether the vendor bills the tenant."""
        ...

    @property
    def memory(self) -> int:
        """How many of the last items it is given."""
        ...

    def answer(
        self, instructions: str, items: Sequence[Item], tools: Sequence[FunctionTool]
    ) -> AsyncGenerator[ModelPart]:
        """Yield the answer to the last item: text, requests for tools, and what it took.

        Raises:
            ModelFailed: It cannot go on; what was yielded stands.
        """
        ...


_CHARACTERS_A_TOKEN: Final = 4
"""OpenAI's rule of thumb for English text."""


def estimated_usage(instructions: str, items: Sequence[Item], written: int) -> TokenUsage:
    """Return what an answer took when nobody counted: the server does not, or it broke off.

    Args:
        instructions: What the model was told beforehand.
        items: What it was given.
        written: Characters it wrote.
    """
    read = len(instructions) + sum(len(item.content) for item in items)
    return TokenUsage(
        input_tokens=math.ceil(read / _CHARACTERS_A_TOKEN),
        output_tokens=math.ceil(written / _CHARACTERS_A_TOKEN),
    )
