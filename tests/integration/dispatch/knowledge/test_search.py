"""What is found by words, by meaning, and by both together."""

import asyncio
import uuid

import pytest

from dispatch.errors import InvalidField, NotFound
from dispatch.knowledge.embedding import Embedder
from dispatch.knowledge.search import KnowledgeSearch, fused
from dispatch.knowledge_base import EmbeddingModel
from dispatch.store.repositories import knowledge_chunks
from dispatch.tools.addresses import AllowedHosts
from dispatch.tools.model_servers import model_server_client
from tests.servers.embeddings import embed

pytestmark = pytest.mark.integration

PASSAGES = {
    "refunds": "You get your money back within two weeks, whatever the reason.",
    "car": "The bakery's car delivers bread in the morning.",
    "doctor": "A doctor checks our staff every year.",
    "bill": "The bill is sent by post on the last day of the month.",
    "kx-417": "Spare part KX-417 fits the large oven.",
    "kx-471": "Spare part KX-471 fits the small mixer.",
    "kx-714": "Spare part KX-714 fits nothing that is still sold.",
    "hours": "From Monday to Saturday the shop opens at seven.",
    "sunday": "On Sunday it is closed, but telephone orders are taken.",
    "allergies": "Our nut cake is made without flour; ask for the list of allergens.",
}
QUESTIONS = {
    # No word in common with the passage: only its meaning can tell.
    "refund": "refunds",
    "vehicle": "car",
    "physician": "doctor",
    "invoice": "bill",
    # To the model all numbers are alike: only the word can tell.
    "KX-417": "kx-417",
    "KX-471": "kx-471",
    "KX-714": "kx-714",
    # Both can.
    "when does the shop open": "hours",
    "orders by telephone on sunday": "sunday",
}


async def a_corpus(library, project_id, **fields):
    base = await library.base(project_id, **fields)
    # Headings without words: each passage becomes a chunk of its own.
    await library.ingested(base, "handbook.md", "\n\n#\n\n".join(PASSAGES.values()))
    return await library.bases.get(project_id, base.id)


def reciprocal_rank(found, wanted: str) -> float:
    """Return 1 for the first place, 1/2 for the second, 0 when it is not there."""
    texts = list(found)
    return 1 / (texts.index(PASSAGES[wanted]) + 1) if PASSAGES[wanted] in texts else 0.0


async def test_both_together_find_more_than_either_alone(library, database, owner) -> None:
    base = await a_corpus(library, owner.project_id)

    async def texts_of(ids) -> list[str]:
        async with database.reading() as db:
            hits = await knowledge_chunks.read_hits(db, fused([ids]))
        return [hit.text for hit in hits]

    words, meaning, both = 0.0, 0.0, 0.0
    for question, wanted in QUESTIONS.items():
        async with database.reading() as db:
            by_words = await knowledge_chunks.find_by_words(db, base, question, 5)
            by_meaning = await knowledge_chunks.find_by_meaning(db, base, embed(question), 5)
        words += reciprocal_rank(await texts_of(by_words), wanted)
        meaning += reciprocal_rank(await texts_of(by_meaning), wanted)
        both += reciprocal_rank(await library.found(base, question), wanted)
    assert both > words
    assert both > meaning


async def test_a_sentence_is_found_by_some_of_its_words(library, owner) -> None:
    base = await a_corpus(library, owner.project_id, by_meaning=False)
    found = await library.found(base, "Hello, could you tell me what time the shop opens?")
    assert found[0] == PASSAGES["hours"]


async def test_words_of_the_language_are_found_in_every_form(library, owner) -> None:
    base = await library.base(owner.project_id, by_meaning=False, language="german")
    await library.ingested(base, "zeiten.txt", "„Öffnungszeiten“: Samstags öffnen wir um acht.")
    assert await library.found(base, "ÖFFNUNGSZEIT am Samstag")


async def test_without_a_model_words_are_all_there_is_and_the_answer_says_so(
    library, owner
) -> None:
    base = await a_corpus(library, owner.project_id, by_meaning=False)
    result = await library.search.search(owner.project_id, base.id, "shop opens")
    assert (result.mode, result.note) == ("text", "The knowledge base has no embedding model.")
    assert result.hits[0].text == PASSAGES["hours"]


async def test_while_the_embedding_server_is_down_words_are_searched_and_the_answer_says_so(
    library, owner, embedding_server
) -> None:
    base = await a_corpus(library, owner.project_id)
    embedding_server.failing_with = 503
    result = await library.search.search(owner.project_id, base.id, "shop opens")
    assert (result.mode, result.note) == ("text", "The embedding server did not answer.")
    assert result.hits[0].text == PASSAGES["hours"]


