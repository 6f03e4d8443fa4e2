"""Bodies of knowledge bases, their documents, and what is found in them."""

import uuid
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, StringConstraints

from dispatch.blanks import NOT_BLANK, STRIPPED
from dispatch.knowledge_base import (
    DEFAULT_TOP_K,
    LANGUAGES,
    MAX_QUERY_CHARACTERS,
    MAX_TOP_K,
    DocumentFormat,
    DocumentStatus,
    EmbeddingModel,
)
from dispatch.models.choices import BASE_URL
from gateway.schemas.base import Answer, Label, RequestBody, without_defaults

_Description = Annotated[str, StringConstraints(max_length=2_000)]

_EXAMPLE: dict[str, Any] = {
    "name": "Handbook",
    "description": "What our bakery sells, when it is open, and how orders are changed.",
    "language": "english",
    "embedding": {"provider": "openai", "model": "text-embedding-3-small"},
}


class EmbeddingBody(RequestBody):
    """The model that finds by meaning; its key is the project's secret for the provider."""

    provider: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$")] = Field(
        default="openai", description="Whose secret holds the `api_key`."
    )
    model: Annotated[
        str,
        StringConstraints(strip_whitespace=True, min_length=1, max_length=100),
        Field(json_schema_extra=NOT_BLANK),
        STRIPPED,
    ]
    base_url: (
        Annotated[
            str,
            StringConstraints(pattern=BASE_URL, max_length=300),
        ]
        | None
    ) = Field(
        default=None,
        description="Another server that speaks OpenAI's protocol, up to its version.",
        examples=["https://embeddings.example.com/v1"],
    )

    def to_model(self) -> EmbeddingModel:
        """Return the model as `dispatch` knows it."""
        return EmbeddingModel(self.provider, self.model, self.base_url)


class KnowledgeBaseBody(RequestBody):
    """A knowledge base to create."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    name: Label
    description: _Description = Field(default="", description="What is in it.")
    language: str = Field(
        default="english",
        description="Whose grammar is used to find words; it cannot be changed later.",
        json_schema_extra={"enum": list(LANGUAGES)},
    )
    embedding: EmbeddingBody | None = Field(
        default=None, description="Without one, documents are found by their words only."
    )


def _describe_patch(schema: dict[str, Any]) -> None:
    without_defaults(schema)
    schema["examples"] = [{"embedding": {"provider": "openai", "model": "text-embedding-3-large"}}]


class KnowledgeBasePatch(RequestBody):
    """The fields to change; what is absent stays. Another model has all vectors made anew."""

    model_config = ConfigDict(json_schema_extra=_describe_patch)

    name: Label = "unchanged"
    description: _Description = ""
    embedding: EmbeddingBody | None = None

    def changes(self) -> dict[str, Any]:
        """Return the fields that were sent, as `dispatch` knows them."""
        sent: dict[str, Any] = {name: getattr(self, name) for name in self.model_fields_set}
        if self.embedding is not None:
            sent["embedding"] = self.embedding.to_model()
        return sent


class EmbeddingAnswer(Answer):
    """The model that finds by meaning."""

    provider: str
    model: str
    base_url: str | None


class KnowledgeBaseAnswer(Answer):
    """A knowledge base."""

    id: uuid.UUID
    number: int = Field(description="The same knowledge base as a small number.", examples=[1])
    name: str
    description: str
    language: str
    embedding: EmbeddingAnswer | None
    dimensions: int | None = Field(
        description="Length of its vectors, once the first was made.", examples=[1536]
    )
    created_at: datetime
    updated_at: datetime


class DocumentAnswer(Answer):
    """A document, and how far it is."""

    id: uuid.UUID
    knowledge_base_id: uuid.UUID
    name: str = Field(examples=["opening-hours.pdf"])
    format: DocumentFormat
    size_bytes: int
    sha256: str = Field(description="Of the file, in hex; the same bytes are kept once.")
    status: DocumentStatus
    progress: int = Field(description="Percent; 100 when it is ready.", examples=[100])
    detail: str | None = Field(description="A sentence: what went wrong, or what it waits for.")
    chunk_count: int
    embedded_count: int = Field(description="Chunks that are found by meaning, too.")
    created_at: datetime
    updated_at: datetime


class SearchBody(RequestBody):
    """What to look for."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"query": "when are you open on sundays", "topK": 5}]}
    )

    query: str = Field(min_length=1, max_length=MAX_QUERY_CHARACTERS)
    top_k: int = Field(default=DEFAULT_TOP_K, ge=1, le=MAX_TOP_K, description="Most hits.")


class HitAnswer(Answer):
    """A passage that was found."""

    document_id: uuid.UUID
    document_name: str
    position: int = Field(description="Its place in the document, from 0.")
    heading: str = Field(description="The headings above it.", examples=["Hours > Sundays"])
    text: str
    page: int | None = Field(description="From 1, in a document that has pages.")
    score: float = Field(description="More is better; comparable within one answer.")


class SearchAnswer(Answer):
    """Passages, the best first."""

    mode: Literal["hybrid", "text"] = Field(
        description="`hybrid`: by meaning and by words. `text`: by words only; `note` says why."
    )
    note: str | None
    hits: list[HitAnswer]
