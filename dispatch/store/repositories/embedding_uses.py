"""What vectors on record took of a vendor and is not charged yet, in Postgres."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert

from dispatch.billing.items import KeySource, Service, Unit, UsageItem
from dispatch.store.engine import ReadSession, WriteSession
from dispatch.store.tables import EmbeddingUseRow


@dataclass(frozen=True, slots=True)
class EmbeddingUse:
    """Tokens that one request for vectors took."""

    operation_id: uuid.UUID
    """By which it is charged, once."""
    organization_id: uuid.UUID
    project_id: uuid.UUID
    item: UsageItem


async def insert_use(db: WriteSession, use: EmbeddingUse) -> None:
    """Note what vectors took; those of documents in the transaction that stores them."""
    await db.execute(
        insert(EmbeddingUseRow)
        .values(
            operation_id=use.operation_id,
            organization_id=use.organization_id,
            project_id=use.project_id,
            provider=use.item.provider,
            model=use.item.model,
            keys=use.item.keys,
            input_tokens=use.item.quantity,
        )
        .on_conflict_do_nothing()
    )


async def list_uses(db: ReadSession, limit: int) -> Sequence[EmbeddingUse]:
    """Return what was noted longest ago."""
    query = select(EmbeddingUseRow).order_by(EmbeddingUseRow.at).limit(limit)
    return [
        EmbeddingUse(
            operation_id=row.operation_id,
            organization_id=row.organization_id,
            project_id=row.project_id,
            item=UsageItem(
                Service.EMBEDDING,
                row.provider,
                row.model,
                Unit.INPUT_TOKENS,
                row.input_tokens,
                KeySource(row.keys),
            ),
        )
        for row in await db.scalars(query)
    ]


async def delete_use(db: WriteSession, operation_id: uuid.UUID) -> None:
    """Forget what is charged."""
    await db.execute(delete(EmbeddingUseRow).where(EmbeddingUseRow.operation_id == operation_id))