async def test_a_revoked_key_does_not_stop_the_search(library, owner) -> None:
    base = await a_corpus(library, owner.project_id)
    library.keys.values[owner.project_id] = {"api_key": "sk-revoked"}
    result = await library.search.search(owner.project_id, base.id, "shop opens")
    assert (result.mode, result.note) == (
        "text",
        "The embedding server refused the project's key.",
    )
    assert result.hits


async def test_a_knowledge_base_is_found_by_its_number_too(library, owner) -> None:
    base = await a_corpus(library, owner.project_id, by_meaning=False)
    result = await library.search.search(owner.project_id, base.number, "shop opens")
    assert result.hits[0].text == PASSAGES["hours"]


async def test_a_tenant_finds_nothing_of_another_ones(library, owner, stranger) -> None:
    theirs = await a_corpus(library, owner.project_id)
    own = await library.base(stranger.project_id)
    await library.ingested(own, "own.txt", "The shop opens at noon.")
    for key in (theirs.id, theirs.number):
        with pytest.raises(NotFound):
            await library.search.search(stranger.project_id, key, "shop opens")
    result = await library.search.search_all(
        stranger.project_id, [theirs.id, own.id, uuid.uuid4()], "shop opens", 50
    )
    assert [hit.text for hit in result.hits] == ["The shop opens at noon."]


async def test_several_knowledge_bases_are_searched_as_one(library, owner) -> None:
    plain = await library.base(owner.project_id, by_meaning=False)
    other = await library.base(owner.project_id)
    await library.upload(plain, "a.txt", "Tarts are sold in the shop.")
    await library.upload(other, "b.txt", "Tarts are baked at night.")
    await library.ingest()
    result = await library.search.search_all(owner.project_id, [plain.id, other.id], "tarts")
    assert result.mode == "hybrid"
    assert {hit.document_name for hit in result.hits} == {"a.txt", "b.txt"}


async def test_models_of_different_lengths_live_side_by_side(
    library, owner, embedding_server
) -> None:
    bases = []
    for dimensions in (384, 1_536, 777):
        embedding_server.dimensions = dimensions
        base = await library.base(owner.project_id)
        await library.ingested(base, "a.txt", f"A tart of {dimensions} numbers.")
        bases.append((base, dimensions))
    for base, dimensions in bases:
        embedding_server.dimensions = dimensions
        result = await library.search.search(owner.project_id, base.id, "tart", 50)
        assert (result.mode, len(result.hits)) == ("hybrid", 1)


async def test_the_index_finds_what_comparing_everything_finds(
    library, database, owner, monkeypatch
) -> None:
    base = await a_corpus(library, owner.project_id)
    questions = [embed(question) for question in QUESTIONS]
    async with database.reading() as db:
        exact = [await knowledge_chunks.find_by_meaning(db, base, each, 3) for each in questions]
    monkeypatch.setattr(knowledge_chunks, "EXACT_UP_TO", 0)
    async with database.reading() as db:
        indexed = [await knowledge_chunks.find_by_meaning(db, base, each, 3) for each in questions]
    assert indexed == exact


@pytest.mark.parametrize(
    ("query", "top_k", "field"),
    [
        ("", 5, "query"),
        ("x" * 2_001, 5, "query"),
        ("a\0b", 5, "query"),
        ("a", 0, "top_k"),
        ("a", 51, "top_k"),
    ],
)
async def test_a_search_out_of_bounds_is_refused(library, owner, query, top_k, field) -> None:
    base = await library.base(owner.project_id)
    with pytest.raises(InvalidField) as refused:
        await library.search.search(owner.project_id, base.id, query, top_k)
    assert refused.value.field == field


@pytest.mark.parametrize(
    "query", ["the of and", "!!! ???", "' | & ( :* \\", "a:*b & !c <-> d", "🥐"]
)
async def test_no_query_is_read_as_a_command(library, owner, query) -> None:
    base = await a_corpus(library, owner.project_id)
    result = await library.search.search(owner.project_id, base.id, query)
    assert result.mode == "hybrid"


async def test_searches_at_once_do_not_disturb_each_other(library, owner) -> None:
    base = await a_corpus(library, owner.project_id)
    wanted = list(QUESTIONS.items())[:4] * 5
    found = await asyncio.gather(*(library.found(base, question, 3) for question, _ in wanted))
    for texts, (_, name) in zip(found, wanted, strict=True):
        assert PASSAGES[name] in texts


async def test_a_server_at_a_private_address_is_not_asked(library, database, owner) -> None:
    base = await a_corpus(library, owner.project_id)
    async with model_server_client(AllowedHosts()) as guarded:
        search = KnowledgeSearch(database, Embedder(library.keys, guarded))
        result = await search.search(owner.project_id, base.id, "shop opens")
    assert result.mode == "text"
    assert isinstance(base.embedding, EmbeddingModel)
