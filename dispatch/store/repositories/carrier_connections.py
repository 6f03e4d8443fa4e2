"""Carrier connections in Postgres."""

import uuid
from dataclasses import dataclass

from sqlalchemy import exists, func, insert, select, update

from dispatch.numbers import CarrierConnection
from dispatch.paging import Page, PageRequest
from dispatch.store.engine import ReadSession, WriteSession
from dispatch.store.repositories.paged import AnyRow, AnySelect, fetch_page
from dispatch.store.tables import CarrierConnectionRow, PhoneNumberRow

_CONNECTION = (
    CarrierConnectionRow.id,
    CarrierConnectionRow.organization_id,
    CarrierConnectionRow.project_id,
    CarrierConnectionRow.name,
    CarrierConnectionRow.provider,
    CarrierConnectionRow.allowed_addresses,
    CarrierConnectionRow.auth_username,
    CarrierConnectionRow.created_at,
)


@dataclass(frozen=True, slots=True)
class NewConnection:
    """A connection to store."""

    id: uuid.UUID
    organization_id: uuid.UUID
    project_id: uuid.UUID
    name: str
    provider: str
    allowed_addresses: tuple[str, ...]
    auth_username: str | None = None
    auth_password_sealed: bytes | None = None
    data_key_id: uuid.UUID | None = None
    """Which key seals the password."""


async def insert_connection(db: WriteSession, new: NewConnection) -> CarrierConnection:
    """Store a connection."""
    statement = (
        insert(CarrierConnectionRow)
        .values(
            id=new.id,
            organization_id=new.organization_id,
            project_id=new.project_id,
            name=new.name,
            provider=new.provider,
            allowed_addresses=list(new.allowed_addresses),
            auth_username=new.auth_username,
            auth_password_sealed=new.auth_password_sealed,
            data_key_id=new.data_key_id,
        )
        .returning(*_CONNECTION)
    )
    return _to_connection((await db.execute(statement)).one())


async def find_connection(
    db: ReadSession,
    project_id: uuid.UUID,
    connection_id: uuid.UUID,
    *,
    for_update: bool = False,
    for_share: bool = False,
) -> CarrierConnection | None:
    """Return a project's connection unless it is deleted; may lock it, as `find_agent` does."""
    query = _of_project(project_id).where(CarrierConnectionRow.id == connection_id)
    if for_update or for_share:
        query = query.with_for_update(read=for_share)
    row = (await db.execute(query)).one_or_none()
    return None if row is None else _to_connection(row)


async def list_of_provider(
    db: WriteSession, project_id: uuid.UUID, provider: str
) -> tuple[CarrierConnection, ...]:
    """Return a project's connections of a carrier and keep them from being deleted.

    A second transaction that asks for the same carrier waits for the first to end, so that two
    first numbers at once do not create two connections.
    """
    await db.execute(
        select(func.pg_advisory_xact_lock(func.hashtextextended(f"{project_id}:{provider}", 0)))
    )
    query = _of_project(project_id).where(CarrierConnectionRow.provider == provider)
    rows = await db.execute(query.with_for_update(read=True))
    return tuple(_to_connection(row) for row in rows)


async def list_connections(
    db: ReadSession, project_id: uuid.UUID, page: PageRequest
) -> Page[CarrierConnection]:
    """Return a page of a project's connections, newest first."""
    query = _of_project(project_id).order_by(
        CarrierConnectionRow.created_at.desc(), CarrierConnectionRow.id
    )
    return await fetch_page(db, query, page, _to_connection)


async def has_numbers(db: ReadSession, connection_id: uuid.UUID) -> bool:
    """Whether a number comes in on the connection."""
    query = select(
        exists().where(
            PhoneNumberRow.connection_id == connection_id, PhoneNumberRow.deleted_at.is_(None)
        )
    )
    return bool(await db.scalar(query))


async def delete_connection(db: WriteSession, connection_id: uuid.UUID) -> None:
    """Mark a connection as deleted and forget its password."""
    await db.execute(
        update(CarrierConnectionRow)
        .where(CarrierConnectionRow.id == connection_id)
        .values(
            deleted_at=func.now(),
            updated_at=func.now(),
            auth_password_sealed=None,
            termination_password_sealed=None,
            data_key_id=None,
        )
    )


def _of_project(project_id: uuid.UUID) -> AnySelect:
    return select(*_CONNECTION).where(
        CarrierConnectionRow.project_id == project_id, CarrierConnectionRow.deleted_at.is_(None)
    )


def _to_connection(row: AnyRow) -> CarrierConnection:
    connection_id, organization_id, project_id, name, provider, addresses, username, created = row
    return CarrierConnection(
        id=connection_id,
        organization_id=organization_id,
        project_id=project_id,
        name=name,
        provider=provider,
        allowed_addresses=tuple(addresses),
        auth_username=username,
        created_at=created,
    )
