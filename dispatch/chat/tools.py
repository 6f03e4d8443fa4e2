"""The tools of an agent that answers in writing."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

from dispatch.agent_profile import AgentProfile
from dispatch.chat.text_model import FunctionTool
from dispatch.conversations import Conversation, ToolRequest

MOST_TEXT: Final = 32_768
"""Characters of a tool's answer that a model is shown."""


@dataclass(frozen=True, slots=True)
class Takeover:
    """Another agent goes on with the conversation."""

    from_agent: str
    """The name of the one before."""
    agent: AgentProfile
    """With its tools, as it is now and stays."""
    greeting: str
    """What it says first; empty when it waits for the user."""


@dataclass(frozen=True, slots=True)
class ToolOutcome:
    """What a tool answered."""

    text: str
    """For the model."""
    failed: bool = False
    ends: bool = False
    """The agent wants no further message."""
    takeover: Takeover | None = None


class ChatTool(Protocol):
    """One tool of one agent."""

    @property
    def spec(self) -> FunctionTool:
        """How a model is told of it."""
        ...

    async def run(self, arguments: dict[str, Any]) -> ToolOutcome:
        """Do its work. What goes wrong is an outcome too: the model is to hear of it."""
        ...


class ToolSource(Protocol):
    """Where the tools of a conversation's agent come from."""

    async def tools_of(self, conversation: Conversation) -> Sequence[ChatTool]:
        """Return the agent's tools, ready to run."""
        ...

    async def aclose(self) -> None:
        """Close what it has opened."""
        ...


class EndConversation:
    """Lets the agent say that the conversation is over."""

    def __init__(self, name: str = "end_conversation") -> None:
        self.spec = FunctionTool(
            name=name,
            description=(
                "End the conversation, once the user has what they came for and has said goodbye."
            ),
            parameters={"type": "object", "properties": {}, "additionalProperties": False},
        )

    async def run(self, arguments: dict[str, Any]) -> ToolOutcome:
        """End it; arguments are of no use."""
        del arguments
        return ToolOutcome("The conversation ends.", ends=True)


class Toolbox:
    """The tools an agent has in one conversation.

    Args:
        tools: The agent's own; ending the conversation comes with every agent.
    """

    def __init__(self, tools: Sequence[ChatTool]) -> None:
        end = EndConversation()
        self._offered = {tool.spec.name: tool for tool in (*tools, end)}
        # Scripts are written for calls too, where the same thing has this name.
        self._tools: dict[str, ChatTool] = {"end_call": end, **self._offered}

    @property
    def specs(self) -> list[FunctionTool]:
        """The tools a model may choose from."""
        return [tool.spec for tool in self._offered.values()]

    async def run(self, request: ToolRequest) -> ToolOutcome:
        """Run the tool that is asked for, or say why that cannot be."""
        tool = self._tools.get(request.name)
        if tool is None:
            return ToolOutcome("There is no such tool in a chat.", failed=True)
        try:
            arguments = json.loads(request.arguments or "{}")
        except json.JSONDecodeError:
            arguments = None
        if not isinstance(arguments, dict):
            return ToolOutcome("The arguments must be a JSON object.", failed=True)
        outcome = await tool.run(arguments)
        if len(outcome.text) <= MOST_TEXT:
            return outcome
        return replace(outcome, text=outcome.text[:MOST_TEXT] + "…")
