"""What happened in calls."""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import Index, Integer, String, Text, false, text
from sqlalchemy.orm import Mapped, mapped_column

from dispatch.store.column_types import Microcredits
from dispatch.store.tables.base import Table


class CallRow(Table):
    """A call, as its events so far tell it."""

    __tablename__ = "calls"
    __table_args__ = (
        Index("ix_calls_project_id_started_at", "project_id", "started_at", "id"),
        Index("ix_calls_project_id_called_number", "project_id", "called_number"),
        Index("ix_calls_project_id_caller_number", "project_id", "caller_number"),
        Index("ix_calls_project_id_agent_id", "project_id", "agent_id"),
        Index("ix_calls_open", "id", postgresql_where=text("ended_at IS NULL")),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    organization_id: Mapped[uuid.UUID | None]
    """None for a call that could not be tied to a tenant (an unknown number)."""
    project_id: Mapped[uuid.UUID | None]
    agent_id: Mapped[uuid.UUID | None]
    agent_version: Mapped[int | None] = mapped_column(Integer)
    kind: Mapped[str] = mapped_column(String(16))
    direction: Mapped[str] = mapped_column(String(16))
    state: Mapped[str] = mapped_column(String(16))
    room_name: Mapped[str] = mapped_column(Text)
    called_number: Mapped[str | None] = mapped_column(Text)
    caller_number: Mapped[str | None] = mapped_column(Text)
    """As the carrier sent it, which need not be a number."""
    sip_call_id: Mapped[str | None] = mapped_column(Text)
    carrier_call_id: Mapped[str | None] = mapped_column(Text)
    started_at: Mapped[datetime]
    """First sign of the call: it rang, or the voice session was opened."""
    answered_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    billed_s: Mapped[int | None] = mapped_column(Integer)
    cost_microcredits: Mapped[Microcredits | None]
    ended_by: Mapped[str | None] = mapped_column(String(32))
    end_reason: Mapped[str | None] = mapped_column(String(64))
    refusal_reason: Mapped[str | None] = mapped_column(String(64))
    sip_code: Mapped[int | None] = mapped_column(Integer)
    call_metadata: Mapped[dict[str, Any]] = mapped_column("metadata", server_default="{}")


class CallEventRow(Table):
    """One event of a call; what the call's other rows are made from."""

    __tablename__ = "call_events"

    call_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    seq: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    type: Mapped[str] = mapped_column(String(40))
    at: Mapped[datetime]
    data: Mapped[dict[str, Any]]


class TranscriptTurnRow(Table):
    """One turn of a conversation, numbered as the event that told it."""

    __tablename__ = "transcript_turns"

    call_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    seq: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    speaker: Mapped[str] = mapped_column(String(16))
    text: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime]
    interrupted: Mapped[bool] = mapped_column(server_default=false())
