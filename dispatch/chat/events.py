"""What happens while an agent answers a message, in the order in which it happens.

`StreamStart (Chunk | ToolCall | ToolResult | Handoff)* (StreamEnd | ChatError)`
"""

from dataclasses import dataclass

from dispatch.conversations import TokenUsage


@dataclass(frozen=True, slots=True)
class StreamStart:
    """The agent begins to answer."""

    agent_name: str


@dataclass(frozen=True, slots=True)
class Chunk:
    """The next piece of the answer's text."""

    delta: str


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A tool begins to run."""

    name: str


@dataclass(frozen=True, slots=True)
class ToolResult:
    """A tool has run, well or not: the agent goes on with what it answered."""

    name: str


@dataclass(frozen=True, slots=True)
class Handoff:
    """Another agent goes on with the conversation; a chunk after it is what that one says."""

    from_agent: str
    to_agent: str


@dataclass(frozen=True, slots=True)
class StreamEnd:
    """The answer is complete and on record."""

    usage: TokenUsage
    end_session: bool
    """The agent has said goodbye: the client is to end the conversation."""


@dataclass(frozen=True, slots=True)
class ChatError:
    """The answer broke off; what came before it is on record."""

    sentence: str
    """For the user; names no provider and no secret."""


ChatEvent = StreamStart | Chunk | ToolCall | ToolResult | Handoff | StreamEnd | ChatError


def apart(before: str, text: str) -> str:
    """Return a text as it is told right after another one: with a space where neither brings one.

    What an agent says before and after a tool are two messages on record, but one answer to who
    puts its pieces together.
    """
    sticks = before and text and not before[-1].isspace() and not text[0].isspace()
    return f" {text}" if sticks else text
