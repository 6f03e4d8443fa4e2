"""Sessions of rooms whose agents are run by somebody else."""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Identity,
    Index,
    Integer,
    String,
    Text,
    func,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from dispatch.store.tables.base import Table


class RoomSessionRow(Table):
    """A conversation in a room, told by the agent server that holds it; never billed."""

    __tablename__ = "room_sessions"
    __table_args__ = (
        # A room has one conversation at a time.
        Index(
            "uq_room_sessions_room_name_active",
            "room_name",
            unique=True,
            postgresql_where=text("ended_at IS NULL"),
        ),
        Index("ix_room_sessions_project_id_room_name", "project_id", "room_name", "started_at"),
        CheckConstraint("session_type IN ('voice', 'sip')", name="session_type"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    project_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("projects.id"))
    room_name: Mapped[str] = mapped_column(String(256))
    agent_config_id: Mapped[int | None] = mapped_column(Integer)
    caller_identity: Mapped[str | None] = mapped_column(String(256))
    session_type: Mapped[str] = mapped_column(String(16))
    session_metadata: Mapped[dict[str, Any]] = mapped_column("metadata")
    started_at: Mapped[datetime] = mapped_column(server_default=func.now())
    ended_at: Mapped[datetime | None]
    duration_s: Mapped[int | None] = mapped_column(Integer)
    summary: Mapped[str | None] = mapped_column(Text)


class RoomSessionTurnRow(Table):
    """Something said in a room session."""

    __tablename__ = "room_session_turns"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    session_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("room_sessions.id"), index=True)
    position: Mapped[int] = mapped_column(BigInteger, Identity(always=True))
    speaker: Mapped[str] = mapped_column(String(16))
    content: Mapped[str] = mapped_column(Text)
    timestamp_ms: Mapped[int | None] = mapped_column(BigInteger)
    is_final: Mapped[bool]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
