"""Secrets, sealed: nothing in these rows can be read without an installation key."""

import uuid
from datetime import datetime

from sqlalchemy import ForeignKey, Index, LargeBinary, String, func
from sqlalchemy.orm import Mapped, mapped_column

from dispatch.store.tables.base import Published, Table


class DataKeyRow(Published, Table):
    """The key that seals a project's secrets, wrapped by an installation key."""

    __tablename__ = "data_keys"
    __table_args__ = (
        Index("ix_data_keys_updated_at", "updated_at"),
        Index("ix_data_keys_key_id", "key_id"),
    )

    project_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("projects.id"), primary_key=True)
    id: Mapped[uuid.UUID] = mapped_column(default=uuid.uuid4)
    """Changes when rotation gives the project another key; named beside each value it seals."""
    key_id: Mapped[str] = mapped_column(String(40))
    """The installation key that wraps it."""
    wrapped: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())
    """Last change of the key or of any provider's secret, for the projection."""


class SecretRow(Table):
    """What a project keeps secret for one provider. A deleted one is gone from the table."""

    __tablename__ = "secrets"

    project_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("projects.id"), primary_key=True)
    provider: Mapped[str] = mapped_column(String(40), primary_key=True)
    data_key_id: Mapped[uuid.UUID]
    sealed: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())
