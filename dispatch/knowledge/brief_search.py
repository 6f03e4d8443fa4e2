"""Searching from a process that seldom does, such as a call's."""

import uuid
from collections.abc import Sequence

from dispatch.knowledge.embedding import Embedder, SecretsForCalls
from dispatch.knowledge.search import KnowledgeSearch
from dispatch.knowledge_base import DEFAULT_TOP_K, SearchResult
from dispatch.store.engine import Database
from dispatch.tools.addresses import AllowedHosts
from dispatch.tools.model_servers import model_server_client


class BriefSearch:
    """A `KnowledgeSearch` that keeps no connection to Postgres from one search to the next.

    A thousand calls must not hold a thousand connections; opening one takes a few milliseconds.

    Args:
        database_url: SQLAlchemy URL of Postgres.
        secrets: Where the keys of embedding servers are.
        allowed: Hosts where these may be although they are not public.
    """

    def __init__(self, database_url: str, secrets: SecretsForCalls, allowed: AllowedHosts) -> None:
        self._database = Database(database_url, pool_size=1, application_name="dialplane-worker")
        self._models = model_server_client(allowed)
        self._search = KnowledgeSearch(self._database, Embedder(secrets, self._models))

    async def search_all(
        self,
        project_id: uuid.UUID,
        knowledge_base_ids: Sequence[uuid.UUID],
        query: str,
        top_k: int = DEFAULT_TOP_K,
    ) -> SearchResult:
        """Search several knowledge bases; see `KnowledgeSearch.search_all`."""
        try:
            return await self._search.search_all(project_id, knowledge_base_ids, query, top_k)
        finally:
            await self._database.aclose()

    async def aclose(self) -> None:
        """Close what is still open."""
        await self._models.close()
        await self._database.aclose()
