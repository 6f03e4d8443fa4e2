"""What an agent is told, and what a caller hears, of what was found."""

import json
import uuid
from typing import Any

import pytest

from dispatch.agent_profile import AgentProfile
from dispatch.errors import StoreUnavailable
from dispatch.knowledge.answering import UNAVAILABLE, look_up, spoken
from dispatch.knowledge_base import DEFAULT_TOP_K, SearchHit, SearchResult
from tests.builders.agents import a_profile

pytestmark = pytest.mark.unit

PASSAGE = (
    "Our bakery was founded in 1921. It has three ovens.\n\n"
    "On Sundays we open at eight and close at noon. Cherry tarts are sold on Sundays only."
)


def agent(**fields: Any) -> AgentProfile:
    return a_profile(knowledge_bases=1, **fields)


def hit(text: str, **fields) -> SearchHit:
    known = {"position": 0, "heading": "", "page": None, "score": 0.01}
    return SearchHit(uuid.uuid4(), "handbook.pdf", text=text, **(known | fields))


class Found:
    """A search that finds what it was given, or fails as it was told to."""

    def __init__(self, *hits: SearchHit, error: Exception | None = None) -> None:
        self.hits = hits
        self.error = error
        self.asked: list[tuple[uuid.UUID, tuple[uuid.UUID, ...], str]] = []

    async def search_all(self, project_id, knowledge_base_ids, query, top_k=DEFAULT_TOP_K):
        assert top_k == DEFAULT_TOP_K
        self.asked.append((project_id, tuple(knowledge_base_ids), query))
        if self.error is not None:
            raise self.error
        return SearchResult("text", self.hits)


OPENAI = {"llm": {"provider": "openai", "model": "gpt-4o-mini"}}


async def test_a_model_is_given_the_passages_and_where_they_are_from() -> None:
    asking = agent(models=OPENAI)
    search = Found(hit("We open at eight.", page=3, heading="Hours"), hit("Closed on Mondays."))
    answer = await look_up(search, asking, "when do you open")
    assert json.loads(answer.text) == {
        "passages": [
            {
                "document": "handbook.pdf",
                "heading": "Hours",
                "page": 3,
                "text": "We open at eight.",
            },
            {"document": "handbook.pdf", "text": "Closed on Mondays."},
        ]
    }
    assert search.asked == [(asking.project_id, asking.knowledge_base_ids, "when do you open")]


async def test_a_script_says_the_sentences_that_answer() -> None:
    answer = await look_up(Found(hit(PASSAGE)), agent(), "when do you open on sundays")
    assert json.loads(answer.text)["say"] == (
        "On Sundays we open at eight and close at noon. Cherry tarts are sold on Sundays only."
    )


async def test_a_script_says_its_fallback_when_nothing_is_found() -> None:
    asking = agent(script={"fallback": "Please ask the bakers."})
    answer = await look_up(Found(), asking, "do you sell shoes")
    assert json.loads(answer.text) == {"passages": [], "say": "Please ask the bakers."}


async def test_the_conversation_goes_on_while_postgres_is_away() -> None:
    search = Found(error=StoreUnavailable("Postgres did not answer."))
    to_model = await look_up(search, agent(models=OPENAI), "hours")
    to_script = await look_up(search, agent(), "hours")
    assert (to_model.text, to_model.failed) == (UNAVAILABLE, False)
    assert json.loads(to_script.text) == {"say": UNAVAILABLE}


@pytest.mark.parametrize("query", [None, 7, "", "  ", "\0"])
async def test_a_query_that_is_none_is_not_searched_for(query) -> None:
    search = Found(hit(PASSAGE))
    assert (await look_up(search, agent(), query)).failed
    assert search.asked == []


@pytest.mark.parametrize("text", ["word " * 400, "x" * 2_000, "One. " * 200])
def test_what_is_said_is_short_enough_to_listen_to(text) -> None:
    assert 0 < len(spoken(text, "word")) <= 300
