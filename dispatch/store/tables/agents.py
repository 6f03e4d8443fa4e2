"""Agents."""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Identity, Index, Integer, String, Text, func
from sqlalchemy.orm import Mapped, mapped_column

from dispatch.store.tables.base import Published, Table


class AgentRow(Published, Table):
    """An agent: its draft as JSON, its identity as columns."""

    __tablename__ = "agents"
    __table_args__ = (
        Index("ix_agents_project_id_created_at", "project_id", "created_at"),
        Index("ix_agents_updated_at", "updated_at"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    config_id: Mapped[int] = mapped_column(Integer, Identity(always=True), unique=True)
    organization_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("organizations.id"))
    project_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("projects.id"))
    version: Mapped[int] = mapped_column(Integer, default=1)
    draft: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())
    deleted_at: Mapped[datetime | None]


class AgentVersionRow(Table):
    """An agent as it was written down once; written with the change, never altered."""

    __tablename__ = "agent_versions"

    agent_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("agents.id"), primary_key=True)
    version: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    draft: Mapped[dict[str, Any]]
    actor_kind: Mapped[str] = mapped_column(String(16))
    """Who changed it, as in the audit log."""
    actor_id: Mapped[str] = mapped_column(Text)
    actor_name: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
