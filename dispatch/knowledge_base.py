"""Knowledge bases, their documents, and what a search finds in them: plain data."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, Literal

from dispatch.billing.items import UsageItem

MAX_DOCUMENT_BYTES: Final = 50 * 1024 * 1024
MAX_TOP_K: Final = 50
DEFAULT_TOP_K: Final = 5
MAX_QUERY_CHARACTERS: Final = 2_000

LANGUAGES: Final = (
    "arabic", "armenian", "basque", "catalan", "danish", "dutch", "english", "estonian",
    "finnish", "french", "german", "greek", "hindi", "hungarian", "indonesian", "irish",
    "italian", "lithuanian", "nepali", "norwegian", "portuguese", "romanian", "russian",
    "serbian", "simple", "spanish", "swedish", "tamil", "turkish", "yiddish",
)  # fmt: skip
"""Text search configurations of every Postgres 18; `simple` knows no grammar and suits any
language that puts spaces between words."""


class DocumentFormat(StrEnum):
    """What kind of file a document came as."""

    PDF = "pdf"
    DOCX = "docx"
    MARKDOWN = "markdown"
    TEXT = "text"
    CSV = "csv"
    HTML = "html"


class DocumentStatus(StrEnum):
    """How far a document is on its way from a file to something that can be found."""

    UPLOADED = "uploaded"
    """Kept, not read yet."""
    PARSING = "parsing"
    """Its text is being read and cut into chunks."""
    EMBEDDING = "embedding"
    """Found by its words already; vectors for finding it by meaning are being made."""
    READY = "ready"
    FAILED = "failed"
    """Given up; the detail says why. Chunks that were read are still found by their words."""


SEARCHABLE: Final = (DocumentStatus.EMBEDDING, DocumentStatus.READY, DocumentStatus.FAILED)
"""In these states all of a document's chunks are there, or none is."""


@dataclass(frozen=True, slots=True)
class EmbeddingModel:
    """A model that turns text into vectors, behind OpenAI's protocol."""

    provider: str
    """Whose secret is used, as in the tenant's secrets: `openai`."""
    model: str
    base_url: str | None = None
    """Another server that speaks the protocol, up to its version: `https://host/v1`."""


@dataclass(frozen=True, slots=True)
class KnowledgeBase:
    """A project's collection of documents that is searched as one."""

    id: uuid.UUID
    number: int
    """The same knowledge base as a small number, in products that count (VoxAI)."""
    organization_id: uuid.UUID
    project_id: uuid.UUID
    name: str
    description: str
    language: str
    """A text search configuration of Postgres, one of `LANGUAGES`."""
    embedding: EmbeddingModel | None
    """None: found by words only."""
    dimensions: int | None
    """Length of its vectors; known once the first was made."""
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Document:
    """A file that was uploaded, and how far it is."""

    id: uuid.UUID
    knowledge_base_id: uuid.UUID
    name: str
    """The file's name."""
    format: DocumentFormat
    size_bytes: int
    sha256: str
    """Of the file, in hex. The same bytes are kept once in a knowledge base."""
    status: DocumentStatus
    detail: str | None
    """A sentence: what went wrong, or what it waits for."""
    chunk_count: int
    embedded_count: int
    """Chunks that have a vector."""
    created_at: datetime
    updated_at: datetime

    @property
    def progress(self) -> int:
        """How much is done, in percent; 100 only when it is ready."""
        if self.status is DocumentStatus.READY:
            return 100
        if not self.chunk_count:
            return 0
        return min(99, 100 * self.embedded_count // self.chunk_count)


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a document, small enough to be read in one breath."""

    position: int
    """Its place in the document, from 0."""
    heading: str
    """The headings above it, as `Opening hours > Sundays`; empty when there are none."""
    text: str
    page: int | None = None
    """From 1, in a document that has pages."""


@dataclass(frozen=True, slots=True)
class SearchHit:
    """A chunk that was found."""

    document_id: uuid.UUID
    document_name: str
    position: int
    heading: str
    text: str
    page: int | None
    score: float
    """Sum of 1 / (60 + rank) over the lists it is on: comparable within one mode, more is better;
    at most 2/61."""


@dataclass(frozen=True, slots=True)
class SearchResult:
    """What a search found, best first, and how it was done."""

    mode: Literal["hybrid", "text"]
    """`text`: by words only, and `note` says why."""
    hits: Sequence[SearchHit]
    note: str | None = None
    used: Sequence[UsageItem] = ()
    """What the question's vectors took."""
