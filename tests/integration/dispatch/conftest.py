"""Two customers, and the use cases over a real Postgres and a real Redis."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from pydantic import SecretStr

from dispatch.access.audit import AuditLog
from dispatch.access.authentication import Authentication
from dispatch.access.keys import Keys
from dispatch.access.members import Members
from dispatch.access.versions import AccessVersions
from dispatch.accounts import Principal
from dispatch.agents import Agents
from dispatch.balances import Balances
from dispatch.carrier_connections import CarrierConnections
from dispatch.credits import Credits
from dispatch.phone_numbers import PhoneNumbers
from dispatch.projection import Projection
from dispatch.routes import Routes
from dispatch.secrets.call_secrets import CallSecrets
from dispatch.store.credential_cache import CredentialCache
from dispatch.store.engine import Database
from dispatch.store.loop_signals import LoopSignals
from dispatch.store.publications import Publications
from dispatch.store.redis_client import RedisClient
from dispatch.tenants import Tenants
from tests.builders.installation_keys import KEYS
from tests.builders.live_calls import Tenant
from tests.builders.tenants import new_principal

PEPPER = SecretStr("pepper-of-the-tests")


@dataclass(frozen=True)
class UseCases:
    """The use cases of one process."""

    tenants: Tenants
    keys: Keys
    members: Members
    authentication: Authentication
    audit_log: AuditLog
    credits: Credits
    agents: Agents
    numbers: PhoneNumbers
    connections: CarrierConnections
    projection: Projection
    routes: Routes
    balances: Balances
    signals: LoopSignals


UseCasesOver = Callable[[Database, RedisClient], UseCases]


@pytest.fixture(scope="session")
def use_cases_over() -> UseCasesOver:
    """Build the use cases over given stores."""

    def build(database: Database, redis: RedisClient) -> UseCases:
        routes, balances, signals = Routes(redis), Balances(redis), LoopSignals(redis)
        cache = CredentialCache(redis)
        versions = AccessVersions(cache)
        return UseCases(
            tenants=Tenants(database, versions, balances),
            keys=Keys(database, versions, PEPPER),
            members=Members(database, versions),
            authentication=Authentication(database, cache, PEPPER),
            audit_log=AuditLog(database),
            credits=Credits(database, balances),
            agents=Agents(database, routes),
            numbers=PhoneNumbers(database, routes, signals, ["127.0.0.0/8"]),
            connections=CarrierConnections(database, KEYS),
            projection=Projection(
                database, Publications(redis), routes, balances, CallSecrets(redis, KEYS)
            ),
            routes=routes,
            balances=balances,
            signals=signals,
        )

    return build


@pytest.fixture
def use_cases(database: Database, redis: RedisClient, use_cases_over: UseCasesOver) -> UseCases:
    """The use cases, with everything up."""
    return use_cases_over(database, redis)


@pytest.fixture
def cut_off(database: Database, dead_redis: RedisClient, use_cases_over: UseCasesOver) -> UseCases:
    """The use cases of a process whose Redis is down."""
    return use_cases_over(database, dead_redis)


@pytest.fixture
async def tenant(redis: RedisClient) -> Tenant:
    """A customer as Redis knows them, with one credit and an agent on a number."""
    tenant = Tenant()
    await tenant.publish(redis, balance=1_000_000)
    return tenant


@pytest.fixture
async def owner(use_cases: UseCases) -> Principal:
    """A customer."""
    return await new_principal(use_cases, "Owner")


@pytest.fixture
async def stranger(use_cases: UseCases) -> Principal:
    """Another customer, who must never see what the first one has."""
    return await new_principal(use_cases, "Stranger")
