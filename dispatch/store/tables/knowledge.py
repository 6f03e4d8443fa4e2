"""Knowledge bases, the documents in them, and what of the documents can be found."""

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from pgvector.sqlalchemy import HALFVEC
from sqlalchemy import (
    BigInteger,
    Cast,
    CheckConstraint,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    String,
    Text,
    cast,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import TSVECTOR
from sqlalchemy.orm import Mapped, mapped_column

from dispatch.store.tables.base import Table

INDEXED_DIMENSIONS: Final = (256, 384, 512, 768, 1024, 1536, 2048, 3072)
"""Lengths of vectors that common models make; each has an HNSW index. Others are found, too, by
comparing all of a knowledge base's vectors. A new one needs a migration."""


class KnowledgeBaseRow(Table):
    """A project's collection of documents."""

    __tablename__ = "knowledge_bases"
    __table_args__ = (
        Index("ix_knowledge_bases_project_id_created_at", "project_id", "created_at"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(Integer, Identity(always=True), unique=True)
    organization_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("organizations.id"))
    project_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("projects.id"))
    name: Mapped[str] = mapped_column(String(100))
    description: Mapped[str] = mapped_column(Text, server_default="")
    language: Mapped[str] = mapped_column(String(20))
    """A text search configuration; chunks are indexed with it, so it never changes."""
    embedding_provider: Mapped[str | None] = mapped_column(String(40))
    embedding_model: Mapped[str | None] = mapped_column(String(100))
    embedding_base_url: Mapped[str | None] = mapped_column(String(300))
    dimensions: Mapped[int | None] = mapped_column(Integer)
    """Length of its vectors, from the first one that was made."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())
    deleted_at: Mapped[datetime | None]
    """From then on nobody sees it; ingestion takes its documents away little by little."""


class KnowledgeDocumentRow(Table):
    """A file that was uploaded, and how far it is."""

    __tablename__ = "knowledge_documents"
    __table_args__ = (
        Index(
            "uq_knowledge_documents_knowledge_base_id_sha256_live",
            "knowledge_base_id",
            "sha256",
            unique=True,
            postgresql_where=text("deleted_at IS NULL"),
        ),
        Index(
            "ix_knowledge_documents_due",
            "due_at",
            postgresql_where=text("due_at IS NOT NULL"),
        ),
        CheckConstraint(
            "status IN ('uploaded', 'parsing', 'embedding', 'ready', 'failed')", name="status"
        ),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    knowledge_base_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("knowledge_bases.id"))
    name: Mapped[str] = mapped_column(String(255))
    format: Mapped[str] = mapped_column(String(16))
    size_bytes: Mapped[int] = mapped_column(Integer)
    sha256: Mapped[str] = mapped_column(String(64))
    status: Mapped[str] = mapped_column(String(16), server_default="uploaded")
    detail: Mapped[str | None] = mapped_column(Text)
    attempt: Mapped[int] = mapped_column(Integer, server_default="0")
    """How often work on it was begun. Work writes only while its number is the latest, so that one
    that was thought dead cannot disturb its successor."""
    failures: Mapped[int] = mapped_column(Integer, server_default="0")
    """Attempts in a row that came to nothing."""
    due_at: Mapped[datetime | None] = mapped_column(server_default=func.now())
    """When there is something to do for it; None when there is nothing."""
    chunk_count: Mapped[int] = mapped_column(Integer, server_default="0")
    embedded_count: Mapped[int] = mapped_column(Integer, server_default="0")
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())
    deleted_at: Mapped[datetime | None]


class KnowledgeFilePartRow(Table):
    """A part of a file that is not read yet; gone once it is."""

    __tablename__ = "knowledge_file_parts"

    document_id: Mapped[uuid.UUID] = mapped_column(
        ForeignKey("knowledge_documents.id", ondelete="CASCADE"), primary_key=True
    )
    position: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    data: Mapped[bytes] = mapped_column(LargeBinary)


class KnowledgeChunkRow(Table):
    """A piece of a document, and the words by which it is found."""

    __tablename__ = "knowledge_chunks"
    __table_args__ = (
        Index("ix_knowledge_chunks_knowledge_base_id", "knowledge_base_id"),
        Index("uq_knowledge_chunks_document_id_position", "document_id", "position", unique=True),
        Index("ix_knowledge_chunks_words", "words", postgresql_using="gin"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    knowledge_base_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("knowledge_bases.id"))
    document_id: Mapped[uuid.UUID] = mapped_column(
        ForeignKey("knowledge_documents.id", ondelete="CASCADE")
    )
    position: Mapped[int] = mapped_column(Integer)
    heading: Mapped[str] = mapped_column(Text)
    text: Mapped[str] = mapped_column(Text)
    page: Mapped[int | None] = mapped_column(Integer)
    words: Mapped[str] = mapped_column(TSVECTOR)


class KnowledgeVectorRow(Table):
    """The meaning of a chunk, as a vector of length 1."""

    __tablename__ = "knowledge_vectors"
    __table_args__ = (
        Index("ix_knowledge_vectors_knowledge_base_id", "knowledge_base_id"),
        Index("ix_knowledge_vectors_document_id", "document_id"),
    )

    chunk_id: Mapped[int] = mapped_column(
        ForeignKey("knowledge_chunks.id", ondelete="CASCADE"), primary_key=True
    )
    knowledge_base_id: Mapped[uuid.UUID]
    document_id: Mapped[uuid.UUID]
    dimensions: Mapped[int] = mapped_column(Integer)
    embedding: Mapped[Sequence[float]] = mapped_column(HALFVEC())
    """Two bytes a number: half the room of `vector`, indexed up to 4,000 numbers instead of 2,000,
    and the same neighbours."""


class EmbeddingUseRow(Table):
    """Tokens that vectors took, written with them; gone once they are charged."""

    __tablename__ = "embedding_uses"

    operation_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    """Makes the charge happen once."""
    organization_id: Mapped[uuid.UUID]
    project_id: Mapped[uuid.UUID]
    provider: Mapped[str] = mapped_column(String(40))
    model: Mapped[str] = mapped_column(String(100))
    keys: Mapped[str] = mapped_column(String(16))
    """A `KeySource`."""
    input_tokens: Mapped[int] = mapped_column(BigInteger)
    at: Mapped[datetime] = mapped_column(server_default=func.now(), index=True)


def as_vector_of(dimensions: int) -> Cast[Sequence[float]]:
    """Return the vectors as ones of this length, which is what an index holds."""
    return cast(KnowledgeVectorRow.embedding, HALFVEC(dimensions))


for _dimensions in INDEXED_DIMENSIONS:
    # An index needs vectors of one length; the column has them of any.
    Index(
        f"ix_knowledge_vectors_hnsw_{_dimensions}",
        as_vector_of(_dimensions).label("vector"),
        postgresql_using="hnsw",
        postgresql_ops={"vector": "halfvec_cosine_ops"},
        postgresql_where=text(f"dimensions = {_dimensions}"),
    )
