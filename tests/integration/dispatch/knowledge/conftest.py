"""Knowledge over a real Postgres, with a local server that makes vectors."""

import asyncio
import io
import uuid
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field

import pytest
from openai import AsyncOpenAI

from dispatch.accounts import SYSTEM
from dispatch.knowledge.bases import KnowledgeBases
from dispatch.knowledge.charging import EmbeddingCharges
from dispatch.knowledge.documents import Documents
from dispatch.knowledge.embedding import Embedder
from dispatch.knowledge.ingestion import Ingestion
from dispatch.knowledge.search import KnowledgeSearch
from dispatch.knowledge_base import Document, EmbeddingModel, KnowledgeBase
from dispatch.store.engine import Database
from dispatch.store.loop_signals import LoopSignals
from dispatch.store.redis_client import RedisClient
from dispatch.usage.usage import Usage
from tests.builders.live_calls import settings
from tests.servers.embeddings import KEY, EmbeddingServer, running_embeddings

INGESTION_TIMEOUT_S = 120.0


@dataclass
class Keys:
    """The secrets of all projects."""

    values: dict[uuid.UUID, dict[str, str]] = field(default_factory=dict)

    async def for_call(self, project_id: uuid.UUID, provider: str) -> Mapping[str, str]:
        """Return a provider's values."""
        return self.values.get(project_id, {}) if provider == "openai" else {}


@dataclass
class Library:
    """The use cases of knowledge, and what they stand on."""

    bases: KnowledgeBases
    documents: Documents
    search: KnowledgeSearch
    charges: EmbeddingCharges
    ingestion: Ingestion
    embedder: Embedder
    keys: Keys
    model: EmbeddingModel

    async def base(
        self, project_id: uuid.UUID, *, by_meaning: bool = True, **fields: str
    ) -> KnowledgeBase:
        """Create a knowledge base, whose project has a key for the server of vectors."""
        self.keys.values.setdefault(project_id, {"api_key": KEY})
        return await self.bases.create(
            SYSTEM,
            project_id,
            name="Handbook",
            embedding=self.model if by_meaning else None,
            new_id=uuid.uuid4(),
            **fields,
        )

    async def upload(self, base: KnowledgeBase, name: str, data: bytes | str) -> Document:
        """Upload a file."""
        file = io.BytesIO(data.encode() if isinstance(data, str) else data)
        return await self.documents.upload(
            SYSTEM, base.project_id, base.id, name=name, file=file, new_id=uuid.uuid4()
        )

    async def ingest(self) -> None:
        """Run the loop until nothing is due or in work."""
        async with asyncio.timeout(INGESTION_TIMEOUT_S):
            while (await self.ingestion.run_once()).running:
                await asyncio.sleep(0.01)

    async def ingested(self, base: KnowledgeBase, name: str, data: bytes | str) -> Document:
        """Upload a file and return it as it is when everything was done."""
        document = await self.upload(base, name, data)
        await self.ingest()
        return await self.documents.get(base.project_id, base.id, document.id)

    async def found(self, base: KnowledgeBase, query: str, top_k: int = 5) -> list[str]:
        """Return the texts that a search finds."""
        result = await self.search.search(base.project_id, base.id, query, top_k)
        return [hit.text for hit in result.hits]


@pytest.fixture(scope="session")
def embedding_server_of_all() -> Iterator[EmbeddingServer]:
    """The one server of vectors."""
    with running_embeddings() as server:
        yield server


@pytest.fixture
def embedding_server(embedding_server_of_all: EmbeddingServer) -> EmbeddingServer:
    """The server of vectors, in good health and asked nothing yet."""
    embedding_server_of_all.reset()
    return embedding_server_of_all


@pytest.fixture
async def library(
    database: Database, redis: RedisClient, embedding_server: EmbeddingServer
) -> AsyncIterator[Library]:
    """Knowledge, with everything up."""
    keys = Keys()
    async with AsyncOpenAI(api_key="none") as client:
        # On a busy machine a server in the same process may take longer than a caller would wait.
        embedder = Embedder(keys, client, query_timeout_s=30)
        ingestion = Ingestion(database, embedder)
        charges = EmbeddingCharges(database, Usage(database, redis, settings()))
        yield Library(
            bases=KnowledgeBases(database),
            documents=Documents(database, LoopSignals(redis)),
            search=KnowledgeSearch(database, embedder, charges),
            charges=charges,
            ingestion=ingestion,
            embedder=embedder,
            keys=keys,
            model=EmbeddingModel("openai", "letters", embedding_server.base_url),
        )
        await ingestion.aclose()
