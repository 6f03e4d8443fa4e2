"""Keeps what the call path reads in Redis equal to what is on record in Postgres.

Use cases publish by themselves, right after their commit. This is what repairs the rest: a process
that died between commit and publication, a Redis that did not answer, one that lost its data, and a
Postgres that lost its last commits.

What a use case publishes between a read here and the write that follows stays: every copy has the
revision of the row it was made of, and Redis takes none that is earlier than what it has seen.
"""

import asyncio
import logging
import uuid
from collections.abc import Coroutine, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from dispatch.balances import Balances
from dispatch.credits import BELIEVED_AFTER, RECENT, Credits
from dispatch.routes import Routes
from dispatch.secrets.call_secrets import CallSecrets
from dispatch.store.engine import Database
from dispatch.store.publications import Publications
from dispatch.store.repositories import (
    accounts,
    agents,
    ledger,
    outbound_calls,
    phone_numbers,
    revisions,
    secrets,
    tools,
)

log = logging.getLogger(__name__)

_BATCH = 50
"""Rows read at a time. All are written to Redis at once, so it must stay well below the client's
number of connections."""

_OVERLAP = timedelta(seconds=60)
"""How far back each run looks: longer than any transaction of ours, whose rows carry the time at
which it began and not that of its commit."""


@dataclass(frozen=True, slots=True)
class Projected:
    """What a run wrote."""

    full: bool
    agents: int
    routes: int
    balances: int
    secrets: int
    """Projects whose secrets were published."""


class Projection:
    """Postgres to Redis: agents, routes, secrets, and balances that are missing or behind."""

    def __init__(
        self,
        database: Database,
        publications: Publications,
        routes: Routes,
        balances: Balances,
        call_secrets: CallSecrets,
    ) -> None:
        self._publications = publications
        self._call_secrets = call_secrets
        self._database = database
        self._routes = routes
        self._balances = balances
        self._credits = Credits(database, balances)
        self._seen_until: datetime | None = None
        self._witness: uuid.UUID | None = None

    async def run_once(self) -> Projected:
        """Publish everything on the first run, and afterwards what changed lately.

        Everything is published again when Redis turns out to have lost its data, or Postgres to be
        behind what was published.

        Raises:
            StoreUnavailable: Postgres or Redis did not answer; the next run starts where this one
                did.
        """
        await self._follow_record_back()
        since = None if await self._has_lost_data() else self._seen_until
        async with self._database.reading() as db:
            now = await accounts.current_time(db)
        # Before the agents, whose models and tools need them.
        published_secrets = await self._publish_secrets(since)
        published = await self._publish_agents(since)
        routes = await self._publish_routes(since)
        await self._publish_trunks(since)
        balances = await self._repair_balances(since)
        self._seen_until = now - _OVERLAP
        return Projected(since is None, published, routes, balances, published_secrets)

    async def _follow_record_back(self) -> None:
        """Believe a Postgres that lost commits, as a replica or a backup has, and not Redis."""
        # Asked first: what was published by then had been drawn by then.
        published = await self._publications.latest_revision()
        async with self._database.reading() as db:
            drawn = await revisions.last_revision(db)
        if published <= drawn:
            return
        log.warning(
            "The record has lost commits that calls follow; everything is published as it is now.",
            extra={"published": published, "drawn": drawn},
        )
        self._seen_until = None
        # In this order: cut off in between, it is seen again.
        await self._publications.forget_revisions()
        async with self._database.transaction() as db:
            await revisions.continue_after(db, published)

    async def _has_lost_data(self) -> bool:
        """Whether a balance that was there is gone: no balance is ever deleted."""
        return self._witness is not None and await self._balances.get(self._witness) is None

    async def _publish_agents(self, since: datetime | None) -> int:
        published = 0
        after: uuid.UUID | None = None
        while True:
            async with self._database.reading() as db:
                batch = await agents.list_changed_since(db, since, after, _BATCH)
                live = [profile for _, _, profile in batch if profile is not None]
                profiles = {agent.agent_id: agent for agent in await tools.with_tools(db, live)}
            await _gather(
                self._routes.publish_agent(profiles[agent_id])
                if agent_id in profiles
                else self._routes.withdraw_agent(agent_id, revision)
                for agent_id, revision, _ in batch
            )
            published += len(batch)
            if len(batch) < _BATCH:
                return published
            after = batch[-1][0]

    async def _publish_secrets(self, since: datetime | None) -> int:
        published = 0
        after: uuid.UUID | None = None
        while True:
            async with self._database.reading() as db:
                batch = await secrets.list_changed_since(db, since, after, _BATCH)
            await _gather(
                self._call_secrets.publish(project_id, found) for project_id, found in batch
            )
            published += len(batch)
            if len(batch) < _BATCH:
                return published
            after = batch[-1][0]

    async def _publish_routes(self, since: datetime | None) -> int:
        async with self._database.reading() as db:
            gone = await phone_numbers.list_gone_since(db, since)
        for start in range(0, len(gone), _BATCH):
            await _gather(
                self._routes.withdraw_route(did, revision)
                for did, revision in gone[start : start + _BATCH]
            )
        published = len(gone)
        after: uuid.UUID | None = None
        while True:
            async with self._database.reading() as db:
                batch = await phone_numbers.list_changed_since(db, since, after, _BATCH)
            await _gather(self._routes.publish_route(route.did, route) for _, route in batch)
            published += len(batch)
            if len(batch) < _BATCH:
                return published
            after = batch[-1][0]

    async def _publish_trunks(self, since: datetime | None) -> None:
        after: uuid.UUID | None = None
        while True:
            async with self._database.reading() as db:
                batch = await outbound_calls.list_trunks_changed_since(db, since, after, _BATCH)
            await _gather(
                self._routes.withdraw_trunk(connection_id, revision)
                if trunk is None
                else self._routes.publish_trunk(trunk)
                for connection_id, revision, trunk in batch
            )
            if len(batch) < _BATCH:
                return
            after = batch[-1][0]

    async def _repair_balances(self, since: datetime | None) -> int:
        async with self._database.reading() as db:
            created = await accounts.list_organizations_since(db, since)
            # After a crash of everything at once nobody has watched what Redis forgot.
            believed_after = RECENT if since is None else BELIEVED_AFTER
            behind = await ledger.list_organizations_untold(db, believed_after=believed_after)
        repaired = 0
        for organization_id in behind:
            await self._credits.apply_outstanding(organization_id, believed_after)
            repaired += 1
        for organization_id in created:
            if await self._balances.get(organization_id) is None:
                await self._credits.apply_outstanding(organization_id)
                repaired += 1
            self._witness = organization_id
        return repaired


async def _gather(writes: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Run the writes at once; the first error of one of them, after all have ended."""
    for outcome in await asyncio.gather(*writes, return_exceptions=True):
        if isinstance(outcome, BaseException):
            raise outcome
