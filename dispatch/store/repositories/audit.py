"""The audit log in Postgres."""

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select

from dispatch.accounts import Actor
from dispatch.paging import Page, PageRequest
from dispatch.store.engine import ReadSession, WriteSession
from dispatch.store.repositories.paged import AnyRow, fetch_page
from dispatch.store.tables import AuditEntryRow


@dataclass(frozen=True, slots=True)
class NewEntry:
    """An entry to write."""

    actor: Actor
    action: str
    target_type: str
    target_id: str
    organization_id: uuid.UUID | None
    project_id: uuid.UUID | None
    before: dict[str, Any] | None
    after: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One change that somebody made."""

    id: uuid.UUID
    at: datetime
    actor_kind: str
    actor_id: str
    actor_name: str
    action: str
    target_type: str
    target_id: str
    organization_id: uuid.UUID | None
    project_id: uuid.UUID | None
    before: dict[str, Any] | None
    after: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which entries are wanted; what is None does not matter."""

    organization_id: uuid.UUID | None = None
    project_id: uuid.UUID | None = None
    action: str | None = None
    actor_id: str | None = None
    target_type: str | None = None
    target_id: str | None = None
    since: datetime | None = None
    """At this time or later."""
    until: datetime | None = None
    """Before this time."""


async def insert_entry(db: WriteSession, new: NewEntry) -> None:
    """Write an entry in the transaction of the change it tells of."""
    statement = insert(AuditEntryRow).values(
        id=uuid.uuid4(),
        actor_kind=new.actor.kind,
        actor_id=new.actor.id,
        actor_name=new.actor.name,
        actor_organization_id=new.actor.organization_id,
        action=new.action,
        target_type=new.target_type,
        target_id=new.target_id,
        organization_id=new.organization_id,
        project_id=new.project_id,
        before=new.before,
        after=new.after,
    )
    await db.execute(statement)


async def list_entries(db: ReadSession, wanted: AuditFilter, page: PageRequest) -> Page[AuditEntry]:
    """Return a page of entries, the last written first."""
    query = select(AuditEntryRow).order_by(AuditEntryRow.position.desc())
    exact = ("organization_id", "project_id", "action", "actor_id", "target_type", "target_id")
    for name in exact:
        value = getattr(wanted, name)
        if value is not None:
            query = query.where(getattr(AuditEntryRow, name) == value)
    if wanted.since is not None:
        query = query.where(AuditEntryRow.at >= wanted.since)
    if wanted.until is not None:
        query = query.where(AuditEntryRow.at < wanted.until)
    return await fetch_page(db, query, page, _to_entry)


def _to_entry(found: AnyRow) -> AuditEntry:
    row: AuditEntryRow = found[0]
    return AuditEntry(
        id=row.id,
        at=row.at,
        actor_kind=row.actor_kind,
        actor_id=row.actor_id,
        actor_name=row.actor_name,
        action=row.action,
        target_type=row.target_type,
        target_id=row.target_id,
        organization_id=row.organization_id,
        project_id=row.project_id,
        before=row.before,
        after=row.after,
    )
