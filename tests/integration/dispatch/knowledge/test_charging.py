"""What vectors take is a usage event, once, whatever dies in between."""

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis
from sqlalchemy import select, text

from dispatch.errors import StoreUnavailable
from dispatch.event_drain import EventDrain
from dispatch.knowledge.charging import EmbeddingCharges
from dispatch.knowledge.ingestion import Ingestion
from dispatch.store.engine import Database
from dispatch.store.tables import UsageEventRow
from dispatch.usage.usage import Charge, Usage
from tests.builders.live_calls import settings
from tests.integration.dispatch.knowledge.conftest import Library
from tests.integration.dispatch.knowledge.test_ingestion_crashes import (
    MortalDatabase,
    run_until_idle_or_dead,
    write_chunks,
)

pytestmark = pytest.mark.integration

MANUAL = "Opening hours are nine to five.\n\nRefunds take three days.\n"


@dataclass(frozen=True)
class Event:
    """What of a usage event matters here."""

    source: str
    service: str
    unit: str
    keys: str
    quantity: int
    cost_microcredits: int


@dataclass
class Record:
    """What is on record, after everything was written down."""

    database: Database
    redis: Redis

    async def events(self) -> Sequence[Event]:
        drain = EventDrain(self.redis, self.database, wait_s=0)
        while await drain.run_once():
            pass
        names = list(Event.__dataclass_fields__)
        columns = [getattr(UsageEventRow, name) for name in names]
        async with self.database.reading() as db:
            return [Event(*row) for row in await db.execute(select(*columns))]

    async def noted(self) -> int:
        """Requests that are not charged yet."""
        async with self.database.reading() as db:
            return (await db.execute(text("SELECT count(*) FROM embedding_uses"))).scalar_one()


@pytest.fixture
def record(database: Database, redis: Redis) -> Record:
    return Record(database, redis)


def tokens_of(requests: Sequence[Mapping[str, Sequence[str]]]) -> int:
    """What the server said it read."""
    return sum(len(each.split()) for request in requests for each in request["input"])


async def test_a_documents_vectors_are_charged_as_what_the_server_counted(
    library: Library, record: Record, owner, embedding_server
) -> None:
    base = await library.base(owner.project_id)
    await library.ingested(base, "a.txt", MANUAL)
    assert await record.noted() == 1
    assert (await library.charges.run_once()).charged == 1
    tokens = tokens_of(embedding_server.requests)
    expected = [Event("knowledge", "embedding", "input_tokens", "own", tokens, 0)]
    assert await record.events() == expected
    assert (await library.charges.run_once()).charged == await record.noted() == 0
    assert await record.events() == expected


async def test_a_charge_that_was_not_noted_as_done_is_made_once(
    library: Library, record: Record, owner, database, redis
) -> None:
    base = await library.base(owner.project_id)
    await library.ingested(base, "a.txt", MANUAL)
    mortal = MortalDatabase(database, 1, commits=False)
    usage = Usage(database, redis, settings())
    with contextlib.suppress(BaseException):
        await EmbeddingCharges(mortal, usage).run_once()  # type: ignore[arg-type]
    assert mortal.is_dead
    assert await record.noted() == 1
    [charged] = await record.events()
    # And Redis forgot, too: the record knows.
    await redis.flushdb()
    assert (await library.charges.run_once()).charged == 1
    assert await record.events() == [charged]


@pytest.mark.parametrize("commits", [False, True], ids=["before the commit", "after the commit"])
async def test_wherever_ingestion_dies_what_is_charged_is_what_is_stored(
    library: Library, record: Record, owner, database, commits, embedding_server
) -> None:
    base = await library.base(owner.project_id)
    # The transactions from the one that makes the first vectors on: it and two more of 64 chunks.
    for dies_at in range(8, 11):
        before = sum(event.quantity for event in await record.events())
        document = await library.upload(base, f"{dies_at}.txt", f"Manual {dies_at}.")
        mortal = MortalDatabase(database, dies_at, commits=commits)
        dying = Ingestion(mortal, library.embedder, write_chunks)  # type: ignore[arg-type]
        assert await run_until_idle_or_dead(dying)
        heir = Ingestion(database, library.embedder, write_chunks)
        assert not await run_until_idle_or_dead(heir)
        while (await library.charges.run_once()).charged:
            pass
        done = await library.documents.get(owner.project_id, base.id, document.id)
        assert done.embedded_count == done.chunk_count == 600
        # Each chunk is two words.
        after = sum(event.quantity for event in await record.events())
        assert after - before == 2 * 600, dies_at


