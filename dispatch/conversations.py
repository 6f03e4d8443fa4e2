"""Chats as they are written down: conversations, what was said in them, what it took."""

import uuid
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from dispatch.agent_profile import AgentProfile


class Role(StrEnum):
    """Who an item of a conversation is from."""

    USER = "user"
    ASSISTANT = "assistant"
    TOOL = "tool"
    """What a tool answered; for the model, not for the user."""


class ClosedBy(StrEnum):
    """Why a conversation is over."""

    CLIENT = "client"
    """It was ended by request."""
    IDLE = "idle"
    """Nobody wrote for so long that it expired."""


@dataclass(frozen=True, slots=True)
class ToolRequest:
    """A tool the model wants to be run."""

    request_id: str
    """Names the request in the answer to it."""
    name: str
    arguments: str
    """A JSON object, as the model wrote it: it may be no JSON at all."""


@dataclass(frozen=True, slots=True)
class TokenUsage:
    """What a model counted, or what we did where it could not tell."""

    input_tokens: int = 0
    """All that was read, the cached ones included."""
    output_tokens: int = 0
    cached_input_tokens: int = 0
    """Those of the input that came from the vendor's cache."""

    def __add__(self, other: "TokenUsage") -> "TokenUsage":
        return TokenUsage(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.cached_input_tokens + other.cached_input_tokens,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One thing that was said, asked of a tool, or answered by one."""

    role: Role
    content: str
    tool_requests: tuple[ToolRequest, ...] = ()
    """Only an assistant's."""
    request_id: str | None = None
    """Only a tool's: which request it answers."""
    failed: bool = False
    """An answer that broke off before its end, or a tool that did not do its work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message(Item):
    """An item on record."""

    id: uuid.UUID
    position: int
    """From 0 within its conversation, without gaps."""
    token_count: int | None
    """Tokens of the whole answer, on the last item of an assistant's turn."""
    created_at: datetime


def answer_id_of(message_id: uuid.UUID) -> uuid.UUID:
    """Return the id of the answer to a message: known before the first word of it is written."""
    return uuid.uuid5(message_id, "answer")


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """A chat of one user with one agent."""

    id: uuid.UUID
    name: str
    """Its id in public: `chat_{first 8 of agent id}_{user}_{ms}`."""
    organization_id: uuid.UUID
    project_id: uuid.UUID
    key_id: uuid.UUID | None
    """The API key it was opened with."""
    user_id: str
    """Who chats: a short text that tells the conversations of a key apart."""
    user_identifier: str | None
    """Whom the client says that is, for example an email address."""
    platform: str
    metadata: dict[str, Any]
    agent: AgentProfile
    """As it was when it took the conversation; later versions are for later conversations."""
    message_count: int
    usage: TokenUsage
    cost_microcredits: int
    created_at: datetime
    last_active_at: datetime
    closed_at: datetime | None
    closed_by: ClosedBy | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatTurn:
    """A message that was answered, as far as it costs something."""

    id: uuid.UUID
    """Of the user's message."""
    operation_id: uuid.UUID
    """Makes the charge happen once; an answer that is begun again has another."""
    conversation_id: uuid.UUID
    organization_id: uuid.UUID
    project_id: uuid.UUID
    agent_id: uuid.UUID
    provider: str
    model: str
    own_key: bool
    """Whether the vendor bills the tenant, whose own key was used."""
    usage: TokenUsage
    at: datetime
