"""Finds passages by meaning and by words at once, and says when it could only do the latter."""

import asyncio
import uuid
from collections.abc import Iterable, Sequence
from heapq import nlargest
from typing import Final

from dispatch.errors import InvalidField, SecretUnreadable, StoreUnavailable
from dispatch.knowledge.bases import get_knowledge_base
from dispatch.knowledge.charging import EmbeddingCharges
from dispatch.knowledge.embedding import Embedded, Embedder
from dispatch.knowledge.errors import EmbeddingRefused, EmbeddingUnavailable
from dispatch.knowledge_base import (
    DEFAULT_TOP_K,
    MAX_QUERY_CHARACTERS,
    MAX_TOP_K,
    EmbeddingModel,
    KnowledgeBase,
    SearchHit,
    SearchResult,
)
from dispatch.store.engine import Database
from dispatch.store.repositories import knowledge_bases, knowledge_chunks
from dispatch.usage.usage import Payer, UsageSource

_RANK_CONSTANT: Final = 60
"""Cormack, Clarke and Buettcher, "Reciprocal Rank Fusion", SIGIR 2009: the value they found best,
and the one everybody uses since."""

_CANDIDATES: Final = 100
"""How far down each of the two lists is read. Twice the most that may be asked for, so that what
is in the middle of both can still come out on top."""

_NO_MODEL: Final = "The knowledge base has no embedding model."
_NO_VECTORS: Final = "No document has been embedded yet."


class KnowledgeSearch:
    """Searches knowledge bases; the same for the API, for calls and for chats.

    Args:
        database: Where the chunks are.
        embedder: Makes the query's vector.
        charges: Who pays for it when the API asks. Agents pay by their call or chat.
    """

    def __init__(
        self, database: Database, embedder: Embedder, charges: EmbeddingCharges | None = None
    ) -> None:
        self._database = database
        self._embedder = embedder
        self._charges = charges

    async def search(
        self,
        project_id: uuid.UUID,
        knowledge_base_id: uuid.UUID | int,
        query: str,
        top_k: int = DEFAULT_TOP_K,
    ) -> SearchResult:
        """Search one knowledge base.

        Args:
            project_id: On whose behalf.
            knowledge_base_id: Its id or its number.
            query: A question or some words; 1 to 2,000 characters.
            top_k: Most hits to return; 1 to 50.

        Raises:
            InvalidField: `query` or `top_k` is out of bounds.
            NotFound: The project has no such knowledge base.
            StoreUnavailable: Postgres did not answer.
        """
        query = _checked(query, top_k)
        async with self._database.reading() as db:
            base = await get_knowledge_base(db, project_id, knowledge_base_id)
        result = await self._search([base], query, top_k)
        if self._charges is not None:
            payer = Payer(base.organization_id, base.project_id)
            await self._charges.charge_question(payer, UsageSource.KNOWLEDGE, result.used)
        return result

    async def search_all(
        self,
        project_id: uuid.UUID,
        knowledge_base_ids: Sequence[uuid.UUID],
        query: str,
        top_k: int = DEFAULT_TOP_K,
    ) -> SearchResult:
        """Search several knowledge bases, such as an agent's; what is deleted holds nothing.

        The caller charges what it used.

        Raises:
            InvalidField: As for one.
            StoreUnavailable: As for one.
        """
        query = _checked(query, top_k)
        async with self._database.reading() as db:
            bases = await knowledge_bases.find_knowledge_bases(db, project_id, knowledge_base_ids)
        return await self._search(bases, query, top_k)

    async def _search(self, bases: Sequence[KnowledgeBase], query: str, top_k: int) -> SearchResult:
        models = {base.embedding: base.project_id for base in bases if base.embedding is not None}
        embedded, by_words = await asyncio.gather(
            self._vectors(models, query), self._by_words(bases, query)
        )
        lists = list(by_words)
        notes: list[str] = []
        async with self._database.reading() as db:
            for base in bases:
                vector = _vector_for(base, embedded)
                if isinstance(vector, str):
                    notes.append(vector)
                    continue
                lists.append(await knowledge_chunks.find_by_meaning(db, base, vector, _CANDIDATES))
            scores = dict(nlargest(top_k, fused(lists).items(), key=lambda each: each[1]))
            hits: Sequence[SearchHit] = await knowledge_chunks.read_hits(db, scores)
        used = [each.used for each in embedded.values() if isinstance(each, Embedded)]
        if len(notes) < len(bases):
            return SearchResult("hybrid", hits, used=used)
        return SearchResult("text", hits, notes[0] if notes else None, used)

    async def _by_words(
        self, bases: Sequence[KnowledgeBase], query: str
    ) -> Sequence[Sequence[int]]:
        async with self._database.reading() as db:
            return [
                await knowledge_chunks.find_by_words(db, base, query, _CANDIDATES) for base in bases
            ]

    async def _vectors(
        self, models: dict[EmbeddingModel, uuid.UUID], query: str
    ) -> dict[EmbeddingModel, Embedded | str]:
        """Return the query's vector by each model, or why there is none."""
        found = await asyncio.gather(
            *(self._vector(project_id, model, query) for model, project_id in models.items())
        )
        return dict(zip(models, found, strict=True))

    async def _vector(
        self, project_id: uuid.UUID, model: EmbeddingModel, query: str
    ) -> Embedded | str:
        try:
            return await self._embedder.embed_query(project_id, model, query)
        except (EmbeddingUnavailable, EmbeddingRefused, SecretUnreadable) as exc:
            return str(exc)
        except StoreUnavailable:
            return "The project's key could not be read."


def fused(lists: Iterable[Sequence[int]]) -> dict[int, float]:
    """Return a score for everything on any of the lists, by its ranks on all of them.

    Ranks can be added up where scores cannot: a distance and a count of words share no unit.
    """
    scores: dict[int, float] = {}
    for ranked in lists:
        for rank, key in enumerate(ranked, 1):
            scores[key] = scores.get(key, 0.0) + 1 / (_RANK_CONSTANT + rank)
    return scores


def _vector_for(
    base: KnowledgeBase, embedded: dict[EmbeddingModel, Embedded | str]
) -> Sequence[float] | str:
    if base.embedding is None:
        return _NO_MODEL
    if base.dimensions is None:
        return _NO_VECTORS
    made = embedded[base.embedding]
    if isinstance(made, str):
        return made
    [vector] = made.vectors
    if len(vector) != base.dimensions:
        return "The embedding server returns vectors of another length than before."
    return vector


def _checked(query: str, top_k: int) -> str:
    if not 1 <= top_k <= MAX_TOP_K:
        raise InvalidField("top_k", f"top_k must be 1 to {MAX_TOP_K}.")
    query = query.strip()
    if not 1 <= len(query) <= MAX_QUERY_CHARACTERS or "\0" in query:
        raise InvalidField("query", f"query must have 1 to {MAX_QUERY_CHARACTERS} characters.")
    return query
