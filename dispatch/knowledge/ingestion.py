"""Reads uploaded documents, has vectors made of them, and takes away what was deleted.

Everything that is begun is written down first, and everything that is written down may be done
again: whatever dies, the next run goes on from what Postgres holds.
"""

import asyncio
import logging
import tempfile
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from dispatch.errors import SecretUnreadable, StoreUnavailable
from dispatch.knowledge.embedding import MAX_BATCH, Embedder
from dispatch.knowledge.errors import EmbeddingRefused, EmbeddingUnavailable, Unreadable
from dispatch.knowledge.reader_process import chunk_batches, read_chunks
from dispatch.knowledge_base import DocumentFormat, DocumentStatus, EmbeddingModel, KnowledgeBase
from dispatch.store.engine import Database
from dispatch.store.repositories import (
    embedding_uses,
    knowledge_bases,
    knowledge_chunks,
    knowledge_documents,
)
from dispatch.store.repositories.embedding_uses import EmbeddingUse
from dispatch.store.repositories.knowledge_chunks import PendingChunk
from dispatch.store.repositories.knowledge_documents import Job

logger = logging.getLogger(__name__)

_JOBS: Final = 4
"""Documents worked on at once: a slow embedding server must not keep the others waiting."""

_READERS: Final = 2
"""Files read at once: each may take a processor and a gigabyte."""

_MOST_READINGS: Final = 5
"""A file whose reading was cut off so often takes the reader's machine down; it is given up."""

_BATCHES_AT_A_TIME: Final = 16
"""Then it is the next document's turn."""

_CHUNKS_AT_A_TIME: Final = 500

_AT_ONCE: Final = timedelta(0)
_FIRST_BACKOFF: Final = timedelta(seconds=5)
_LONGEST_BACKOFF: Final = timedelta(minutes=5)


ReadChunks = Callable[[Path, DocumentFormat, Path], Awaitable[None]]
"""Turns a file of a format into a file of chunks, or raises `Unreadable`."""


@dataclass(frozen=True, slots=True)
class Ingested:
    """What a run did."""

    begun: int
    running: int

    @property
    def sentence(self) -> str:
        """What goes into the loop's beat."""
        return f"{self.running} documents in work." if self.running else ""


