"""The queue of outbound calls."""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, String, Text, func, text
from sqlalchemy.orm import Mapped, mapped_column

from dispatch.store.tables.base import Table


class OutboundCallRow(Table):
    """A call that was asked for; from its beginning its events tell the rest (`CallRow`)."""

    __tablename__ = "outbound_calls"
    __table_args__ = (
        Index(
            "ix_outbound_calls_due",
            "connection_id",
            "due_at",
            "id",
            postgresql_where=text("state = 'queued'"),
        ),
        CheckConstraint("state IN ('queued', 'begun', 'cancelled')", name="state"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    """The call's id."""
    organization_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("organizations.id"))
    project_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("projects.id"))
    connection_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("carrier_connections.id"))
    agent_id: Mapped[uuid.UUID]
    from_number: Mapped[str] = mapped_column(Text)
    to_number: Mapped[str] = mapped_column(Text)
    ring_timeout_s: Mapped[int] = mapped_column(Integer)
    call_metadata: Mapped[dict[str, Any]] = mapped_column("metadata")
    due_at: Mapped[datetime]
    state: Mapped[str] = mapped_column(String(16), server_default="queued")
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
