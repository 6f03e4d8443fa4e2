"""Sealed secrets in Postgres."""

import uuid
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Select, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert

from dispatch.sealed import ProjectSecrets, SealedSecret, WrappedKey
from dispatch.store.engine import ReadSession, WriteSession
from dispatch.store.tables import CarrierConnectionRow, DataKeyRow, SecretRow


async def find_data_key(
    db: ReadSession, project_id: uuid.UUID, *, for_update: bool = False
) -> WrappedKey | None:
    """Return a project's data key; may lock it, so that no rotation replaces it meanwhile."""
    query = select(DataKeyRow).where(DataKeyRow.project_id == project_id)
    if for_update:
        query = query.with_for_update()
    row = (await db.scalars(query.execution_options(populate_existing=True))).one_or_none()
    return None if row is None else _to_key(row)


async def insert_data_key(db: WriteSession, project_id: uuid.UUID, key: WrappedKey) -> bool:
    """Store a project's first data key; return False when it has got one meanwhile."""
    statement = (
        insert(DataKeyRow)
        .values(project_id=project_id, id=key.id, key_id=key.key_id, wrapped=key.wrapped)
        .on_conflict_do_nothing()
        .returning(DataKeyRow.project_id)
    )
    return await db.scalar(statement) is not None


async def replace_data_key(db: WriteSession, project_id: uuid.UUID, key: WrappedKey) -> None:
    """Store another data key for a project; its values must be sealed anew in the transaction."""
    await db.execute(
        update(DataKeyRow)
        .where(DataKeyRow.project_id == project_id)
        .values(id=key.id, key_id=key.key_id, wrapped=key.wrapped, updated_at=func.now())
    )


async def touch_data_key(db: WriteSession, project_id: uuid.UUID) -> None:
    """Note that a project's secrets changed."""
    await db.execute(
        update(DataKeyRow).where(DataKeyRow.project_id == project_id).values(updated_at=func.now())
    )


async def list_secrets(db: ReadSession, project_id: uuid.UUID) -> tuple[SealedSecret, ...]:
    """Return a project's secrets by provider."""
    query = select(SecretRow).where(SecretRow.project_id == project_id).order_by(SecretRow.provider)
    rows = await db.scalars(query.execution_options(populate_existing=True))
    return tuple(_to_secret(row) for row in rows)


async def put_secret(
    db: WriteSession, project_id: uuid.UUID, provider: str, data_key_id: uuid.UUID, sealed: bytes
) -> SealedSecret:
    """Store a provider's secret in place of the one before, if any."""
    statement = insert(SecretRow).values(
        project_id=project_id, provider=provider, data_key_id=data_key_id, sealed=sealed
    )
    statement = statement.on_conflict_do_update(
        index_elements=[SecretRow.project_id, SecretRow.provider],
        set_={
            "data_key_id": statement.excluded.data_key_id,
            "sealed": statement.excluded.sealed,
            "updated_at": func.now(),
        },
    )
    returning = statement.returning(SecretRow).execution_options(populate_existing=True)
    return _to_secret((await db.scalars(returning)).one())


async def reseal_secret(
    db: WriteSession, project_id: uuid.UUID, provider: str, data_key_id: uuid.UUID, sealed: bytes
) -> None:
    """Store the same secret sealed by another data key; it keeps its times."""
    await db.execute(
        update(SecretRow)
        .where(SecretRow.project_id == project_id, SecretRow.provider == provider)
        .values(data_key_id=data_key_id, sealed=sealed)
    )


async def delete_secret(db: WriteSession, project_id: uuid.UUID, provider: str) -> bool:
    """Remove a provider's secret; return False when there was none."""
    statement = (
        delete(SecretRow)
        .where(SecretRow.project_id == project_id, SecretRow.provider == provider)
        .returning(SecretRow.provider)
    )
    return await db.scalar(statement) is not None


async def list_passwords(db: ReadSession, project_id: uuid.UUID) -> dict[uuid.UUID, bytes]:
    """Return the sealed passwords of a project's carrier connections, by the connection's id."""
    query = select(CarrierConnectionRow.id, CarrierConnectionRow.auth_password_sealed).where(
        CarrierConnectionRow.project_id == project_id,
        CarrierConnectionRow.auth_password_sealed.is_not(None),
    )
    return {connection_id: sealed for connection_id, sealed in await db.execute(query) if sealed}


