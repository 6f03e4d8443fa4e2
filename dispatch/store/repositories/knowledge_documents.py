"""Documents of knowledge bases in Postgres, and the work that is to be done on them."""

import uuid
from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert

from dispatch.knowledge_base import Document, DocumentFormat, DocumentStatus
from dispatch.paging import Page, PageRequest
from dispatch.store.engine import ReadSession, WriteSession
from dispatch.store.repositories.paged import AnyRow, fetch_page
from dispatch.store.tables import (
    KnowledgeChunkRow,
    KnowledgeDocumentRow,
    KnowledgeFilePartRow,
)


@dataclass(frozen=True, slots=True)
class NewDocument:
    """A file to be kept."""

    id: uuid.UUID
    knowledge_base_id: uuid.UUID
    name: str
    format: DocumentFormat
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Job:
    """Something to do for a document; it may be written down while `attempt` is the latest."""

    document_id: uuid.UUID
    knowledge_base_id: uuid.UUID
    attempt: int
    failures: int
    status: DocumentStatus
    format: DocumentFormat
    chunk_count: int
    is_deleted: bool


async def insert_document(db: WriteSession, new: NewDocument) -> Document | None:
    """Store a document as uploaded; None when the knowledge base has these bytes already."""
    statement = (
        insert(KnowledgeDocumentRow)
        .values(
            id=new.id,
            knowledge_base_id=new.knowledge_base_id,
            name=new.name,
            format=new.format,
            size_bytes=new.size_bytes,
            sha256=new.sha256,
        )
        .on_conflict_do_nothing()
        .returning(KnowledgeDocumentRow)
    )
    row = (await db.execute(statement)).scalar_one_or_none()
    return None if row is None else to_document(row)


async def insert_file_part(
    db: WriteSession, document_id: uuid.UUID, position: int, data: bytes
) -> None:
    """Keep a part of a document's file."""
    await db.execute(
        insert(KnowledgeFilePartRow)
        .values(document_id=document_id, position=position, data=data)
        .on_conflict_do_update(
            index_elements=[KnowledgeFilePartRow.document_id, KnowledgeFilePartRow.position],
            set_={"data": data},
        )
    )


async def file_parts(db: ReadSession, document_id: uuid.UUID) -> AsyncIterator[bytes]:
    """Yield a document's file, part by part."""
    position = 0
    while True:
        query = select(KnowledgeFilePartRow.data).where(
            KnowledgeFilePartRow.document_id == document_id,
            KnowledgeFilePartRow.position == position,
        )
        data = (await db.execute(query)).scalar_one_or_none()
        if data is None:
            return
        yield data
        position += 1


async def delete_file(db: WriteSession, document_id: uuid.UUID) -> None:
    """Throw away a document's file."""
    await db.execute(
        delete(KnowledgeFilePartRow).where(KnowledgeFilePartRow.document_id == document_id)
    )


async def find_document(
    db: ReadSession, knowledge_base_id: uuid.UUID, document_id: uuid.UUID
) -> Document | None:
    """Return a document of a knowledge base unless it is deleted."""
    query = _live(knowledge_base_id).where(KnowledgeDocumentRow.id == document_id)
    row = (await db.execute(query)).scalar_one_or_none()
    return None if row is None else to_document(row)


async def find_document_by_sha256(
    db: ReadSession, knowledge_base_id: uuid.UUID, sha256: str
) -> Document | None:
    """Return the document with these bytes, if the knowledge base has one."""
    query = _live(knowledge_base_id).where(KnowledgeDocumentRow.sha256 == sha256)
    row = (await db.execute(query)).scalar_one_or_none()
    return None if row is None else to_document(row)


async def list_documents(
    db: ReadSession, knowledge_base_id: uuid.UUID, page: PageRequest
) -> Page[Document]:
    """Return a page of a knowledge base's documents, newest first."""
    query = _live(knowledge_base_id).order_by(
        KnowledgeDocumentRow.created_at.desc(), KnowledgeDocumentRow.id
    )
    return await fetch_page(db, query, page, _only_document)


async def restart_document(db: WriteSession, document_id: uuid.UUID, new: NewDocument) -> Document:
    """Begin again with a document that was given up; its file has just been kept anew."""
    statement = (
        update(KnowledgeDocumentRow)
        .where(KnowledgeDocumentRow.id == document_id)
        .values(
            name=new.name,
            format=new.format,
            status=DocumentStatus.UPLOADED,
            detail=None,
            failures=0,
            attempt=KnowledgeDocumentRow.attempt + 1,
            due_at=func.now(),
            chunk_count=0,
            embedded_count=0,
            updated_at=func.now(),
        )
        .returning(KnowledgeDocumentRow)
        .execution_options(populate_existing=True)
    )
    return to_document((await db.execute(statement)).scalar_one())


