"""Chats: conversations, what was said in them, and what each answer took."""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    ForeignKey,
    Index,
    Integer,
    String,
    Text,
    UniqueConstraint,
    false,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from dispatch.store.column_types import Microcredits
from dispatch.store.tables.base import Table


class ConversationRow(Table):
    """A chat of one user with one agent, as the agent was when it began."""

    __tablename__ = "chat_conversations"
    __table_args__ = (
        Index("ix_chat_conversations_project_id_created_at", "project_id", "created_at", "id"),
        Index("ix_chat_conversations_project_id_agent_id", "project_id", "agent_id"),
        Index(
            "ix_chat_conversations_open",
            "last_active_at",
            postgresql_where=text("closed_at IS NULL"),
        ),
        CheckConstraint("(closed_at IS NULL) = (closed_by IS NULL)", name="closed"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(80), unique=True)
    organization_id: Mapped[uuid.UUID]
    project_id: Mapped[uuid.UUID]
    key_id: Mapped[uuid.UUID | None]
    agent_id: Mapped[uuid.UUID]
    """With whom it began."""
    user_id: Mapped[str] = mapped_column(String(40))
    user_identifier: Mapped[str | None] = mapped_column(Text)
    platform: Mapped[str] = mapped_column(String(16))
    chat_metadata: Mapped[dict[str, Any]] = mapped_column("metadata", server_default="{}")
    agent: Mapped[dict[str, Any]]
    """The profile of whom it goes on with, as it was when they took it."""
    message_count: Mapped[int] = mapped_column(Integer, server_default="0")
    """Items of every role; also the position of the next one."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    last_active_at: Mapped[datetime] = mapped_column(server_default=func.now())
    closed_at: Mapped[datetime | None]
    closed_by: Mapped[str | None] = mapped_column(String(16))


class ChatMessageRow(Table):
    """One item of a conversation."""

    __tablename__ = "chat_messages"
    __table_args__ = (
        UniqueConstraint("conversation_id", "position"),
        CheckConstraint("role IN ('user', 'assistant', 'tool')", name="role"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    conversation_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("chat_conversations.id"))
    position: Mapped[int] = mapped_column(Integer)
    role: Mapped[str] = mapped_column(String(16))
    content: Mapped[str] = mapped_column(Text)
    tool_requests: Mapped[list[dict[str, Any]] | None] = mapped_column(JSONB)
    request_id: Mapped[str | None] = mapped_column(Text)
    failed: Mapped[bool] = mapped_column(Boolean, server_default=false())
    token_count: Mapped[int | None] = mapped_column(Integer)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class ChatTurnRow(Table):
    """What the answer to one message took, and what was charged for it."""

    __tablename__ = "chat_turns"
    __table_args__ = (
        Index(
            "ix_chat_turns_due",
            "conversation_id",
            postgresql_where=text("cost_microcredits IS NULL"),
        ),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    """The user's message."""
    operation_id: Mapped[uuid.UUID] = mapped_column(unique=True)
    """Makes the charge happen once."""
    conversation_id: Mapped[uuid.UUID] = mapped_column(
        ForeignKey("chat_conversations.id"), index=True
    )
    provider: Mapped[str] = mapped_column(String(100))
    model: Mapped[str] = mapped_column(String(100))
    own_key: Mapped[bool] = mapped_column(Boolean)
    input_tokens: Mapped[int] = mapped_column(Integer)
    cached_input_tokens: Mapped[int] = mapped_column(Integer)
    output_tokens: Mapped[int] = mapped_column(Integer)
    end_session: Mapped[bool] = mapped_column(Boolean, server_default=false())
    cost_microcredits: Mapped[Microcredits | None]
    """None until it was charged."""
    at: Mapped[datetime] = mapped_column(server_default=func.now())
