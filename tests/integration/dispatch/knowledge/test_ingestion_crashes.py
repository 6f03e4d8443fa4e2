"""A process that dies anywhere on the way: the next one goes on, and nothing is there twice."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
from sqlalchemy import text

from dispatch.knowledge.ingestion import Ingestion
from dispatch.knowledge_base import DocumentFormat, DocumentStatus

pytestmark = pytest.mark.integration

CHUNKS = [f"Sentence {number}." for number in range(600)]
"""They are stored in two batches."""


class Died(BaseException):
    """What a killed process would not live to see."""


class MortalDatabase:
    """A database whose process is killed at one of its transactions, before or after the commit."""

    def __init__(self, database: Any, dies_at: int, *, commits: bool) -> None:
        self._database = database
        self._left = dies_at
        self._commits = commits
        self.is_dead = False

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Any]:
        self._left -= 1
        if self.is_dead:
            raise Died
        last = self._left == 0
        self.is_dead = last
        async with self._database.transaction() as db:
            yield db
            if last and not self._commits:
                raise Died
        if last:
            raise Died

    def reading(self) -> Any:
        if self.is_dead:
            raise Died
        return self._database.reading()


LINES = b"\n".join(
    orjson.dumps({"position": position, "heading": "", "text": sentence})
    for position, sentence in enumerate(CHUNKS)
)


async def write_chunks(_source: Path, _kind: DocumentFormat, target: Path) -> None:
    """Read a file in no time."""
    await asyncio.to_thread(target.write_bytes, LINES)


async def run_until_idle_or_dead(ingestion: Ingestion) -> bool:
    """Run the loop; whether its process died."""
    try:
        async with asyncio.timeout(120):
            while (await ingestion.run_once()).running or await is_due(ingestion):
                await asyncio.sleep(0.001)
    except Died:
        return True
    finally:
        await ingestion.aclose()
    return False


async def is_due(ingestion: Ingestion) -> bool:
    """Whether a document waits for something to be done.

    What a dead process had locked is passed over for as long as Postgres has not noticed its death.
    """
    query = text("SELECT count(*) FROM knowledge_documents WHERE due_at <= now()")
    async with ingestion._database.reading() as db:
        return bool((await db.execute(query)).scalar_one())


@pytest.mark.parametrize("commits", [False, True], ids=["before the commit", "after the commit"])
async def test_whatever_a_process_was_doing_when_it_died_the_next_one_finishes(
    library, database, owner, commits
) -> None:
    base = await library.base(owner.project_id, by_meaning=False)
    deaths = 0
    while True:
        document = await library.upload(base, f"{deaths}.txt", f"Manual {deaths}.")
        mortal: Any = MortalDatabase(database, deaths + 1, commits=commits)
        died = await run_until_idle_or_dead(Ingestion(mortal, library.embedder, write_chunks))
        heir = Ingestion(database, library.embedder, write_chunks)
        assert not await run_until_idle_or_dead(heir)
        done = await library.documents.get(owner.project_id, base.id, document.id)
        assert (done.status, done.chunk_count) == (DocumentStatus.READY, len(CHUNKS)), deaths
        assert await chunks_of(database, done.id) == CHUNKS, deaths
        if not died:
            break
        deaths += 1
    # Claim, begin, clean up, two batches, the end, ready: it died at each.
    assert deaths >= 7


async def chunks_of(database: Any, document_id: Any) -> list[str]:
    query = text("SELECT text FROM knowledge_chunks WHERE document_id = :id ORDER BY position")
    async with database.reading() as db:
        return list((await db.execute(query, {"id": document_id})).scalars())


async def test_work_that_was_thought_dead_cannot_disturb_its_successor(
    library, database, owner
) -> None:
    base = await library.base(owner.project_id, by_meaning=False)
    document = await library.upload(base, "a.txt", "Manual.")
    reading, may_go_on = asyncio.Event(), asyncio.Event()

    async def slowly(source: Path, kind: DocumentFormat, target: Path) -> None:
        reading.set()
        await may_go_on.wait()
        await write_chunks(source, kind, target)

    zombie = Ingestion(database, library.embedder, slowly)
    await zombie.run_once()
    await reading.wait()
    assert not await run_until_idle_or_dead(Ingestion(database, library.embedder, write_chunks))
    may_go_on.set()
    async with asyncio.timeout(30):
        while (await zombie.run_once()).running:
            await asyncio.sleep(0.001)
    await zombie.aclose()
    done = await library.documents.get(owner.project_id, base.id, document.id)
    assert done.status is DocumentStatus.READY
    assert await chunks_of(database, document.id) == CHUNKS


async def test_a_file_whose_readings_are_always_cut_off_is_given_up(
    library, database, owner
) -> None:
    base = await library.base(owner.project_id, by_meaning=False)
    document = await library.upload(base, "a.txt", "Manual.")

    async def deadly(_source: Path, _kind: DocumentFormat, _target: Path) -> None:
        raise Died

    deaths = 0
    while await run_until_idle_or_dead(Ingestion(database, library.embedder, deadly)):
        deaths += 1
    assert deaths == 5
    given_up = await library.documents.get(owner.project_id, base.id, document.id)
    assert (given_up.status, given_up.detail) == (
        "failed",
        "Reading the file was cut off again and again.",
    )


async def test_a_bug_in_one_document_does_not_stop_the_others(library, database, owner) -> None:
    base = await library.base(owner.project_id, by_meaning=False)
    sick = await library.upload(base, "sick.txt", "Sick.")
    well = await library.upload(base, "well.txt", "Well.")

    async def moody(source: Path, kind: DocumentFormat, target: Path) -> None:
        if await asyncio.to_thread(source.read_bytes) == b"Sick.":
            raise ZeroDivisionError
        await write_chunks(source, kind, target)

    ingestion = Ingestion(database, library.embedder, moody)
    async with asyncio.timeout(30):
        while True:
            try:
                if not (await ingestion.run_once()).running:
                    break
            except ZeroDivisionError:
                continue
            await asyncio.sleep(0.001)
    await ingestion.aclose()
    assert (await library.documents.get(owner.project_id, base.id, well.id)).status == "ready"
    waiting = await library.documents.get(owner.project_id, base.id, sick.id)
    assert waiting.detail == "Something unexpected went wrong; it is tried again."
