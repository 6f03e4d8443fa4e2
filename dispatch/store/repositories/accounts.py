"""Organisations and projects in Postgres."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError

from dispatch.accounts import Organization, Project
from dispatch.errors import NotFound
from dispatch.paging import Page, PageRequest
from dispatch.store.engine import ReadSession, WriteSession
from dispatch.store.repositories.paged import AnyRow, AnySelect, fetch_page
from dispatch.store.tables import LedgerEntryRow, OrganizationRow, ProjectRow

_PROJECT = (ProjectRow.id, ProjectRow.organization_id, ProjectRow.name, ProjectRow.created_at)


@dataclass(frozen=True, slots=True)
class SignedInOrganization:
    """An organisation as somebody who signed in for it needs it."""

    id: uuid.UUID
    plan: str
    limits: Mapping[str, int]
    access_version: int
    first_project_id: uuid.UUID | None


async def insert_organization(
    db: WriteSession,
    organization_id: uuid.UUID,
    *,
    name: str,
    plan: str,
    external_id: str | None = None,
) -> bool:
    """Store an organisation with a balance of 0; False when this id or external id is taken."""
    statement = (
        insert(OrganizationRow)
        .values(id=organization_id, name=name, plan=plan, external_id=external_id)
        .on_conflict_do_nothing()
        .returning(OrganizationRow.id)
    )
    return (await db.scalar(statement)) is not None


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


async def find_external(db: ReadSession, external_id: str) -> SignedInOrganization | None:
    """Return the organisation that the identity provider knows by this name."""
    first_project = (
        select(ProjectRow.id)
        .where(ProjectRow.organization_id == OrganizationRow.id)
        .order_by(ProjectRow.created_at, ProjectRow.id)
        .limit(1)
        .scalar_subquery()
    )
    query = select(
        OrganizationRow.id,
        OrganizationRow.plan,
        OrganizationRow.limits,
        OrganizationRow.access_version,
        first_project,
    ).where(OrganizationRow.external_id == external_id)
    row = (await db.execute(query)).one_or_none()
    return None if row is None else SignedInOrganization(*row)


async def change_organization(
    db: WriteSession, organization_id: uuid.UUID, changes: Mapping[str, Any]
) -> bool:
    """Set columns of an organisation; False when another has its external id."""
    if not changes:
        return True
    statement = (
        update(OrganizationRow).where(OrganizationRow.id == organization_id).values(dict(changes))
    )
    try:
        async with db.begin_nested():
            await db.execute(statement)
    except IntegrityError:
        return False
    return True


async def raise_access_version(db: WriteSession, organization_id: uuid.UUID) -> int:
    """Count a change of what the organisation's keys and members may do; return the new version."""
    statement = (
        update(OrganizationRow)
        .where(OrganizationRow.id == organization_id)
        .values(access_version=OrganizationRow.access_version + 1)
        .returning(OrganizationRow.access_version)
    )
    version: int = (await db.execute(statement)).scalar_one()
    return version


async def list_organizations(
    db: ReadSession, page: PageRequest, *, only: uuid.UUID | None = None
) -> Page[Organization]:
    """Return a page of organisations, newest first.

    Args:
        db: An open transaction.
        page: Which page.
        only: Nothing but this one; None for all.
    """
    query = _organizations().order_by(OrganizationRow.created_at.desc(), OrganizationRow.id)
    if only is not None:
        query = query.where(OrganizationRow.id == only)
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


async def insert_project(
    db: WriteSession, project_id: uuid.UUID, organization_id: uuid.UUID, name: str
) -> bool:
    """Store a project; False when there is one of this id already."""
    statement = (
        insert(ProjectRow)
        .values(id=project_id, organization_id=organization_id, name=name)
        .on_conflict_do_nothing(index_elements=[ProjectRow.id])
        .returning(ProjectRow.id)
    )
    return (await db.scalar(statement)) is not None


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


def _organizations() -> AnySelect:
    balance = (
        select(func.coalesce(func.sum(LedgerEntryRow.amount_microcredits), 0))
        .where(LedgerEntryRow.organization_id == OrganizationRow.id)
        .scalar_subquery()
    )
    return select(
        OrganizationRow.id,
        OrganizationRow.name,
        balance,
        OrganizationRow.created_at,
        OrganizationRow.plan,
        OrganizationRow.external_id,
        OrganizationRow.limits,
    )


def _to_organization(row: AnyRow) -> Organization:
    organization_id, name, balance, *rest = row
    # Postgres sums bigint to numeric.
    return Organization(organization_id, name, int(balance), *rest)
