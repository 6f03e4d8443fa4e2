"""The agents' tool `search_knowledge`: a query in, text for a model or a caller's ear out."""

import asyncio
import json
import logging
import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from dispatch.agent_profile import AgentProfile
from dispatch.billing.items import UsageItem
from dispatch.errors import StoreUnavailable
from dispatch.knowledge_base import DEFAULT_TOP_K, MAX_QUERY_CHARACTERS, SearchHit, SearchResult
from dispatch.script import SEARCH_KNOWLEDGE
from telephony.speech.words import words_of

logger = logging.getLogger(__name__)

TOOL_SCHEMA: Final[Mapping[str, Any]] = {
    "name": SEARCH_KNOWLEDGE,
    "description": (
        "Search the company's documents. Use it before you answer a question about the company, its"
        " products or its rules, and answer only from the passages it returns."
    ),
    "parameters": {
        "type": "object",
        "properties": {
            "query": {
                "type": "string",
                "description": "What to look for: a whole question or the words that matter.",
            }
        },
        "required": ["query"],
        "additionalProperties": False,
    },
}
"""The tool as models are told of it, in OpenAI's form."""

UNAVAILABLE: Final = "The knowledge base cannot be reached right now."

_PATIENCE_S: Final = 5.0
"""Longer nobody wants to listen to silence; healthy searches take some hundredths of a second, and
two seconds more with an embedding server that does not answer."""

_SPOKEN_CHARACTERS: Final = 300
"""Some twenty seconds of speech: more is not listened to."""

_SENTENCE_END: Final = re.compile(r"(?<=[.!?…。])\s+|\n+")

_STEM_LETTERS: Final = 5
"""Enough to find `opening` by `opens`; this only chooses among the sentences of a passage."""


class Search(Protocol):
    """Searches several knowledge bases: `KnowledgeSearch`, or one that opens it when asked."""

    async def search_all(
        self,
        project_id: uuid.UUID,
        knowledge_base_ids: Sequence[uuid.UUID],
        query: str,
        top_k: int = DEFAULT_TOP_K,
    ) -> SearchResult:
        """Return what is found in all of them."""
        ...


@dataclass(frozen=True, slots=True)
class LookUp:
    """What the tool answers."""

    text: str
    """`{"passages": [{"document", "heading"?, "page"?, "text"}]}`, for an agent of a script with
    `"say"`: the best sentences. A plain sentence when it failed."""
    failed: bool = False
    used: Sequence[UsageItem] = ()
    """To be charged with the conversation."""


async def look_up(search: Search, agent: AgentProfile, query: object) -> LookUp:
    """Search an agent's knowledge bases.

    It never raises because something is down: the conversation goes on, and the agent is told.

    Args:
        search: Where to look.
        agent: Whose knowledge bases.
        query: As the model wrote it.
    """
    wanted = query.replace("\0", " ").strip() if isinstance(query, str) else ""
    if not wanted:
        return LookUp("query must be a text.", failed=True)
    by_script = agent.models.llm.provider == "builtin"
    try:
        async with asyncio.timeout(_PATIENCE_S):
            result = await search.search_all(
                agent.project_id, agent.knowledge_base_ids, wanted[:MAX_QUERY_CHARACTERS]
            )
    except (StoreUnavailable, TimeoutError):
        logger.warning("knowledge cannot be searched", extra={"agent_id": str(agent.agent_id)})
        return LookUp(_json({"say": UNAVAILABLE}) if by_script else UNAVAILABLE)
    answer: dict[str, Any] = {"passages": [_passage(hit) for hit in result.hits]}
    if by_script:
        best = spoken(result.hits[0].text, wanted) if result.hits else agent.script.fallback
        answer["say"] = best
    return LookUp(_json(answer), used=result.used)


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
    if len(said) <= _SPOKEN_CHARACTERS:
        return said
    return said[:_SPOKEN_CHARACTERS].rpartition(" ")[0] or said[:_SPOKEN_CHARACTERS]


def _passage(hit: SearchHit) -> dict[str, Any]:
    told = {
        "document": hit.document_name,
        "heading": hit.heading,
        "page": hit.page,
        "text": hit.text,
    }
    return {name: value for name, value in told.items() if value not in {None, ""}}


def _stems(text: str) -> set[str]:
    return {word[:_STEM_LETTERS] for word in words_of(text) if len(word) > 2}


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False)