async def delete_document(db: WriteSession, document_id: uuid.UUID) -> None:
    """Mark a document as deleted; it is found no more, and ingestion takes it away."""
    await db.execute(
        update(KnowledgeDocumentRow)
        .where(KnowledgeDocumentRow.id == document_id)
        .values(
            deleted_at=func.now(),
            due_at=func.now(),
            attempt=KnowledgeDocumentRow.attempt + 1,
        )
    )


async def claim_jobs(
    db: WriteSession, *, limit: int, not_these: Collection[uuid.UUID]
) -> Sequence[Job]:
    """Take the documents that have waited longest for something to be done.

    Args:
        db: An open transaction.
        limit: At most so many.
        not_these: Documents the caller is working on.
    """
    due = (
        select(KnowledgeDocumentRow.id)
        .where(
            KnowledgeDocumentRow.due_at <= func.now(),
            KnowledgeDocumentRow.id.not_in(list(not_these)),
        )
        .order_by(KnowledgeDocumentRow.due_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    # In one statement with the update, Postgres may run the query several times and take too many.
    ids = (await db.scalars(due)).all()
    statement = (
        update(KnowledgeDocumentRow)
        .where(KnowledgeDocumentRow.id.in_(ids))
        .values(attempt=KnowledgeDocumentRow.attempt + 1)
        .returning(KnowledgeDocumentRow)
        .execution_options(populate_existing=True)
    )
    return [
        Job(
            document_id=row.id,
            knowledge_base_id=row.knowledge_base_id,
            attempt=row.attempt,
            failures=row.failures,
            status=DocumentStatus(row.status),
            format=DocumentFormat(row.format),
            chunk_count=row.chunk_count,
            is_deleted=row.deleted_at is not None,
        )
        for row in await db.scalars(statement)
    ]


async def write_progress(
    db: WriteSession,
    job: Job,
    *,
    done: bool = False,
    again_in: timedelta | None = None,
    **changes: Any,
) -> bool:
    """Write down how far a job is; whether it is still ours to write.

    Once it returned True nobody else can take the document before the transaction ends.

    Args:
        db: An open transaction.
        job: The job.
        done: There is nothing more to do.
        again_in: When there is. Without either the document stays due, so that whoever comes after
            a crash goes on with it at once.
        changes: Columns.
    """
    if done:
        changes["due_at"] = None
    elif again_in is not None:
        changes["due_at"] = func.now() + again_in
    statement = (
        update(KnowledgeDocumentRow)
        .where(
            KnowledgeDocumentRow.id == job.document_id,
            KnowledgeDocumentRow.attempt == job.attempt,
        )
        .values(updated_at=func.now(), **changes)
        .returning(KnowledgeDocumentRow.id)
    )
    return (await db.execute(statement)).scalar_one_or_none() is not None


async def delete_some_chunks(db: WriteSession, document_id: uuid.UUID, limit: int) -> int:
    """Throw away at most so many chunks of a document with their vectors; return how many."""
    some = (
        select(KnowledgeChunkRow.id)
        .where(KnowledgeChunkRow.document_id == document_id)
        .limit(limit)
    )
    statement = (
        delete(KnowledgeChunkRow)
        .where(KnowledgeChunkRow.id.in_(some))
        .returning(KnowledgeChunkRow.id)
    )
    return len((await db.scalars(statement)).all())


async def delete_document_row(db: WriteSession, job: Job) -> None:
    """Forget a deleted document that has no chunks any more, and its file."""
    await db.execute(
        delete(KnowledgeDocumentRow).where(
            KnowledgeDocumentRow.id == job.document_id,
            KnowledgeDocumentRow.attempt == job.attempt,
        )
    )


def to_document(row: KnowledgeDocumentRow) -> Document:
    """Return a stored document."""
    return Document(
        id=row.id,
        knowledge_base_id=row.knowledge_base_id,
        name=row.name,
        format=DocumentFormat(row.format),
        size_bytes=row.size_bytes,
        sha256=row.sha256,
        status=DocumentStatus(row.status),
        detail=row.detail,
        chunk_count=row.chunk_count,
        embedded_count=row.embedded_count,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def _live(knowledge_base_id: uuid.UUID) -> Any:
    return select(KnowledgeDocumentRow).where(
        KnowledgeDocumentRow.knowledge_base_id == knowledge_base_id,
        KnowledgeDocumentRow.deleted_at.is_(None),
    )


def _only_document(row: AnyRow) -> Document:
    return to_document(row[0])
