"""Numbers and connections as convergence needs them: all tenants at once, and sync states back."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import select, update

from dispatch.sealed import SealedPassword, WrappedKey
from dispatch.store.engine import ReadSession, WriteSession
from dispatch.store.tables import CarrierConnectionRow, DataKeyRow, PhoneNumberRow
from telephony.e164 import E164


@dataclass(frozen=True, slots=True)
class WantedConnection:
    """A carrier connection that has numbers."""

    id: uuid.UUID
    name: str
    allowed_addresses: frozenset[str]
    auth_username: str
    password: SealedPassword | None


@dataclass(frozen=True, slots=True)
class WantedNumber:
    """A number that LiveKit should hold, and what is on record about whether it does."""

    id: uuid.UUID
    connection_id: uuid.UUID
    did: E164
    shard: int | None
    sync_state: str
    sync_error: str | None


@dataclass(frozen=True, slots=True)
class SyncState:
    """Whether LiveKit holds a number: `active`, or `conflict` with a sentence."""

    number_id: uuid.UUID
    state: str
    error: str | None = None


async def list_wanted(db: ReadSession) -> tuple[list[WantedConnection], list[WantedNumber]]:
    """Return every number, oldest first, and the connections they come in on."""
    number_rows = await db.execute(
        select(
            PhoneNumberRow.id,
            PhoneNumberRow.connection_id,
            PhoneNumberRow.did,
            PhoneNumberRow.shard,
            PhoneNumberRow.sync_state,
            PhoneNumberRow.sync_error,
        )
        .where(PhoneNumberRow.deleted_at.is_(None))
        .order_by(PhoneNumberRow.created_at, PhoneNumberRow.id)
    )
    numbers = [WantedNumber(*row) for row in number_rows]
    connections = await db.execute(
        select(CarrierConnectionRow, DataKeyRow)
        .outerjoin(DataKeyRow, DataKeyRow.project_id == CarrierConnectionRow.project_id)
        .where(
            CarrierConnectionRow.id.in_(
                select(PhoneNumberRow.connection_id).where(PhoneNumberRow.deleted_at.is_(None))
            )
        )
    )
    return [
        WantedConnection(
            id=row.id,
            name=row.name,
            allowed_addresses=frozenset(row.allowed_addresses),
            auth_username=row.auth_username or "",
            password=_to_password(row, key),
        )
        for row, key in connections
    ], numbers


def _to_password(row: CarrierConnectionRow, key: DataKeyRow | None) -> SealedPassword | None:
    if row.auth_password_sealed is None:
        return None
    lost = key is None or key.id != row.data_key_id
    data_key = None if key is None or lost else WrappedKey(key.id, key.key_id, key.wrapped)
    return SealedPassword(row.id, row.project_id, data_key, row.auth_password_sealed)


async def place_numbers(db: WriteSession, shards: Mapping[uuid.UUID, int]) -> None:
    """Write down which shard carries each of these numbers, by the number's id."""
    if shards:
        await db.execute(
            update(PhoneNumberRow),
            [{"id": number_id, "shard": shard} for number_id, shard in shards.items()],
        )


async def write_sync_states(db: WriteSession, states: Sequence[SyncState]) -> None:
    """Write down whether LiveKit holds these numbers."""
    if states:
        await db.execute(
            update(PhoneNumberRow),
            [
                {"id": state.number_id, "sync_state": state.state, "sync_error": state.error}
                for state in states
            ],
        )
