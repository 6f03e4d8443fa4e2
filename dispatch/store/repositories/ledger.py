"""Movements of money in Postgres: only ever added, never changed."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import ColumnElement, and_, func, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert

from dispatch.errors import NotFound
from dispatch.ledger import LedgerEntry, LedgerKind
from dispatch.paging import Page, PageRequest
from dispatch.store.engine import ReadSession, WriteSession
from dispatch.store.repositories.paged import AnyRow, AnySelect, fetch_page
from dispatch.store.tables import LedgerEntryRow, OrganizationRow

_ENTRY = (
    LedgerEntryRow.id,
    LedgerEntryRow.organization_id,
    LedgerEntryRow.kind,
    LedgerEntryRow.amount_microcredits,
    LedgerEntryRow.operation_id,
    LedgerEntryRow.call_id,
    LedgerEntryRow.reason,
    LedgerEntryRow.created_at,
)

_BEGUN_HERE = text("kind IN ('topup', 'adjust')")
"""Entries that Redis must be told of; all others began there. Literally as in the partial index."""


@dataclass(frozen=True, slots=True)
class UntoldEntry:
    """An entry that Redis may not know."""

    id: uuid.UUID
    operation_id: str
    amount_microcredits: int


async def ensure_entry(
    db: WriteSession,
    organization_id: uuid.UUID,
    kind: LedgerKind,
    *,
    amount_microcredits: int,
    reason: str,
    operation_id: str,
) -> tuple[LedgerEntry, bool]:
    """Write a top-up or an adjustment down once per operation.

    Returns:
        The entry that was first, and whether it is this one.
    """
    stored_id = _stored_operation_id(organization_id, operation_id)
    written = await db.scalar(
        insert(LedgerEntryRow)
        .values(
            id=uuid.uuid4(),
            organization_id=organization_id,
            kind=kind.value,
            amount_microcredits=amount_microcredits,
            operation_id=stored_id,
            reason=reason,
        )
        .on_conflict_do_nothing(index_elements=[LedgerEntryRow.operation_id])
        .returning(LedgerEntryRow.id)
    )
    row = await db.execute(select(*_ENTRY).where(LedgerEntryRow.operation_id == stored_id))
    return to_entry(row.one()), written is not None


async def release_operation(
    db: WriteSession,
    organization_id: uuid.UUID,
    operation_id: uuid.UUID,
    seq: int,
    amount_microcredits: int,
) -> None:
    """Write down, once, that what an operation had set aside came back."""
    await db.execute(
        insert(LedgerEntryRow)
        .values(
            id=uuid.uuid4(),
            organization_id=organization_id,
            kind=LedgerKind.RELEASE.value,
            amount_microcredits=amount_microcredits,
            operation_id=f"{operation_id}:{seq}:release",
        )
        .on_conflict_do_nothing(index_elements=[LedgerEntryRow.operation_id])
    )


async def list_entries(
    db: ReadSession, organization_id: uuid.UUID, page: PageRequest
) -> Page[LedgerEntry]:
    """Return a page of an organisation's entries, newest first."""
    query = (
        select(*_ENTRY)
        .where(LedgerEntryRow.organization_id == organization_id)
        .order_by(LedgerEntryRow.position.desc())
    )
    return await fetch_page(db, query, page, to_entry)


async def list_of_call(db: ReadSession, call_id: uuid.UUID) -> tuple[LedgerEntry, ...]:
    """Return a call's entries, oldest first."""
    query = (
        select(*_ENTRY).where(LedgerEntryRow.call_id == call_id).order_by(LedgerEntryRow.position)
    )
    return tuple(to_entry(row) for row in await db.execute(query))


async def lock_for_entry(db: WriteSession, organization_id: uuid.UUID) -> None:
    """Let nobody else top up or correct this balance before the commit; calls go on.

    Raises:
        NotFound: There is no such organisation.
    """
    # The weakest lock that meets itself: an entry of a call refers to the row and must not wait.
    query = (
        select(OrganizationRow.id)
        .where(OrganizationRow.id == organization_id)
        .with_for_update(key_share=True)
    )
    if (await db.execute(query)).one_or_none() is None:
        raise NotFound("organization", organization_id)


async def sum_of_entries(db: ReadSession, organization_id: uuid.UUID) -> int:
    """Return an organisation's balance as the ledger has it, in micro-credits."""
    return await _sum(db, _sum_query(organization_id))


async def list_untold(
    db: ReadSession, organization_id: uuid.UUID, *, believed_after: timedelta
) -> tuple[UntoldEntry, ...]:
    """Return what Redis may not know, oldest first.

    Args:
        db: An open transaction.
        organization_id: Whose entries.
        believed_after: Age from which it is believed that Redis keeps what it was told.
    """
    query = (
        select(LedgerEntryRow.id, LedgerEntryRow.operation_id, LedgerEntryRow.amount_microcredits)
        .where(LedgerEntryRow.organization_id == organization_id, _is_untold(believed_after))
        .order_by(LedgerEntryRow.position)
    )
    return tuple(UntoldEntry(*row) for row in await db.execute(query))


async def list_organizations_untold(
    db: ReadSession, *, believed_after: timedelta
) -> tuple[uuid.UUID, ...]:
    """Return the organisations with an entry that Redis may not know."""
    query = select(LedgerEntryRow.organization_id).where(_is_untold(believed_after)).distinct()
    return tuple(await db.scalars(query))


async def mark_applied(db: WriteSession, entry_ids: Sequence[uuid.UUID]) -> None:
    """Note that Redis has been told of these entries."""
    await db.execute(
        update(LedgerEntryRow)
        .where(LedgerEntryRow.id.in_(entry_ids), LedgerEntryRow.applied_at.is_(None))
        .values(applied_at=func.now())
    )


def to_entry(row: AnyRow) -> LedgerEntry:
    """Return a row as the entry its owner knows."""
    entry_id, organization_id, kind, amount, operation_id, call_id, reason, created_at = row
    return LedgerEntry(
        id=entry_id,
        organization_id=organization_id,
        kind=LedgerKind(kind),
        amount_microcredits=amount,
        operation_id=operation_id.removeprefix(_stored_operation_id(organization_id, "")),
        call_id=call_id,
        reason=reason,
        created_at=created_at,
    )


def _stored_operation_id(organization_id: uuid.UUID, operation_id: str) -> str:
    """Return the operation's name in the ledger: one customer's never meets another's."""
    return f"topup:{organization_id}:{operation_id}"


def _is_untold(believed_after: timedelta) -> ColumnElement[bool]:
    told_at = LedgerEntryRow.applied_at
    return and_(_BEGUN_HERE, or_(told_at.is_(None), told_at > func.now() - believed_after))


def _sum_query(organization_id: uuid.UUID) -> AnySelect:
    return select(func.coalesce(func.sum(LedgerEntryRow.amount_microcredits), 0)).where(
        LedgerEntryRow.organization_id == organization_id
    )


async def _sum(db: ReadSession, query: AnySelect) -> int:
    # Postgres sums bigint to numeric.
    return int((await db.execute(query)).scalar_one())
