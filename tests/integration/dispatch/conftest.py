"""Two customers, and the use cases over a real Postgres and a real Redis."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from pydantic import SecretStr

from dispatch.accounts import Principal
from dispatch.agents import Agents
from dispatch.balances import Balances
from dispatch.carrier_connections import CarrierConnections
from dispatch.credits import Credits
from dispatch.phone_numbers import PhoneNumbers
from dispatch.projection import Projection
from dispatch.routes import Routes
from dispatch.secrets.call_secrets import CallSecrets
from dispatch.store.engine import Database
from dispatch.store.key_cache import KeyCache
from dispatch.store.loop_signals import LoopSignals
from dispatch.store.redis_client import RedisClient
from dispatch.tenants import Tenants
from tests.builders.installation_keys import KEYS

PEPPER = SecretStr("pepper-of-the-tests")


@dataclass(frozen=True)
class UseCases:
    """The use cases of one process."""

    tenants: Tenants
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
        return UseCases(
            tenants=Tenants(database, KeyCache(redis), balances, PEPPER),
            credits=Credits(database, balances),
            agents=Agents(database, routes),
            numbers=PhoneNumbers(database, routes, signals, ["127.0.0.0/8"]),
            connections=CarrierConnections(database, KEYS),
            projection=Projection(database, routes, balances, CallSecrets(redis, KEYS)),
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


async def new_principal(tenants: Tenants, name: str) -> Principal:
    """Create a customer with one project and one key, and return who holds the key."""
    organization = await tenants.create_organization(name)
    project = await tenants.create_project(organization.id, f"{name}'s project")
    _, key = await tenants.create_key(project.id, name="first key")
    principal = await tenants.authenticate(key)
    assert principal is not None
    return principal


@pytest.fixture
async def owner(use_cases: UseCases) -> Principal:
    """A customer."""
    return await new_principal(use_cases.tenants, "Owner")


@pytest.fixture
async def stranger(use_cases: UseCases) -> Principal:
    """Another customer, who must never see what the first one has."""
    return await new_principal(use_cases.tenants, "Stranger")
