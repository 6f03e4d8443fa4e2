"""Where calls to carriers go, in Postgres: the other direction of a carrier connection."""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import func, select, update

from dispatch.store.engine import ReadSession, WriteSession
from dispatch.store.tables import AgentRow, CarrierConnectionRow, PhoneNumberRow


@dataclass(frozen=True, slots=True)
class Termination:
    """How a carrier is called on one connection."""

    connection_id: uuid.UUID
    uri: str | None
    username: str | None
    numbers: int
    """How many numbers come in on the connection."""


_NUMBERS = (
    select(func.count())
    .where(
        PhoneNumberRow.connection_id == CarrierConnectionRow.id,
        PhoneNumberRow.deleted_at.is_(None),
    )
    .correlate(CarrierConnectionRow)
    .scalar_subquery()
)


async def list_terminations(
    db: ReadSession, project_id: uuid.UUID, provider: str | None = None
) -> list[Termination]:
    """Return a project's connections (of a carrier) as seen from us, oldest first."""
    query = (
        select(
            CarrierConnectionRow.id,
            CarrierConnectionRow.termination_uri,
            CarrierConnectionRow.termination_username,
            _NUMBERS,
        )
        .where(
            CarrierConnectionRow.project_id == project_id,
            CarrierConnectionRow.deleted_at.is_(None),
        )
        .order_by(CarrierConnectionRow.created_at, CarrierConnectionRow.id)
    )
    if provider is not None:
        query = query.where(CarrierConnectionRow.provider == provider)
    return [Termination(*row) for row in await db.execute(query)]


async def set_termination(
    db: WriteSession,
    connection_id: uuid.UUID,
    *,
    uri: str,
    username: str | None,
) -> None:
    """Store where calls to the carrier go, and under which name."""
    await db.execute(
        update(CarrierConnectionRow)
        .where(CarrierConnectionRow.id == connection_id)
        .values(termination_uri=uri, termination_username=username, updated_at=func.now())
    )


async def set_termination_password(
    db: WriteSession, connection_id: uuid.UUID, sealed: bytes, data_key_id: uuid.UUID
) -> None:
    """Store the password for calls to the carrier; the connection's other one has the same key."""
    await db.execute(
        update(CarrierConnectionRow)
        .where(CarrierConnectionRow.id == connection_id)
        .values(termination_password_sealed=sealed, data_key_id=data_key_id, updated_at=func.now())
    )


async def agent_names(
    db: ReadSession, project_id: uuid.UUID, agent_ids: Iterable[uuid.UUID]
) -> dict[uuid.UUID, str]:
    """Return the names of a project's agents by their ids."""
    name = AgentRow.draft["name"].astext
    query = select(AgentRow.id, name).where(
        AgentRow.project_id == project_id, AgentRow.id.in_(list(agent_ids))
    )
    return {row[0]: row[1] for row in await db.execute(query)}


async def find_termination(
    db: ReadSession, connection_id: uuid.UUID
) -> tuple[str, str | None] | None:
    """Return where a connection's calls go and under which name, or None when it only calls in."""
    query = select(
        CarrierConnectionRow.termination_uri, CarrierConnectionRow.termination_username
    ).where(CarrierConnectionRow.id == connection_id)
    row = (await db.execute(query)).one_or_none()
    return None if row is None or row[0] is None else (row[0], row[1])


async def set_limits(
    db: WriteSession,
    connection_id: uuid.UUID,
    calls_per_second: int | None,
    max_outbound_calls: int | None,
) -> None:
    """Store how fast and how many calls a carrier takes; None for the installation's own limits."""
    await db.execute(
        update(CarrierConnectionRow)
        .where(CarrierConnectionRow.id == connection_id)
        .values(calls_per_second=calls_per_second, max_outbound_calls=max_outbound_calls)
    )


async def forget_termination_password(db: WriteSession, connection_id: uuid.UUID) -> None:
    """Take the password for calls to the carrier away."""
    await db.execute(
        update(CarrierConnectionRow)
        .where(CarrierConnectionRow.id == connection_id)
        .values(termination_password_sealed=None, updated_at=func.now())
    )
