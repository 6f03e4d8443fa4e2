"""From upload to ready: what is seen on the way, what waits, and what is taken away again."""

import io
import uuid
from pathlib import Path

import pytest
from sqlalchemy import text

from dispatch.accounts import SYSTEM
from dispatch.errors import Conflict, NotFound
from dispatch.knowledge.errors import Unreadable
from dispatch.knowledge.reader_process import read_chunks
from dispatch.knowledge_base import DocumentFormat, DocumentStatus, EmbeddingModel
from dispatch.paging import PageRequest
from tests.builders.documents import pdf

pytestmark = pytest.mark.integration

LONG = "\n\n#\n\n".join(f"Sentence number {number} of the manual." for number in range(150))
"""150 chunks: three requests to the embedding server."""


async def make_due(database) -> None:
    """Let the time pass for which documents wait."""
    async with database.transaction() as db:
        await db.execute(
            text("UPDATE knowledge_documents SET due_at = now() WHERE due_at IS NOT NULL")
        )


async def count(database, table: str) -> int:
    async with database.reading() as db:
        return (await db.execute(text(f"SELECT count(*) FROM {table}"))).scalar_one()


async def test_progress_is_seen_while_vectors_are_made(
    library, database, owner, embedding_server
) -> None:
    base = await library.base(owner.project_id)
    document = await library.upload(base, "manual.md", LONG)
    assert (document.status, document.progress) == (DocumentStatus.UPLOADED, 0)
    embedding_server.failing_after = 1
    await library.ingest()
    waiting = await library.documents.get(owner.project_id, base.id, document.id)
    assert (waiting.status, waiting.chunk_count, waiting.embedded_count) == ("embedding", 150, 64)
    assert waiting.progress == 42
    assert waiting.detail == (
        "The embedding server did not answer. "
        "It is tried again; until then words find the document."
    )
    assert await library.found(base, "manual") != []
    embedding_server.failing_after = None
    await make_due(database)
    await library.ingest()
    done = await library.documents.get(owner.project_id, base.id, document.id)
    assert (done.status, done.progress, done.detail) == ("ready", 100, None)
    # What had its vector was not paid for again.
    assert [len(each["input"]) for each in embedding_server.requests] == [64, 64, 22]


async def test_a_document_waits_for_the_projects_key(library, database, owner) -> None:
    base = await library.base(owner.project_id)
    library.keys.values[owner.project_id] = {"api_key": "sk-revoked"}
    waiting = await library.ingested(base, "a.txt", "We open at seven.")
    assert waiting.status is DocumentStatus.EMBEDDING
    assert "refused the project's key" in (waiting.detail or "")
    library.keys.values[owner.project_id] = {"api_key": "sk-of-the-tests"}
    await make_due(database)
    await library.ingest()
    done = await library.documents.get(owner.project_id, base.id, waiting.id)
    assert done.status is DocumentStatus.READY


async def test_a_model_that_nobody_knows_fails_until_another_one_is_chosen(library, owner) -> None:
    base = await library.base(owner.project_id)
    wrong = EmbeddingModel("openai", "unknown", library.model.base_url)
    await library.bases.patch(SYSTEM, owner.project_id, base.id, {"embedding": wrong})
    failed = await library.ingested(base, "a.txt", "We open at seven.")
    assert (failed.status, failed.detail) == (
        "failed",
        "The embedding server has no model unknown.",
    )
    assert await library.found(base, "open") == ["We open at seven."]
    await library.bases.patch(SYSTEM, owner.project_id, base.id, {"embedding": library.model})
    await library.ingest()
    done = await library.documents.get(owner.project_id, base.id, failed.id)
    assert (done.status, done.embedded_count) == ("ready", 1)


async def test_another_model_has_every_vector_made_anew(library, owner, embedding_server) -> None:
    base = await library.base(owner.project_id)
    await library.ingested(base, "a.txt", "We open at seven.")
    embedding_server.dimensions = 768
    other = EmbeddingModel("openai", "letters", library.model.base_url + "/")
    await library.bases.patch(SYSTEM, owner.project_id, base.id, {"embedding": other})
    await library.ingest()
    assert (await library.bases.get(owner.project_id, base.id)).dimensions == 768
    result = await library.search.search(owner.project_id, base.id, "open")
    assert (result.mode, len(result.hits)) == ("hybrid", 1)


