"""Movements of money."""

import uuid
from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, Identity, Index, String, Text, func, text
from sqlalchemy.orm import Mapped, mapped_column

from dispatch.store.column_types import Microcredits
from dispatch.store.tables.base import Table


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