async def test_one_unknown_balance_does_not_keep_others_from_being_charged(
    library: Library, record: Record, owner, stranger, database, redis, tmp_path: Path
) -> None:
    for principal in (owner, stranger):
        base = await library.base(principal.project_id)
        await library.ingested(base, "a.txt", MANUAL)
    table = tmp_path / "prices.toml"
    free = (
        'service = "embedding"\nprovider = "*"\nkeys = "own"\nper = 1\nunits = { input_tokens = 0 }'
    )
    shipped = files("dispatch.billing").joinpath("prices.toml").read_text("utf-8")
    assert shipped.count(free) == 1
    table.write_text(shipped.replace(free, free.replace("= 0 }", "= 10 }")))
    dear = Usage(database, redis, settings(dialplane_price_table=table))
    await redis.set(f"dp:balance:{stranger.organization_id}", 1_000)
    await redis.delete(f"dp:balance:{owner.organization_id}")
    charges = EmbeddingCharges(database, dear)
    with pytest.raises(StoreUnavailable, match="rebuilt"):
        await charges.run_once()
    assert await record.noted() == 1
    [event] = await record.events()
    assert event.cost_microcredits == 10 * event.quantity > 0
    await redis.set(f"dp:balance:{owner.organization_id}", 1_000)
    assert (await charges.run_once()).charged == 1


async def test_a_question_over_the_api_is_charged_and_an_agents_is_left_to_its_conversation(
    library: Library, record: Record, owner, embedding_server
) -> None:
    base = await library.base(owner.project_id)
    await library.ingested(base, "a.txt", MANUAL)
    embedding_server.requests.clear()
    await library.search.search(owner.project_id, base.id, "when do you open")
    expected = [Event("knowledge", "embedding", "input_tokens", "own", 4, 0)]
    assert await record.events() == expected
    found = await library.search.search_all(owner.project_id, [base.id], "money back please")
    assert [item.quantity for item in found.used] == [3]
    assert await record.events() == expected


@pytest.mark.parametrize(
    ("usage", "tokens"),
    [
        ({"total_tokens": 4}, 4),  # Sixteen characters.
        ({"prompt_tokens": None, "total_tokens": 4}, 4),
        ({"prompt_tokens": "many"}, 4),
        ({"prompt_tokens": 9, "total_tokens": 9}, 9),
        ({"prompt_tokens": -5, "total_tokens": -5}, 0),
        ({"prompt_tokens": 10**30, "total_tokens": 10**30}, 10**8),
    ],
)
async def test_what_a_server_says_it_read_is_believed_within_reason(
    library: Library, owner, embedding_server, usage, tokens
) -> None:
    base = await library.base(owner.project_id)
    embedding_server.usage = usage
    found = await library.search.search_all(owner.project_id, [base.id], "when do you open")
    assert [item.quantity for item in found.used] == [tokens]


async def test_a_question_that_cannot_be_charged_is_answered_and_charged_once_redis_is_back(
    library: Library, record: Record, owner, database, dead_redis
) -> None:
    base = await library.base(owner.project_id)
    await library.ingested(base, "a.txt", MANUAL)
    await library.charges.run_once()
    before = await record.events()
    charges = EmbeddingCharges(database, Usage(database, dead_redis, settings()))
    search = type(library.search)(database, library.embedder, charges)
    result = await search.search(owner.project_id, base.id, "when do you open")
    assert result.mode == "hybrid"
    assert await record.events() == before
    assert (await library.charges.run_once()).charged == 1
    expected = Event("knowledge", "embedding", "input_tokens", "own", 4, 0)
    assert await record.events() == [*before, expected]


async def test_a_question_whose_charge_was_made_and_not_heard_of_is_charged_once(
    library: Library, record: Record, owner, database, redis
) -> None:
    class Unheard(Usage):
        """Loses its answers."""

        async def charge(self, *args: Any, **options: Any) -> Charge:
            await super().charge(*args, **options)
            raise StoreUnavailable("redis")

    base = await library.base(owner.project_id)
    await library.ingested(base, "a.txt", MANUAL)
    await library.charges.run_once()
    charges = EmbeddingCharges(database, Unheard(database, redis, settings()))
    search = type(library.search)(database, library.embedder, charges)
    await search.search(owner.project_id, base.id, "when do you open")
    charged = await record.events()
    assert (await library.charges.run_once()).charged == 1
    assert await record.noted() == 0
    assert await record.events() == charged


async def test_a_search_by_words_alone_uses_nothing(
    library: Library, record: Record, owner
) -> None:
    base = await library.base(owner.project_id, by_meaning=False)
    await library.ingested(base, "a.txt", MANUAL)
    await library.search.search(owner.project_id, base.id, "refunds")
    assert await library.charges.run_once()
    assert await record.events() == []