async def reseal_password(
    db: WriteSession, connection_id: uuid.UUID, data_key_id: uuid.UUID, sealed: bytes
) -> None:
    """Store the same password sealed by another data key."""
    await db.execute(
        update(CarrierConnectionRow)
        .where(CarrierConnectionRow.id == connection_id)
        .values(data_key_id=data_key_id, auth_password_sealed=sealed)
    )


async def list_termination_passwords(
    db: ReadSession, project_id: uuid.UUID
) -> dict[uuid.UUID, bytes]:
    """Return the sealed passwords for calls to a project's carriers, by the connection's id."""
    sealed = CarrierConnectionRow.termination_password_sealed
    query = select(CarrierConnectionRow.id, sealed).where(
        CarrierConnectionRow.project_id == project_id, sealed.is_not(None)
    )
    return {connection_id: value for connection_id, value in await db.execute(query) if value}


async def reseal_termination_password(
    db: WriteSession, connection_id: uuid.UUID, data_key_id: uuid.UUID, sealed: bytes
) -> None:
    """Store the same password sealed by another data key."""
    await db.execute(
        update(CarrierConnectionRow)
        .where(CarrierConnectionRow.id == connection_id)
        .values(data_key_id=data_key_id, termination_password_sealed=sealed, updated_at=func.now())
    )


async def find_project_secrets(db: ReadSession, project_id: uuid.UUID) -> ProjectSecrets | None:
    """Return all of a project's secrets with their key, or None when it never had one."""
    found = await _with_secrets(db, select(DataKeyRow).where(DataKeyRow.project_id == project_id))
    return found[0][1] if found else None


async def list_changed_since(
    db: ReadSession, since: datetime | None, after: uuid.UUID | None, limit: int
) -> Sequence[tuple[uuid.UUID, ProjectSecrets]]:
    """Return projects with a data key, by id, each with all its secrets.

    Args:
        db: An open transaction.
        since: Only projects whose secrets or key changed since; None for all.
        after: Only ids behind this one; None from the first.
        limit: At most so many projects.
    """
    query = select(DataKeyRow).order_by(DataKeyRow.project_id).limit(limit)
    if since is not None:
        query = query.where(DataKeyRow.updated_at >= since)
    if after is not None:
        query = query.where(DataKeyRow.project_id > after)
    return await _with_secrets(db, query)


async def _with_secrets(
    db: ReadSession, query: Select[DataKeyRow]
) -> Sequence[tuple[uuid.UUID, ProjectSecrets]]:
    keys = (await db.scalars(query)).all()
    found: dict[uuid.UUID, list[SealedSecret]] = {key.project_id: [] for key in keys}
    secrets = select(SecretRow).where(SecretRow.project_id.in_(found)).order_by(SecretRow.provider)
    for row in await db.scalars(secrets):
        found[row.project_id].append(_to_secret(row))
    return [
        (
            key.project_id,
            ProjectSecrets(_to_key(key), tuple(found[key.project_id]), key.revision),
        )
        for key in keys
    ]


async def list_wrapped_by_others(
    db: ReadSession, key_id: str, after: uuid.UUID | None, limit: int
) -> Sequence[uuid.UUID]:
    """Return ids of projects whose data key another installation key wraps, in order."""
    query = select(DataKeyRow.project_id).where(DataKeyRow.key_id != key_id)
    if after is not None:
        query = query.where(DataKeyRow.project_id > after)
    return (await db.scalars(query.order_by(DataKeyRow.project_id).limit(limit))).all()


async def count_by_key(db: ReadSession) -> dict[str, int]:
    """Return how many projects each installation key serves."""
    query = select(DataKeyRow.key_id, func.count()).group_by(DataKeyRow.key_id)
    return {row.key_id: row[1] for row in await db.execute(query)}


def _to_key(row: DataKeyRow) -> WrappedKey:
    return WrappedKey(row.id, row.key_id, row.wrapped)


def _to_secret(row: SecretRow) -> SealedSecret:
    return SealedSecret(row.provider, row.data_key_id, row.sealed, row.created_at, row.updated_at)
