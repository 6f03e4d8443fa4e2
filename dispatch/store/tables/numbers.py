"""Carrier connections and phone numbers."""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Text,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from dispatch.store.tables.base import Published, Table
from telephony.e164 import E164


class CarrierConnectionRow(Published, Table):
    """How one carrier reaches us for one project: becomes trunks and a rule in LiveKit."""

    __tablename__ = "carrier_connections"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    organization_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("organizations.id"))
    project_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("projects.id"), index=True)
    name: Mapped[str] = mapped_column(String(100))
    provider: Mapped[str] = mapped_column(String(40))
    allowed_addresses: Mapped[list[str]]
    auth_username: Mapped[str | None] = mapped_column(String(255))
    auth_password_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    """Sealed under the project's data key and opened whenever a trunk is rebuilt."""
    data_key_id: Mapped[uuid.UUID | None]
    """Which key seals the passwords."""
    termination_uri: Mapped[str | None] = mapped_column(String(255))
    """Where calls to the carrier go, as `host[:port]`; None when it only calls in."""
    termination_username: Mapped[str | None] = mapped_column(String(255))
    termination_password_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    """With which we make ourselves known to the carrier."""
    calls_per_second: Mapped[int | None] = mapped_column(Integer)
    """Outbound calls begun within any second; None for the installation's own limit."""
    max_outbound_calls: Mapped[int | None] = mapped_column(Integer)
    """Outbound calls at once."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())
    """Last change of how calls are placed on it."""
    deleted_at: Mapped[datetime | None]


class PhoneNumberRow(Published, Table):
    """A DID, the agents it is assigned to, and whether LiveKit holds it yet."""

    __tablename__ = "phone_numbers"
    __table_args__ = (
        # One installation has a number once, whoever's it is; a deleted one may come back.
        Index(
            "uq_phone_numbers_did_live",
            "did",
            unique=True,
            postgresql_where=text("deleted_at IS NULL"),
        ),
        # Pages of a project's numbers in either order, however many it has.
        Index(
            "ix_phone_numbers_project_id_created_at_live",
            "project_id",
            "created_at",
            "id",
            postgresql_where=text("deleted_at IS NULL"),
        ),
        Index(
            "ix_phone_numbers_project_id_did_live",
            "project_id",
            "did",
            "id",
            postgresql_where=text("deleted_at IS NULL"),
        ),
        Index("ix_phone_numbers_updated_at", "updated_at"),
        CheckConstraint("sync_state IN ('pending', 'active', 'conflict')", name="sync_state"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    organization_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("organizations.id"))
    project_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("projects.id"))
    connection_id: Mapped[uuid.UUID] = mapped_column(
        ForeignKey("carrier_connections.id"), index=True
    )
    did: Mapped[E164]
    inbound_agent_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("agents.id"), index=True)
    outbound_agent_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("agents.id"), index=True)
    sync_state: Mapped[str] = mapped_column(String(16), server_default="pending")
    sync_error: Mapped[str | None] = mapped_column(Text)
    """Why it is in conflict, as a sentence for the number's owner."""
    shard: Mapped[int | None] = mapped_column(Integer)
    """Which trunk of its connection carries it; None until convergence chose one."""
    behaviour: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    """A `NumberBehaviour`; None while it does nothing."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())
    """Last change of what the route is made from; convergence does not touch it."""
    deleted_at: Mapped[datetime | None]


class PhoneNumberCountRow(Table):
    """How many numbers a project has. Triggers of `phone_numbers` keep it; nothing else writes it.

    Counting rows takes the longer the more there are, and every page of a list tells how many.
    """

    __tablename__ = "phone_number_counts"

    project_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("projects.id"), primary_key=True)
    live: Mapped[int] = mapped_column(BigInteger)
    """Numbers that are not deleted."""
