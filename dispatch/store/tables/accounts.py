"""Organisations, projects and keys."""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, String, Text, func
from sqlalchemy.orm import Mapped, mapped_column

from dispatch.store.tables.base import Table


class OrganizationRow(Table):
    """A customer; owns the balance."""

    __tablename__ = "organizations"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    name: Mapped[str] = mapped_column(String(200))
    plan: Mapped[str] = mapped_column(String(32), server_default="enterprise")
    external_id: Mapped[str | None] = mapped_column(String(255), unique=True)
    """How the identity provider names it; None when nobody signs in for it."""
    access_version: Mapped[int] = mapped_column(BigInteger, server_default="0")
    """Grows with every change of what its keys and members may do."""
    limits: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    """Requests a minute by API, where they differ from the plan's."""
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
    kind: Mapped[str] = mapped_column(String(16), server_default="server")
    scopes: Mapped[list[str] | None]
    """None for what every key may do by default, now and in later versions."""
    allowed_origins: Mapped[list[str]] = mapped_column(server_default="{}")
    """Domains whose pages may use the key; a widget key works on no others."""
    limits: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    """Requests a minute by API, where they differ from the organisation's."""
    description: Mapped[str] = mapped_column(Text, server_default="")
    key_metadata: Mapped[dict[str, Any]] = mapped_column("metadata", server_default="{}")
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    revoked_reason: Mapped[str] = mapped_column(Text, server_default="")
    deleted_at: Mapped[datetime | None]
