"""Knowledge bases in Postgres."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert

from dispatch.knowledge_base import EmbeddingModel, KnowledgeBase
from dispatch.paging import Page, PageRequest
from dispatch.store.engine import ReadSession, WriteSession
from dispatch.store.repositories.paged import AnyRow, fetch_page
from dispatch.store.tables import KnowledgeBaseRow, KnowledgeDocumentRow, KnowledgeVectorRow


@dataclass(frozen=True, slots=True)
class NewKnowledgeBase:
    """A knowledge base to be stored."""

    id: uuid.UUID
    organization_id: uuid.UUID
    project_id: uuid.UUID
    name: str
    description: str
    language: str
    embedding: EmbeddingModel | None


async def insert_knowledge_base(db: WriteSession, new: NewKnowledgeBase) -> KnowledgeBase | None:
    """Store a knowledge base; None when there is one of this id already."""
    statement = (
        insert(KnowledgeBaseRow)
        .values(
            id=new.id,
            organization_id=new.organization_id,
            project_id=new.project_id,
            name=new.name,
            description=new.description,
            language=new.language,
            **embedding_columns(new.embedding),
        )
        .on_conflict_do_nothing(index_elements=[KnowledgeBaseRow.id])
        .returning(KnowledgeBaseRow)
    )
    row = (await db.execute(statement)).scalar_one_or_none()
    return None if row is None else to_knowledge_base(row)


async def find_knowledge_base(
    db: ReadSession,
    project_id: uuid.UUID,
    knowledge_base_id: uuid.UUID | int,
    *,
    for_update: bool = False,
    for_share: bool = False,
) -> KnowledgeBase | None:
    """Return a project's knowledge base, by its id or its number, unless it is deleted.

    Args:
        db: An open transaction; a writing one if the knowledge base is to be locked.
        project_id: Whose knowledge base.
        knowledge_base_id: Which one.
        for_update: Let nobody else change it before the end of the transaction.
        for_share: Let nobody delete it before the end of the transaction.
    """
    key = (
        KnowledgeBaseRow.id if isinstance(knowledge_base_id, uuid.UUID) else KnowledgeBaseRow.number
    )
    query = select(KnowledgeBaseRow).where(
        key == knowledge_base_id,
        KnowledgeBaseRow.project_id == project_id,
        KnowledgeBaseRow.deleted_at.is_(None),
    )
    if for_update or for_share:
        query = query.with_for_update(read=for_share)
    row = (await db.execute(query)).scalar_one_or_none()
    return None if row is None else to_knowledge_base(row)


async def get_any_knowledge_base(db: ReadSession, knowledge_base_id: uuid.UUID) -> KnowledgeBase:
    """Return a knowledge base, whoever's it is and even if it was deleted."""
    query = select(KnowledgeBaseRow).where(KnowledgeBaseRow.id == knowledge_base_id)
    return to_knowledge_base((await db.execute(query)).scalar_one())


async def find_knowledge_bases(
    db: ReadSession, project_id: uuid.UUID, knowledge_base_ids: Sequence[uuid.UUID]
) -> Sequence[KnowledgeBase]:
    """Return those of the knowledge bases that the project has, in no order."""
    query = select(KnowledgeBaseRow).where(
        KnowledgeBaseRow.id.in_(knowledge_base_ids),
        KnowledgeBaseRow.project_id == project_id,
        KnowledgeBaseRow.deleted_at.is_(None),
    )
    return [to_knowledge_base(row) for row in await db.scalars(query)]


async def list_knowledge_bases(
    db: ReadSession, project_id: uuid.UUID, page: PageRequest
) -> Page[KnowledgeBase]:
    """Return a page of a project's knowledge bases, newest first."""
    query = (
        select(KnowledgeBaseRow)
        .where(KnowledgeBaseRow.project_id == project_id, KnowledgeBaseRow.deleted_at.is_(None))
        .order_by(KnowledgeBaseRow.created_at.desc(), KnowledgeBaseRow.id)
    )
    return await fetch_page(db, query, page, _only_knowledge_base)