class Ingestion:
    """The loop `knowledge`. A run only starts work and looks what became of it; it never waits.

    Args:
        database: Where documents are.
        embedder: Makes vectors.
        read: Reads a file apart; tests hand in their own.
    """

    def __init__(
        self, database: Database, embedder: Embedder, read: ReadChunks = read_chunks
    ) -> None:
        self._database = database
        self._embedder = embedder
        self._read_chunks = read
        self._readers = asyncio.Semaphore(_READERS)
        self._running: dict[uuid.UUID, asyncio.Task[None]] = {}

    async def run_once(self) -> Ingested:
        """Start what is due, as far as hands are free.

        Raises:
            StoreUnavailable: Postgres did not answer, now or to a job that ran meanwhile.
        """
        self._reap()
        free = _JOBS - len(self._running)
        if not free:
            return Ingested(0, len(self._running))
        async with self._database.transaction() as db:
            jobs = await knowledge_documents.claim_jobs(
                db, limit=free, not_these=self._running.keys()
            )
        for job in jobs:
            self._running[job.document_id] = asyncio.create_task(self._work(job))
        return Ingested(len(jobs), len(self._running))

    async def aclose(self) -> None:
        """Drop what is running; the next process goes on with it."""
        for task in self._running.values():
            task.cancel()
        await asyncio.gather(*self._running.values(), return_exceptions=True)
        self._running.clear()

    def _reap(self) -> None:
        done = [key for key, task in self._running.items() if task.done()]
        failures = [
            failure
            for task in [self._running.pop(key) for key in done]
            if not task.cancelled() and (failure := task.exception()) is not None
        ]
        for failure in failures[1:]:
            logger.error("another document failed", exc_info=failure)
        if failures:
            raise failures[0]

    async def _work(self, job: Job) -> None:
        try:
            if job.is_deleted:
                await self._take_away(job)
                return
            async with self._database.reading() as db:
                base = await knowledge_bases.get_any_knowledge_base(db, job.knowledge_base_id)
            if job.status is DocumentStatus.EMBEDDING or await self._read(job, base):
                await self._embed(job, base)
        except StoreUnavailable:
            raise
        except Exception:
            # A bug may not make the loop spin on one document.
            await self._try_later(job, "Something unexpected went wrong; it is tried again.")
            raise

    async def _take_away(self, job: Job) -> None:
        while True:
            async with self._database.transaction() as db:
                gone = await knowledge_documents.delete_some_chunks(
                    db, job.document_id, _CHUNKS_AT_A_TIME
                )
                if gone < _CHUNKS_AT_A_TIME:
                    await knowledge_documents.delete_document_row(db, job)
                    return

    async def _read(self, job: Job, base: KnowledgeBase) -> bool:
        """Turn the file into chunks; whether there are vectors to be made of them."""
        async with self._readers:
            if job.failures >= _MOST_READINGS:
                await self._give_up(job, "Reading the file was cut off again and again.")
                return False
            # Counted before, for what cuts it off may leave no time to count.
            if not await self._write(job, status=DocumentStatus.PARSING, failures=job.failures + 1):
                return False
            with tempfile.TemporaryDirectory(prefix="dialplane-document-") as directory:
                source, target = Path(directory, "document"), Path(directory, "chunks")
                await self._fetch(job, source)
                try:
                    await self._read_chunks(source, job.format, target)
                except Unreadable as exc:
                    await self._give_up(job, str(exc))
                    return False
                return await self._store_chunks(job, base, target)

    async def _fetch(self, job: Job, source: Path) -> None:
        async with self._database.reading() as db:
            with source.open("wb") as file:
                async for part in knowledge_documents.file_parts(db, job.document_id):
                    file.write(part)

    async def _store_chunks(self, job: Job, base: KnowledgeBase, target: Path) -> bool:
        """Write the chunks down in small transactions; nobody finds them before the last one."""
        left = _CHUNKS_AT_A_TIME  # Of a reading that was cut off.
        while left:
            async with self._database.transaction() as db:
                if not await knowledge_documents.write_progress(db, job):
                    return False
                left = await knowledge_documents.delete_some_chunks(
                    db, job.document_id, _CHUNKS_AT_A_TIME
                )
        count = 0
        for batch in chunk_batches(target, _CHUNKS_AT_A_TIME):
            count += len(batch)
            async with self._database.transaction() as db:
                if not await knowledge_documents.write_progress(db, job):
                    return False
                await knowledge_chunks.insert_chunks(db, base, job.document_id, batch)
        async with self._database.transaction() as db:
            read = await knowledge_documents.write_progress(
                db,
                job,
                status=DocumentStatus.EMBEDDING,
                chunk_count=count,
                embedded_count=0,
                failures=0,
                detail=None,
            )
            if read:
                # The file has done its duty: what is found and quoted are the chunks.
                await knowledge_documents.delete_file(db, job.document_id)
            return read

    async def _embed(self, job: Job, base: KnowledgeBase) -> None:
        for _ in range(_BATCHES_AT_A_TIME):
            async with self._database.reading() as db:
                batch = await knowledge_chunks.list_pending(db, job.document_id, MAX_BATCH)
            if base.embedding is None or not batch:
                await self._write(
                    job, done=True, status=DocumentStatus.READY, detail=None, failures=0
                )
                return
            try:
                if not await self._embed_batch(job, base, base.embedding, batch):
                    return
            except (EmbeddingUnavailable, SecretUnreadable) as exc:
                await self._try_later(
                    job, f"{exc} It is tried again; until then words find the document."
                )
                return
            except EmbeddingRefused as exc:
                await self._give_up(job, str(exc))
                return
        await self._write(job, again_in=_AT_ONCE, failures=0)

    async def _embed_batch(
        self, job: Job, base: KnowledgeBase, model: EmbeddingModel, batch: Sequence[PendingChunk]
    ) -> bool:
        """Make vectors of some chunks; whether the job is still ours."""
        texts = [f"{chunk.heading}\n{chunk.text}".strip() for chunk in batch]
        embedded = await self._embedder.embed_chunks(base.project_id, model, texts)
        length = len(embedded.vectors[0])
        async with self._database.transaction() as db:
            if not await knowledge_documents.write_progress(db, job):
                return False
            if await knowledge_bases.set_dimensions(db, base.id, length) != length:
                raise EmbeddingRefused(
                    "The embedding server returns vectors of another length than before; "
                    "set the knowledge base's embedding model anew."
                )
            ids = [chunk.id for chunk in batch]
            await knowledge_chunks.insert_vectors(
                db, base.id, job.document_id, list(zip(ids, embedded.vectors, strict=True))
            )
            await embedding_uses.insert_use(
                db,
                EmbeddingUse(uuid.uuid4(), base.organization_id, base.project_id, embedded.used),
            )
            done = await knowledge_chunks.count_vectors(db, job.document_id)
            return await knowledge_documents.write_progress(
                db, job, embedded_count=done, detail=None, failures=0
            )

    async def _try_later(self, job: Job, sentence: str) -> None:
        pause = min(_FIRST_BACKOFF * 2 ** min(job.failures, 10), _LONGEST_BACKOFF)
        await self._write(job, again_in=pause, failures=job.failures + 1, detail=sentence)

    async def _give_up(self, job: Job, sentence: str) -> None:
        async with self._database.transaction() as db:
            if await knowledge_documents.write_progress(
                db, job, done=True, status=DocumentStatus.FAILED, detail=sentence
            ):
                await knowledge_documents.delete_file(db, job.document_id)

    async def _write(self, job: Job, **changes: Any) -> bool:
        async with self._database.transaction() as db:
            return await knowledge_documents.write_progress(db, job, **changes)
