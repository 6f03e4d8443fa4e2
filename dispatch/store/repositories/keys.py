"""API keys in Postgres."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.dialects.postgresql import insert

from dispatch.accounts import DEFAULT_SCOPES, ApiKey, Scope
from dispatch.paging import Page, PageRequest
from dispatch.store.engine import ReadSession, WriteSession
from dispatch.store.repositories.paged import AnyRow, fetch_page
from dispatch.store.tables import ApiKeyRow, OrganizationRow, ProjectRow


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key to store, known by its hash."""

    id: uuid.UUID
    project_id: uuid.UUID
    name: str
    prefix: str
    kind: str
    key_hash: str
    hint: str
    scopes: frozenset[Scope] | None
    """None for the default ones, whatever these become."""
    allowed_origins: tuple[str, ...]
    description: str
    metadata: Mapping[str, Any]
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class OwnedKey:
    """A key, and whose it is."""

    key: ApiKey
    key_hash: str
    organization_id: uuid.UUID
    organization_plan: str
    organization_limits: Mapping[str, int]
    access_version: int


async def insert_key(db: WriteSession, new: NewKey) -> bool:
    """Store a key; False when there is one of this id already."""
    values = {each.name: getattr(new, each.name) for each in fields(new)}
    statement = (
        insert(ApiKeyRow)
        .values(_columns(values))
        .on_conflict_do_nothing(index_elements=[ApiKeyRow.id])
        .returning(ApiKeyRow.id)
    )
    return (await db.scalar(statement)) is not None


async def list_keys(db: ReadSession, project_id: uuid.UUID, page: PageRequest) -> Page[ApiKey]:
    """Return a page of a project's keys, newest first, revoked ones too, deleted ones not."""
    query = (
        select(ApiKeyRow)
        .where(ApiKeyRow.project_id == project_id, ApiKeyRow.deleted_at.is_(None))
        .order_by(ApiKeyRow.created_at.desc(), ApiKeyRow.id)
    )
    return await fetch_page(db, query, page, _only_key)


async def find_by_hash(db: ReadSession, key_hash: str) -> OwnedKey | None:
    """Return a key by its hash, unless it is deleted."""
    return await _find(db, ApiKeyRow.key_hash == key_hash)


async def find_key(
    db: ReadSession, key_id: uuid.UUID, *, for_update: bool = False
) -> OwnedKey | None:
    """Return a key by its id, unless it is deleted.

    Args:
        db: An open transaction; a writing one if the key is to be locked.
        key_id: Which key.
        for_update: Let nobody else change it before the end of the transaction.
    """
    return await _find(db, ApiKeyRow.id == key_id, for_update=for_update)


async def change_key(db: WriteSession, key_id: uuid.UUID, changes: Mapping[str, Any]) -> None:
    """Change a key.

    Args:
        db: An open transaction.
        key_id: Which key.
        changes: New values by the names of `ApiKey`'s fields.
    """
    await db.execute(update(ApiKeyRow).where(ApiKeyRow.id == key_id).values(_columns(changes)))


async def revoke_key(db: WriteSession, key_id: uuid.UUID, reason: str) -> None:
    """Revoke a key that is not revoked yet."""
    await db.execute(
        update(ApiKeyRow)
        .where(ApiKeyRow.id == key_id, ApiKeyRow.revoked_at.is_(None))
        .values(revoked_at=func.now(), revoked_reason=reason)
    )


async def delete_key(db: WriteSession, key_id: uuid.UUID) -> None:
    """Mark a key as deleted, which revokes it."""
    await db.execute(
        update(ApiKeyRow)
        .where(ApiKeyRow.id == key_id)
        .values(deleted_at=func.now(), revoked_at=func.coalesce(ApiKeyRow.revoked_at, func.now()))
    )


async def _find(
    db: ReadSession, where: ColumnElement[bool], *, for_update: bool = False
) -> OwnedKey | None:
    query = (
        select(
            ApiKeyRow,
            ProjectRow.organization_id,
            OrganizationRow.plan,
            OrganizationRow.limits,
            OrganizationRow.access_version,
        )
        .join(ProjectRow, ProjectRow.id == ApiKeyRow.project_id)
        .join(OrganizationRow, OrganizationRow.id == ProjectRow.organization_id)
        .where(where, ApiKeyRow.deleted_at.is_(None))
        # One transaction may read a key, change it and read it again.
        .execution_options(populate_existing=True)
    )
    if for_update:
        query = query.with_for_update(of=ApiKeyRow)
    found = (await db.execute(query)).one_or_none()
    if found is None:
        return None
    row, organization_id, plan, limits, version = found
    return OwnedKey(_to_key(row), row.key_hash, organization_id, plan, limits, version)


def _columns(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values of a key's fields as those of columns."""
    columns = dict(values)
    if columns.get("scopes") is not None:
        columns["scopes"] = sorted(columns["scopes"])
    if "allowed_origins" in columns:
        columns["allowed_origins"] = list(columns["allowed_origins"])
    if "metadata" in columns:
        columns["key_metadata"] = dict(columns.pop("metadata"))
    return columns


def _only_key(row: AnyRow) -> ApiKey:
    return _to_key(row[0])


def _to_key(row: ApiKeyRow) -> ApiKey:
    known = frozenset(scope for scope in Scope if row.scopes is not None and scope in row.scopes)
    return ApiKey(
        id=row.id,
        project_id=row.project_id,
        name=row.name,
        prefix=row.prefix,
        hint=row.hint,
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        kind="widget" if row.kind == "widget" else "server",
        scopes=DEFAULT_SCOPES if row.scopes is None else known,
        allowed_origins=tuple(row.allowed_origins),
        limits=row.limits,
        description=row.description,
        metadata=row.key_metadata,
        revoked_reason=row.revoked_reason,
    )
