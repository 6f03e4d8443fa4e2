"""Organisations, projects and keys in Postgres."""

import uuid
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import func, insert, select, update

from dispatch.accounts import ApiKey, Organization, Project
from dispatch.errors import NotFound
from dispatch.paging import Page, PageRequest
from dispatch.store.engine import ReadSession, WriteSession
from dispatch.store.key_cache import CachedKey
from dispatch.store.repositories.paged import AnyRow, AnySelect, fetch_page
from dispatch.store.tables import ApiKeyRow, LedgerEntryRow, OrganizationRow, ProjectRow

_PROJECT = (ProjectRow.id, ProjectRow.organization_id, ProjectRow.name, ProjectRow.created_at)
_KEY = (
    ApiKeyRow.id,
    ApiKeyRow.project_id,
    ApiKeyRow.name,
    ApiKeyRow.prefix,
    ApiKeyRow.hint,
    ApiKeyRow.created_at,
    ApiKeyRow.expires_at,
    ApiKeyRow.revoked_at,
)


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key to store, known by its hash."""

    project_id: uuid.UUID
    name: str
    prefix: str
    key_hash: str
    hint: str
    expires_at: datetime | None


async def insert_organization(db: WriteSession, name: str) -> Organization:
    """Store an organisation; its balance is 0."""
    statement = (
        insert(OrganizationRow)
        .values(id=uuid.uuid4(), name=name)
        .returning(OrganizationRow.id, OrganizationRow.created_at)
    )
    organization_id, created_at = (await db.execute(statement)).one()
    return Organization(organization_id, name, 0, created_at)


async def get_organization(db: ReadSession, organization_id: uuid.UUID) -> Organization:
    """Return an organisation with its ledger's sum.

    Raises:
        NotFound: There is none of this id.
    """
    query = _organizations().where(OrganizationRow.id == organization_id)
    row = (await db.execute(query)).one_or_none()
    if row is None:
        raise NotFound("organization", organization_id)
    return _to_organization(row)


async def list_organizations(db: ReadSession, page: PageRequest) -> Page[Organization]:
    """Return a page of organisations, newest first."""
    query = _organizations().order_by(OrganizationRow.created_at.desc(), OrganizationRow.id)
    return await fetch_page(db, query, page, _to_organization)


async def list_organizations_since(
    db: ReadSession, since: datetime | None
) -> tuple[uuid.UUID, ...]:
    """Return the organisations created since (None: all), newest first."""
    query = select(OrganizationRow.id).order_by(OrganizationRow.created_at.desc())
    if since is not None:
        query = query.where(OrganizationRow.created_at >= since)
    return tuple(await db.scalars(query))


async def current_time(db: ReadSession) -> datetime:
    """Return the time by the clock that stamps the rows."""
    now: datetime = (await db.execute(select(func.now()))).scalar_one()
    return now


async def insert_project(db: WriteSession, organization_id: uuid.UUID, name: str) -> Project:
    """Store a project."""
    statement = (
        insert(ProjectRow)
        .values(id=uuid.uuid4(), organization_id=organization_id, name=name)
        .returning(*_PROJECT)
    )
    return Project(*(await db.execute(statement)).one())


async def get_project(db: ReadSession, project_id: uuid.UUID) -> Project:
    """Return a project.

    Raises:
        NotFound: There is none of this id.
    """
    row = (await db.execute(select(*_PROJECT).where(ProjectRow.id == project_id))).one_or_none()
    if row is None:
        raise NotFound("project", project_id)
    return Project(*row)


async def list_projects(
    db: ReadSession, organization_id: uuid.UUID, page: PageRequest
) -> Page[Project]:
    """Return a page of an organisation's projects, newest first."""
    query = (
        select(*_PROJECT)
        .where(ProjectRow.organization_id == organization_id)
        .order_by(ProjectRow.created_at.desc(), ProjectRow.id)
    )
    return await fetch_page(db, query, page, lambda row: Project(*row))


async def insert_key(db: WriteSession, new: NewKey) -> ApiKey:
    """Store a key."""
    values = {"id": uuid.uuid4(), **asdict(new)}
    statement = insert(ApiKeyRow).values(values).returning(*_KEY)
    return _to_key((await db.execute(statement)).one())


async def list_keys(db: ReadSession, project_id: uuid.UUID, page: PageRequest) -> Page[ApiKey]:
    """Return a page of a project's keys, newest first, revoked ones too."""
    query = (
        select(*_KEY)
        .where(ApiKeyRow.project_id == project_id)
        .order_by(ApiKeyRow.created_at.desc(), ApiKeyRow.id)
    )
    return await fetch_page(db, query, page, _to_key)


async def find_key(db: ReadSession, key_hash: str) -> CachedKey | None:
    """Return the owner of a key that is not revoked, by the key's hash."""
    query = (
        select(
            ProjectRow.organization_id,
            ApiKeyRow.project_id,
            ApiKeyRow.id,
            ApiKeyRow.name,
            ApiKeyRow.expires_at,
        )
        .join(ProjectRow, ProjectRow.id == ApiKeyRow.project_id)
        .where(ApiKeyRow.key_hash == key_hash, ApiKeyRow.revoked_at.is_(None))
    )
    row = (await db.execute(query)).one_or_none()
    return None if row is None else CachedKey(*row)


async def revoke_key(db: WriteSession, key_id: uuid.UUID) -> tuple[ApiKey, str] | None:
    """Revoke a key and return it with its hash; the first time of revoking stays."""
    statement = (
        update(ApiKeyRow)
        .where(ApiKeyRow.id == key_id)
        .values(revoked_at=func.coalesce(ApiKeyRow.revoked_at, func.now()))
        .returning(*_KEY, ApiKeyRow.key_hash)
    )
    row = (await db.execute(statement)).one_or_none()
    return None if row is None else (_to_key(row), row.key_hash)


def _organizations() -> AnySelect:
    balance = (
        select(func.coalesce(func.sum(LedgerEntryRow.amount_microcredits), 0))
        .where(LedgerEntryRow.organization_id == OrganizationRow.id)
        .scalar_subquery()
    )
    return select(OrganizationRow.id, OrganizationRow.name, balance, OrganizationRow.created_at)


def _to_key(row: AnyRow) -> ApiKey:
    return ApiKey(
        id=row.id,
        project_id=row.project_id,
        name=row.name,
        prefix=row.prefix,
        hint=row.hint,
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
    )


def _to_organization(row: AnyRow) -> Organization:
    organization_id, name, balance, created_at = row
    # Postgres sums bigint to numeric.
    return Organization(organization_id, name, int(balance), created_at)
