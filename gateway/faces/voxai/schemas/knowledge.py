"""Bodies of knowledge searches."""

import uuid
from typing import Literal

from pydantic import ConfigDict, Field

from dispatch.knowledge_base import DEFAULT_TOP_K, MAX_QUERY_CHARACTERS, MAX_TOP_K
from gateway.faces.voxai.schemas.base import Answer, ConfigId, RequestBody


class SearchBody(RequestBody):
    """What to look for, and where."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"knowledge_base_id": 1, "query": "opening hours", "top_k": 5}]
        }
    )

    knowledge_base_id: ConfigId = Field(description="The knowledge base as a small number.")
    query: str = Field(min_length=1, max_length=MAX_QUERY_CHARACTERS)
    top_k: int = Field(default=DEFAULT_TOP_K, ge=1, le=MAX_TOP_K)


class HitAnswer(Answer):
    """A passage that was found."""

    content: str = Field(validation_alias="text")
    score: float = Field(description="More is better; comparable within one answer.")
    document_id: uuid.UUID
    document_name: str
    heading: str
    page: int | None


class SearchAnswer(Answer):
    """Passages, the best first."""

    results: list[HitAnswer]
    mode: Literal["hybrid", "text"] = Field(
        description="`text`: found by words only, and `note` says why."
    )
    note: str | None
