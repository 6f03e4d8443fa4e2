"""How a call searches: with connections for the moment, and through an outage of Postgres."""

import asyncio
import json

import psycopg
import pytest

from dispatch.knowledge.answering import UNAVAILABLE, look_up
from dispatch.knowledge.brief_search import BriefSearch
from dispatch.tools.addresses import AllowedHosts
from stack.ports import free_port
from tests.builders.agents import a_profile

pytestmark = pytest.mark.integration


def connections_of_workers(url: str) -> int:
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        query = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'dialplane-worker'"
        row = connection.execute(query).fetchone()
    assert row
    return row[0]


async def test_a_call_finds_by_meaning_and_keeps_no_connection(
    library, owner, clean_postgres, embedding_server
) -> None:
    base = await library.base(owner.project_id)
    await library.ingested(base, "a.txt", "You get your money back within two weeks.")
    agent = a_profile().model_copy(
        update={"project_id": owner.project_id, "knowledge_base_ids": (base.id,)}
    )
    search = BriefSearch(clean_postgres, library.keys, AllowedHosts(["127.0.0.1"]))
    asked = len(embedding_server.requests)
    found = json.loads((await look_up(search, agent, "refund")).text)
    assert found["say"] == "You get your money back within two weeks."
    assert len(embedding_server.requests) == asked + 1
    # Postgres notices some milliseconds later that a connection was closed.
    async with asyncio.timeout(30):
        while connections_of_workers(clean_postgres):
            await asyncio.sleep(0.01)
    await search.aclose()


async def test_a_call_goes_on_while_postgres_is_away(library) -> None:
    nowhere = f"postgresql+psycopg://nobody@127.0.0.1:{free_port()}/nothing"
    search = BriefSearch(nowhere, library.keys, AllowedHosts())
    answer = await look_up(search, a_profile(knowledge_bases=1), "refund")
    assert (json.loads(answer.text), answer.failed) == ({"say": UNAVAILABLE}, False)
    await search.aclose()
