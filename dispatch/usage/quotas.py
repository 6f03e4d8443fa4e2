"""How much of each resource an organisation has, and how much its plan allows."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from dispatch.accounts import Principal
from dispatch.errors import QuotaExceeded
from dispatch.settings import DispatchSettings
from dispatch.store.engine import Database
from dispatch.store.lease_counts import count_organization_leases
from dispatch.store.redis_client import RedisClient
from dispatch.store.repositories import quotas as counts
from dispatch.store.repositories import usage as usage_rows


class Resource(StrEnum):
    """What a plan limits."""

    PROJECTS = "projects"
    AGENTS = "agents"
    PHONE_NUMBERS = "phone_numbers"
    KNOWLEDGE_BASES = "knowledge_bases"
    KNOWLEDGE_BYTES = "knowledge_bytes"
    CONCURRENT_CALLS = "concurrent_calls"
    MINUTES_THIS_MONTH = "minutes_this_month"
    """Started minutes of time on the line in the calendar month (UTC), without calls still on."""


@dataclass(frozen=True, slots=True)
class Quota:
    """A resource of an organisation."""

    resource: Resource
    used: int
    limit: int | None
    """None: no limit but the installation's own."""


@dataclass(frozen=True, slots=True)
class PlanQuotas:
    """An organisation's plan and all its quotas."""

    plan: str
    quotas: tuple[Quota, ...]


_GIB: Final = 1024**3


def _limits(**limits: int) -> Mapping[Resource, int]:
    return MappingProxyType({Resource(name): limit for name, limit in limits.items()})


PLAN_LIMITS: Final[Mapping[str, Mapping[Resource, int]]] = MappingProxyType(
    {
        "free": _limits(
            projects=1,
            agents=3,
            phone_numbers=1,
            knowledge_bases=1,
            knowledge_bytes=_GIB // 10,
            concurrent_calls=2,
            minutes_this_month=100,
        ),
        "starter": _limits(
            projects=5,
            agents=25,
            phone_numbers=10,
            knowledge_bases=10,
            knowledge_bytes=_GIB,
            concurrent_calls=10,
            minutes_this_month=5_000,
        ),
        "growth": _limits(
            projects=50,
            agents=500,
            phone_numbers=500,
            knowledge_bases=100,
            knowledge_bytes=10 * _GIB,
            concurrent_calls=50,
            minutes_this_month=100_000,
        ),
        "enterprise": _limits(),
    }
)
"""The numbers are ours. A resource that is missing is limited by the installation only."""


class Quotas:
    """What organisations have and may have."""

    def __init__(self, database: Database, redis: RedisClient, settings: DispatchSettings) -> None:
        self._database = database
        self._redis = redis
        self._most_calls = settings.max_calls_per_organization

    async def of(self, principal: Principal) -> PlanQuotas:
        """Return the quotas of the principal's organisation.

        Raises:
            StoreUnavailable: Postgres or Redis did not answer.
        """
        organization_id = principal.organization_id
        month_began = datetime.now(UTC).date().replace(day=1)
        async with self._database.reading() as db:
            found = await counts.count_resources(db, organization_id)
            seconds = await usage_rows.seconds_since(db, organization_id, month_began)
        used = {
            Resource.PROJECTS: found.projects,
            Resource.AGENTS: found.agents,
            Resource.PHONE_NUMBERS: found.phone_numbers,
            Resource.KNOWLEDGE_BASES: found.knowledge_bases,
            Resource.KNOWLEDGE_BYTES: found.knowledge_bytes,
            Resource.CONCURRENT_CALLS: await count_organization_leases(
                self._redis, organization_id
            ),
            Resource.MINUTES_THIS_MONTH: -(-seconds // 60),
        }
        limits = PLAN_LIMITS[found.plan]
        return PlanQuotas(
            plan=found.plan,
            quotas=tuple(
                Quota(resource, used[resource], self._limit(limits, resource))
                for resource in Resource
            ),
        )

    async def require(self, principal: Principal, resource: Resource, more: int = 1) -> None:
        """Check that the organisation may have so much more of a resource.

        Two requests at the same moment may both pass: a quota is a commercial limit, and being one
        over it does no harm. What protects the installation (slots, credit) is atomic elsewhere.

        Raises:
            QuotaExceeded: It may not.
            StoreUnavailable: Postgres or Redis did not answer.
        """
        quotas = await self.of(principal)
        for quota in quotas.quotas:
            if quota.resource is resource and quota.limit is not None:
                if quota.used + more > quota.limit:
                    raise QuotaExceeded(resource, quota.limit, quotas.plan)
                return

    def _limit(self, limits: Mapping[Resource, int], resource: Resource) -> int | None:
        limit = limits.get(resource)
        if resource is Resource.CONCURRENT_CALLS:
            return min(self._most_calls, limit or self._most_calls)
        return limit
