"""How much of each resource an organisation has, and how much its plan allows."""

from dataclasses import dataclass
from datetime import UTC, datetime

from dispatch.accounts import Principal
from dispatch.billing.plans import PLAN_LIMITS, Resource
from dispatch.settings import DispatchSettings
from dispatch.store.engine import Database
from dispatch.store.lease_counts import count_organization_leases
from dispatch.store.redis_client import RedisClient
from dispatch.store.repositories import quotas as counts
from dispatch.store.repositories import usage as usage_rows


@dataclass(frozen=True, slots=True)
class Quota:
    """A resource of an organisation."""

    resource: Resource
    used: int
    limit: int | None
    """None: no limit."""


@dataclass(frozen=True, slots=True)
class PlanQuotas:
    """An organisation's plan and all its quotas."""

    plan: str
    quotas: tuple[Quota, ...]


class Quotas:
    """What organisations have and may have.

    The limits are held where a thing is made: `repositories.quotas.require_room_for`.
    """

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
            plan = await counts.plan_of(db, organization_id)
            used = dict(await counts.count_resources(db, organization_id))
            seconds = await usage_rows.seconds_since(db, organization_id, month_began)
        used[Resource.CONCURRENT_CALLS] = await count_organization_leases(
            self._redis, organization_id
        )
        used[Resource.MINUTES_THIS_MONTH] = -(-seconds // 60)
        limits = {**PLAN_LIMITS[plan], Resource.CONCURRENT_CALLS: self._most_calls}
        return PlanQuotas(
            plan=plan,
            quotas=tuple(
                Quota(resource, used[resource], limits.get(resource)) for resource in Resource
            ),
        )