async def update_knowledge_base(
    db: WriteSession, knowledge_base_id: uuid.UUID, changes: Mapping[str, Any]
) -> KnowledgeBase:
    """Change some columns of a knowledge base."""
    statement = (
        update(KnowledgeBaseRow)
        .where(KnowledgeBaseRow.id == knowledge_base_id)
        .values(**changes, updated_at=func.now())
        .returning(KnowledgeBaseRow)
        .execution_options(populate_existing=True)
    )
    return to_knowledge_base((await db.execute(statement)).scalar_one())


async def forget_vectors(db: WriteSession, knowledge_base_id: uuid.UUID, *, again: bool) -> None:
    """Throw away a knowledge base's vectors; `again` has new ones made of every chunk."""
    await db.execute(
        delete(KnowledgeVectorRow).where(KnowledgeVectorRow.knowledge_base_id == knowledge_base_id)
    )
    await db.execute(
        update(KnowledgeBaseRow)
        .where(KnowledgeBaseRow.id == knowledge_base_id)
        .values(dimensions=None)
    )
    await db.execute(
        update(KnowledgeDocumentRow)
        .where(
            KnowledgeDocumentRow.knowledge_base_id == knowledge_base_id,
            KnowledgeDocumentRow.chunk_count > 0,
        )
        .values(
            status="embedding" if again else "ready",
            detail=None,
            embedded_count=0,
            failures=0,
            # Whoever makes vectors by the old model is too late now.
            attempt=KnowledgeDocumentRow.attempt + 1,
            due_at=func.now() if again else None,
            updated_at=func.now(),
        )
    )


async def set_dimensions(db: WriteSession, knowledge_base_id: uuid.UUID, dimensions: int) -> int:
    """Write down the length of a knowledge base's vectors unless it is known; return what it is."""
    statement = (
        update(KnowledgeBaseRow)
        .where(KnowledgeBaseRow.id == knowledge_base_id)
        .values(dimensions=func.coalesce(KnowledgeBaseRow.dimensions, dimensions))
        .returning(KnowledgeBaseRow.dimensions)
    )
    known = (await db.execute(statement)).scalar_one()
    return known or dimensions


async def delete_knowledge_base(db: WriteSession, knowledge_base_id: uuid.UUID) -> None:
    """Mark a knowledge base and its documents as deleted; they are found no more."""
    await db.execute(
        update(KnowledgeBaseRow)
        .where(KnowledgeBaseRow.id == knowledge_base_id)
        .values(deleted_at=func.now(), updated_at=func.now())
    )
    await db.execute(
        update(KnowledgeDocumentRow)
        .where(
            KnowledgeDocumentRow.knowledge_base_id == knowledge_base_id,
            KnowledgeDocumentRow.deleted_at.is_(None),
        )
        .values(deleted_at=func.now(), due_at=func.now(), attempt=KnowledgeDocumentRow.attempt + 1)
    )


def embedding_columns(embedding: EmbeddingModel | None) -> dict[str, str | None]:
    """Return the columns that hold a choice of embedding model."""
    return {
        "embedding_provider": None if embedding is None else embedding.provider,
        "embedding_model": None if embedding is None else embedding.model,
        "embedding_base_url": None if embedding is None else embedding.base_url,
    }


def to_knowledge_base(row: KnowledgeBaseRow) -> KnowledgeBase:
    """Return a stored knowledge base."""
    embedding = None
    if row.embedding_provider is not None and row.embedding_model is not None:
        embedding = EmbeddingModel(
            row.embedding_provider, row.embedding_model, row.embedding_base_url
        )
    return KnowledgeBase(
        id=row.id,
        number=row.number,
        organization_id=row.organization_id,
        project_id=row.project_id,
        name=row.name,
        description=row.description,
        language=row.language,
        embedding=embedding,
        dimensions=row.dimensions,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def _only_knowledge_base(row: AnyRow) -> KnowledgeBase:
    return to_knowledge_base(row[0])
