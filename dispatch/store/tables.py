"""Every table in Postgres.

Two families. *What is wanted* (tenants, keys, agents, numbers) is written by use cases and tied
together by foreign keys. *What happened* (calls, events, turns, ledger) is written from the event
stream and has none: there a foreign key could only turn a fact into an event that cannot be stored.

Rows that others refer to are never deleted, only marked with `deleted_at`.
"""

import uuid
from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Identity,
    Index,
    Integer,
    MetaData,
    String,
    Text,
    false,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from dispatch.store.column_types import E164Text, Microcredits, UtcDateTime
from telephony.e164 import E164


class Table(DeclarativeBase):
    """Base of all tables."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        datetime: UtcDateTime,
        E164: E164Text,
        dict[str, Any]: JSONB,
        list[str]: ARRAY(Text),
    }


class OrganizationRow(Table):
    """A customer; owns the balance."""

    __tablename__ = "organizations"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    name: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class ProjectRow(Table):
    """A part of an organisation; owns keys, agents and numbers."""

    __tablename__ = "projects"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    organization_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("organizations.id"), index=True)
    name: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class ApiKeyRow(Table):
    """An API key, known only by its hash."""

    __tablename__ = "api_keys"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    project_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("projects.id"), index=True)
    name: Mapped[str] = mapped_column(String(200))
    prefix: Mapped[str] = mapped_column(String(16))
    key_hash: Mapped[str] = mapped_column(String(64), unique=True)
    """HMAC-SHA256 of the whole key under the pepper, in hex."""
    hint: Mapped[str] = mapped_column(String(8))
    """The key's last characters, so that its owner can tell keys apart."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class AgentRow(Table):
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


class CarrierConnectionRow(Table):
    """How one carrier reaches us for one project: becomes trunks and a rule in LiveKit."""

    __tablename__ = "carrier_connections"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    organization_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("organizations.id"))
    project_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("projects.id"), index=True)
    name: Mapped[str] = mapped_column(String(100))
    provider: Mapped[str] = mapped_column(String(40))
    allowed_addresses: Mapped[list[str]]
    auth_username: Mapped[str | None] = mapped_column(String(255))
    auth_password: Mapped[str | None] = mapped_column(String(255), info={"secret": True})
    """Secret in clear: LiveKit must be told it again whenever a trunk is rebuilt."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    deleted_at: Mapped[datetime | None]


class PhoneNumberRow(Table):
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
        Index("ix_phone_numbers_project_id_created_at", "project_id", "created_at"),
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
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())
    """Last change of what the route is made from; convergence does not touch it."""
    deleted_at: Mapped[datetime | None]


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


class LedgerEntryRow(Table):
    """A movement of money; an organisation's balance is the sum of its amounts."""

    __tablename__ = "ledger_entries"
    __table_args__ = (
        Index("ix_ledger_entries_organization_id_position", "organization_id", "position"),
        Index(
            "ix_ledger_entries_applied_at",
            "applied_at",
            postgresql_where=text("kind IN ('topup', 'adjust')"),
        ),
        CheckConstraint(
            "kind IN ('topup', 'reserve', 'extend', 'release', 'charge', 'adjust')", name="kind"
        ),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    position: Mapped[int] = mapped_column(BigInteger, Identity(always=True))
    """Order of writing; entries of one transaction share their time."""
    organization_id: Mapped[uuid.UUID]
    kind: Mapped[str] = mapped_column(String(16))
    amount_microcredits: Mapped[Microcredits]
    """Signed: what was added to the balance free to use."""
    operation_id: Mapped[str] = mapped_column(String(200), unique=True)
    """Makes the entry happen once, however often it is written."""
    call_id: Mapped[uuid.UUID | None] = mapped_column(index=True)
    reason: Mapped[str] = mapped_column(Text, server_default="")
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    applied_at: Mapped[datetime | None]
    """When the live balance learned of a top-up or adjustment. Calls move the live balance first
    and are written here afterwards, so their entries leave it empty."""