async def test_vectors_that_change_their_length_are_refused(
    library, owner, embedding_server
) -> None:
    base = await library.base(owner.project_id)
    await library.ingested(base, "a.txt", "We open at seven.")
    embedding_server.dimensions = 768
    failed = await library.ingested(base, "b.txt", "We close at six.")
    assert failed.status is DocumentStatus.FAILED
    assert "another length than before" in (failed.detail or "")
    result = await library.search.search(owner.project_id, base.id, "open")
    assert result.mode == "text"


async def test_a_file_is_kept_only_until_it_was_read(library, database, owner) -> None:
    base = await library.base(owner.project_id, by_meaning=False)
    await library.upload(base, "a.txt", b"word\n" * 250_000)
    assert await count(database, "knowledge_file_parts") == 2
    await library.ingest()
    assert await count(database, "knowledge_file_parts") == 0


async def test_the_same_bytes_are_kept_once(library, owner) -> None:
    base = await library.base(owner.project_id)
    first = await library.ingested(base, "a.txt", "We open at seven.")
    again = await library.upload(base, "b.txt", "We open at seven.")
    assert again == first
    listed = await library.documents.list(owner.project_id, base.id, PageRequest())
    assert listed.total == 1


async def test_a_document_that_failed_is_begun_again_by_another_upload(library, owner) -> None:
    base = await library.base(owner.project_id)
    failed = await library.ingested(base, "scan.pdf", pdf(""))
    assert failed.status is DocumentStatus.FAILED
    again = await library.upload(base, "again.pdf", pdf(""))
    assert (again.id, again.status, again.name) == (failed.id, "uploaded", "again.pdf")
    await library.ingest()
    assert (await library.documents.get(owner.project_id, base.id, failed.id)).status == "failed"


async def test_an_upload_that_is_repeated_with_its_id_happens_once(library, owner) -> None:
    base, new_id = await library.base(owner.project_id), uuid.uuid4()
    for _ in range(2):
        document = await library.documents.upload(
            SYSTEM,
            owner.project_id,
            base.id,
            name="a.txt",
            file=io.BytesIO(b"Word."),
            new_id=new_id,
        )
        assert document.id == new_id
    with pytest.raises(Conflict):
        await library.documents.upload(
            SYSTEM,
            owner.project_id,
            base.id,
            name="a.txt",
            file=io.BytesIO(b"Other."),
            new_id=new_id,
        )


async def test_a_deleted_document_is_found_no_more_and_leaves_nothing(
    library, database, owner
) -> None:
    base = await library.base(owner.project_id)
    document = await library.ingested(base, "manual.md", LONG)
    await library.documents.delete(SYSTEM, owner.project_id, base.id, document.id)
    assert await library.found(base, "manual") == []
    with pytest.raises(NotFound):
        await library.documents.get(owner.project_id, base.id, document.id)
    await library.ingest()
    for table in ("knowledge_documents", "knowledge_chunks", "knowledge_vectors"):
        assert await count(database, table) == 0, table


async def test_a_deleted_knowledge_base_takes_its_documents_along(library, database, owner) -> None:
    base = await library.base(owner.project_id)
    await library.ingested(base, "a.txt", "We open at seven.")
    await library.upload(base, "b.txt", "We close at six.")
    await library.bases.delete(SYSTEM, owner.project_id, base.id)
    with pytest.raises(NotFound):
        await library.search.search(owner.project_id, base.id, "open")
    await library.ingest()
    for table in ("knowledge_documents", "knowledge_chunks", "knowledge_file_parts"):
        assert await count(database, table) == 0, table


async def test_a_file_that_takes_too_long_is_given_up(tmp_path: Path) -> None:
    source = tmp_path / "a.txt"
    source.write_text("word")
    with pytest.raises(Unreadable, match="took too long"):
        await read_chunks(source, DocumentFormat.TEXT, tmp_path / "chunks", timeout_s=0.01)
