"""The agents' tool `search_knowledge`: a query in, text for a model or a caller's ear out."""

import json
import logging
import re
import uuid
from collections.abc import Sequence
from typing import Any, Final, Protocol

from dispatch.errors import InvalidField, StoreUnavailable
from dispatch.knowledge_base import DEFAULT_TOP_K, MAX_QUERY_CHARACTERS, SearchHit, SearchResult
from telephony.speech.words import words_of

logger = logging.getLogger(__name__)

TOOL_NAME: Final = "search_knowledge"

DESCRIPTION: Final = (
    "Search the company's documents. Use it before you answer a question about the company, its"
    " products or its rules, and answer only from what it returns."
)

PARAMETERS: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "query": {
            "type": "string",
            "description": "What to look for: a whole question or the words that matter.",
        }
    },
    "required": ["query"],
    "additionalProperties": False,
}
"""JSON Schema of the tool's arguments."""

UNAVAILABLE: Final = "The knowledge base cannot be reached right now."
NOTHING_FOUND: Final = "I found nothing about that."

_SPOKEN_CHARACTERS: Final = 300
"""Some twenty seconds of speech: more is not listened to."""

_SENTENCE_END: Final = re.compile(r"(?<=[.!?…。])\s+|\n+")


class Search(Protocol):
    """Searches an agent's knowledge bases: `KnowledgeSearch.search_all`."""

    async def search_all(
        self,
        project_id: uuid.UUID,
        knowledge_base_ids: Sequence[uuid.UUID],
        query: str,
        top_k: int = DEFAULT_TOP_K,
    ) -> SearchResult:
        """Return what is found in all of them."""
        ...


async def answer_for_model(
    search: Search, project_id: uuid.UUID, knowledge_base_ids: Sequence[uuid.UUID], query: str
) -> str:
    """Return the passages found, each with where it is from, for a language model to answer from.

    Never raises for a store that is down: the conversation goes on, and the model is told.
    """
    result = await _searched(search, project_id, knowledge_base_ids, query)
    if result is None:
        return UNAVAILABLE
    return "\n\n".join(_quoted(hit) for hit in result.hits) or NOTHING_FOUND


async def answer_to_speak(
    search: Search,
    project_id: uuid.UUID,
    knowledge_base_ids: Sequence[uuid.UUID],
    query: str,
    *,
    nothing_found: str = NOTHING_FOUND,
) -> str:
    """Return the best sentences found, as the JSON `{"say": "…"}` that a script's agent speaks.

    Args:
        search: Where to look.
        project_id: Whose agent it is.
        knowledge_base_ids: The agent's.
        query: What the caller asked, or what the script looks up.
        nothing_found: Said when there is nothing.
    """
    result = await _searched(search, project_id, knowledge_base_ids, query)
    if result is None:
        said = UNAVAILABLE
    elif result.hits:
        said = spoken(result.hits[0].text, query)
    else:
        said = nothing_found
    return json.dumps({"say": said}, ensure_ascii=False)


def spoken(text: str, query: str) -> str:
    """Return the sentences of a passage that share most with a query, short enough to listen to."""
    sentences = [" ".join(part.split()) for part in _SENTENCE_END.split(text) if part.strip()]
    wanted = _stems(query)
    overlaps = [len(wanted & _stems(sentence)) for sentence in sentences]
    start = overlaps.index(max(overlaps))
    said = sentences[start]
    for sentence in sentences[start + 1 :]:
        if len(said) + 1 + len(sentence) > _SPOKEN_CHARACTERS:
            break
        said = f"{said} {sentence}"
    return said if len(said) <= _SPOKEN_CHARACTERS else _cut(said)


async def _searched(
    search: Search, project_id: uuid.UUID, knowledge_base_ids: Sequence[uuid.UUID], query: str
) -> SearchResult | None:
    try:
        return await search.search_all(
            project_id, knowledge_base_ids, query.replace("\0", " ")[:MAX_QUERY_CHARACTERS]
        )
    except StoreUnavailable:
        logger.warning("knowledge not searched, Postgres is away")
        return None
    except InvalidField:
        # A model may ask for nothing at all.
        return SearchResult("text", ())


def _quoted(hit: SearchHit) -> str:
    page = f", page {hit.page}" if hit.page is not None else ""
    heading = f", {hit.heading}" if hit.heading else ""
    return f"[{hit.document_name}{page}{heading}]\n{hit.text}"


_STEM_LETTERS: Final = 5
"""Enough to find `opening` by `open` and `opens`; this only chooses among sentences."""


def _stems(text: str) -> set[str]:
    return {word[:_STEM_LETTERS] for word in words_of(text) if len(word) > 2}


def _cut(text: str) -> str:
    return text[:_SPOKEN_CHARACTERS].rpartition(" ")[0] or text[:_SPOKEN_CHARACTERS]
