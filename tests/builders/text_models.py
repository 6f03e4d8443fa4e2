"""A language model that answers what a test tells it to."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field

from dispatch.chat.text_model import FunctionTool, ModelPart
from dispatch.conversations import Item


@dataclass
class RehearsedModel:
    """Gives one rehearsed answer after the other; an exception in an answer is raised there."""

    answers: list[list[ModelPart | Exception]]
    provider: str = "openai"
    name: str = "gpt-4.1"
    own_key: bool = True
    memory: int = 40
    told: list[str] = field(default_factory=list)
    """The instructions of each question."""
    asked: list[list[Item]] = field(default_factory=list)
    """The items of each question."""
    offered: list[list[str]] = field(default_factory=list)
    """The names of the tools of each question."""

    async def answer(
        self, instructions: str, items: Sequence[Item], tools: Sequence[FunctionTool]
    ) -> AsyncGenerator[ModelPart]:
        self.told.append(instructions)
        self.asked.append(list(items))
        self.offered.append([tool.name for tool in tools])
        for part in self.answers.pop(0):
            if isinstance(part, Exception):
                raise part
            yield part
