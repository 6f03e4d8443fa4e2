"""What was used, and what it cost."""

import uuid
from datetime import date, datetime

from sqlalchemy import BigInteger, Index, Integer, SmallInteger, String
from sqlalchemy.orm import Mapped, mapped_column

from dispatch.store.column_types import Microcredits
from dispatch.store.tables.base import Table

NO_AGENT = uuid.UUID(int=0)
"""Stands for "no agent" where a column is part of a key."""


class UsageEventRow(Table):
    """One part of a bill: the parts of a call, or of an operation, add up to its charge."""

    __tablename__ = "usage_events"
    __table_args__ = (Index("ix_usage_events_project_id_at", "project_id", "at"),)

    subject_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    """The call or the operation."""
    position: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    organization_id: Mapped[uuid.UUID]
    project_id: Mapped[uuid.UUID]
    agent_id: Mapped[uuid.UUID | None]
    source: Mapped[str] = mapped_column(String(16))
    """A `UsageSource`."""
    service: Mapped[str] = mapped_column(String(16))
    """A `Service`; or `uncollected`, what exceeded the credit, and `unmetered`, what a call cost
    whose usage was lost."""
    provider: Mapped[str] = mapped_column(String(100))
    model: Mapped[str] = mapped_column(String(200))
    unit: Mapped[str] = mapped_column(String(32))
    keys: Mapped[str] = mapped_column(String(16))
    quantity: Mapped[int] = mapped_column(BigInteger)
    price_microcredits: Mapped[int] = mapped_column(BigInteger)
    """For `price_per` units."""
    price_per: Mapped[int] = mapped_column(BigInteger)
    price_version: Mapped[str] = mapped_column(String(40))
    cost_microcredits: Mapped[Microcredits]
    at: Mapped[datetime]
    """When the call or operation was over."""


class UsageDayRow(Table):
    """Sums of usage events by day (UTC) and what reports group by; written together with them."""

    __tablename__ = "usage_days"
    __table_args__ = (Index("ix_usage_days_organization_id_day", "organization_id", "day"),)

    project_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    agent_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    """`NO_AGENT` when there was none."""
    source: Mapped[str] = mapped_column(String(16), primary_key=True)
    service: Mapped[str] = mapped_column(String(16), primary_key=True)
    provider: Mapped[str] = mapped_column(String(100), primary_key=True)
    model: Mapped[str] = mapped_column(String(200), primary_key=True)
    unit: Mapped[str] = mapped_column(String(32), primary_key=True)
    organization_id: Mapped[uuid.UUID]
    quantity: Mapped[int] = mapped_column(BigInteger)
    cost_microcredits: Mapped[Microcredits]
    events: Mapped[int] = mapped_column(Integer)
    """How many parts were added up: of time on the line one for each call."""


class OpenReservationRow(Table):
    """Credit that the ledger says is set aside for an operation that is not settled yet."""

    __tablename__ = "open_reservations"

    operation_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    seq: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    """Of the event that told it."""
    organization_id: Mapped[uuid.UUID]
    amount_microcredits: Mapped[Microcredits]
    reserved_at: Mapped[datetime] = mapped_column(index=True)
