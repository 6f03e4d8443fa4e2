"""Chunks in Postgres: writing them with their words and vectors, and finding them by either."""

import re
import unicodedata
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from pgvector.sqlalchemy import HALFVEC
from sqlalchemy import (
    ColumnElement,
    Float,
    SQLColumnExpression,
    String,
    Text,
    bindparam,
    cast,
    exists,
    func,
    literal,
    literal_column,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import REGCONFIG, TSQUERY, Insert, insert

from dispatch.knowledge_base import SEARCHABLE, Chunk, KnowledgeBase, SearchHit
from dispatch.store.engine import ReadSession, WriteSession
from dispatch.store.tables import (
    KnowledgeChunkRow,
    KnowledgeDocumentRow,
    KnowledgeVectorRow,
)
from dispatch.store.tables.knowledge import INDEXED_DIMENSIONS, as_vector_of

EXACT_UP_TO: Final = 10_000
"""A knowledge base with no more vectors is searched by comparing all of them: nothing is missed."""

_MOST_WORDS: Final = 64
"""Of a query; longer ones are texts."""

_MOST_RANKED: Final = 1_000
"""Chunks whose words are looked at one by one; reading them takes some 15 µs each."""

_EF_SEARCH: Final = 100
_MAX_SCAN_TUPLES: Final = 100_000
"""All tenants share an index, so it is walked on until enough of the right ones were met."""

_FOREIGN_PUNCTUATION: Final = re.compile(r"[^\w\s\x00-\x7f]")


@dataclass(frozen=True, slots=True)
class PendingChunk:
    """A chunk that has no vector yet."""

    id: int
    heading: str
    text: str


async def insert_chunks(
    db: WriteSession, base: KnowledgeBase, document_id: uuid.UUID, chunks: Sequence[Chunk]
) -> None:
    """Store chunks of a document; those that are there already stay as they are."""
    rows = [
        {
            "knowledge_base_id": base.id,
            "document_id": document_id,
            "position": chunk.position,
            "heading": chunk.heading,
            "text": chunk.text,
            "page": chunk.page,
            "language": base.language,
            "heading_words": plain_words(chunk.heading),
            "text_words": plain_words(chunk.text),
        }
        for chunk in chunks
    ]
    await _insert_many(db, _INSERT_CHUNK, rows)


async def list_pending(
    db: ReadSession, document_id: uuid.UUID, limit: int
) -> Sequence[PendingChunk]:
    """Return a document's first chunks that have no vector."""
    chunk = KnowledgeChunkRow
    query = (
        select(chunk.id, chunk.heading, chunk.text)
        .where(
            chunk.document_id == document_id,
            ~exists().where(KnowledgeVectorRow.chunk_id == chunk.id),
        )
        .order_by(chunk.position)
        .limit(limit)
    )
    return [PendingChunk(*row) for row in await db.execute(query)]


async def insert_vectors(
    db: WriteSession,
    knowledge_base_id: uuid.UUID,
    document_id: uuid.UUID,
    vectors: Sequence[tuple[int, Sequence[float]]],
) -> None:
    """Store vectors of chunks, by the chunks' ids; one that is there already stays."""
    rows = [
        {
            "chunk_id": chunk_id,
            "knowledge_base_id": knowledge_base_id,
            "document_id": document_id,
            "dimensions": len(vector),
            "embedding": vector,
        }
        for chunk_id, vector in vectors
    ]
    await _insert_many(db, _INSERT_VECTOR, rows)


async def count_vectors(db: ReadSession, document_id: uuid.UUID) -> int:
    """Return how many chunks of a document have a vector."""
    query = select(func.count()).where(KnowledgeVectorRow.document_id == document_id)
    return (await db.execute(query)).scalar_one()


async def find_by_words(
    db: ReadSession, base: KnowledgeBase, query: str, limit: int
) -> Sequence[int]:
    """Return the ids of chunks that have words of the query, best first.

    A chunk need not have all of them: people ask in sentences. It counts which it has, a rare one
    more than a common one; how often and where they stand (`ts_rank`) decides between equals.
    """
    chunk, document = KnowledgeChunkRow, KnowledgeDocumentRow
    searchable = [
        document.knowledge_base_id == base.id,
        *_is_searchable(),
    ]
    total = select(func.sum(document.chunk_count)).where(*searchable).scalar_subquery()
    asked = func.to_tsvector(_regconfig(base.language), plain_words(query))
    word = func.unnest(asked).table_valued("lexeme", "positions", "weights").lateral("word")
    words = select(word.c.lexeme).limit(_MOST_WORDS).cte("words")
    matches = (
        select(
            chunk.id,
            func.count().over(partition_by=words.c.lexeme).label("frequency"),
        )
        .select_from(words)
        .join(chunk, chunk.words.op("@@")(_as_query(words.c.lexeme)))
        .join(document, document.id == chunk.document_id)
        .where(chunk.knowledge_base_id == base.id, *searchable)
        .cte("matches")
    )
    worth = func.sum(func.ln(1 + cast(total, Float) / matches.c.frequency))
    best = (
        select(matches.c.id, worth.label("worth"))
        .group_by(matches.c.id)
        .order_by(worth.desc(), matches.c.id)
        .limit(max(limit, _MOST_RANKED))
        .cte("best")
    )
    any_word = select(func.string_agg(_quoted(words.c.lexeme), " | ")).scalar_subquery()
    rank = func.ts_rank(chunk.words, cast(any_word, TSQUERY), 1)
    statement = (
        select(best.c.id)
        .join(chunk, chunk.id == best.c.id)
        .order_by(best.c.worth.desc(), rank.desc(), best.c.id)
        .limit(limit)
    )
    return (await db.scalars(statement)).all()


async def find_by_meaning(
    db: ReadSession, base: KnowledgeBase, vector: Sequence[float], limit: int
) -> Sequence[int]:
    """Return the ids of the chunks whose vectors point most nearly where this one does."""
    row, document = KnowledgeVectorRow, KnowledgeDocumentRow
    length = len(vector)
    stored: SQLColumnExpression[Any] = row.embedding
    if length in INDEXED_DIMENSIONS and await _has_more_vectors_than(db, base.id, EXACT_UP_TO):
        # The cast is the index's own expression; without it the index cannot be used.
        stored = as_vector_of(length)
        await db.execute(text("SET LOCAL hnsw.iterative_scan = 'strict_order'"))
        await db.execute(text(f"SET LOCAL hnsw.ef_search = {_EF_SEARCH}"))
        await db.execute(text(f"SET LOCAL hnsw.max_scan_tuples = {_MAX_SCAN_TUPLES}"))
    statement = (
        select(row.chunk_id)
        .join(document, document.id == row.document_id)
        .where(
            row.knowledge_base_id == base.id,
            # Written out, because the index is a partial one and a parameter could be any number.
            row.dimensions == literal_column(str(length)),
            *_is_searchable(),
        )
        .order_by(stored.op("<=>")(cast(vector, HALFVEC(length))))
        .limit(limit)
    )
    return (await db.scalars(statement)).all()


async def read_hits(db: ReadSession, scores: dict[int, float]) -> Sequence[SearchHit]:
    """Return the chunks of these ids with their scores, best first."""
    chunk, document = KnowledgeChunkRow, KnowledgeDocumentRow
    query = (
        select(chunk, document.name)
        .join(document, document.id == chunk.document_id)
        .where(chunk.id.in_(scores))
    )
    hits = [
        (
            -scores[row.id],
            row.id,
            SearchHit(
                document_id=row.document_id,
                document_name=name,
                position=row.position,
                heading=row.heading,
                text=row.text,
                page=row.page,
                score=scores[row.id],
            ),
        )
        for row, name in await db.execute(query)
    ]
    return [hit for _, _, hit in sorted(hits, key=lambda each: each[:2])]


def plain_words(text: str) -> str:
    """Return text as it is indexed and asked for: small letters, no foreign punctuation.

    Postgres runs with the locale C, in which it knows letters and punctuation of ASCII only.
    """
    return _FOREIGN_PUNCTUATION.sub(" ", unicodedata.normalize("NFKC", text).lower())


async def _insert_many(db: WriteSession, statement: Insert, rows: list[dict[str, Any]]) -> None:
    # One statement for all rows, compiled once, and not the ORM's, which knows no expressions here.
    connection = await db.connection()
    await connection.execute(statement, rows)


def _regconfig(language: str) -> ColumnElement[Any]:
    return cast(literal(language), REGCONFIG)


def _indexed(words: str, weight: str) -> ColumnElement[Any]:
    config = cast(bindparam("language", type_=String), REGCONFIG)
    vector = func.to_tsvector(config, bindparam(words, type_=Text))
    return func.setweight(vector, literal_column(weight))


_INSERT_CHUNK: Final = (
    insert(KnowledgeChunkRow)
    # A word of the headings counts twice as much as one of the text.
    .values(words=_indexed("heading_words", "'B'").op("||")(_indexed("text_words", "'C'")))
    .on_conflict_do_nothing()
)
_INSERT_VECTOR: Final = insert(KnowledgeVectorRow).on_conflict_do_nothing()


def _quoted(lexeme: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return a lexeme as it is written in a text search query: nothing in it is an operator."""
    escaped = func.replace(func.replace(lexeme, "\\", "\\\\"), "'", "''")
    return func.concat("'", escaped, "'")


def _as_query(lexeme: ColumnElement[Any]) -> ColumnElement[Any]:
    return cast(_quoted(lexeme), TSQUERY)


def _is_searchable() -> tuple[ColumnElement[bool], ...]:
    document = KnowledgeDocumentRow
    return document.deleted_at.is_(None), document.status.in_(SEARCHABLE)


async def _has_more_vectors_than(
    db: ReadSession, knowledge_base_id: uuid.UUID, number: int
) -> bool:
    query = select(func.sum(KnowledgeDocumentRow.embedded_count)).where(
        KnowledgeDocumentRow.knowledge_base_id == knowledge_base_id,
        KnowledgeDocumentRow.deleted_at.is_(None),
    )
    return ((await db.execute(query)).scalar_one() or 0) > number
