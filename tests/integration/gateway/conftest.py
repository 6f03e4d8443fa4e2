"""The gateway over stores that live, and over stores that do not."""

from collections.abc import AsyncIterator

import pytest

from dispatch.settings import DispatchSettings
from dispatch.store.engine import Database
from dispatch.store.redis_client import RedisClient, connect_redis
from tests.builders.installation_keys import KEYS_TEXT
from tests.integration.gateway.serving import Gateway, serving


@pytest.fixture
def dispatch_settings(clean_postgres: str, redis_url: str) -> DispatchSettings:
    """Settings that name the stores of the tests."""
    return DispatchSettings(
        database_url=clean_postgres,
        redis_url=redis_url,
        dialplane_key_pepper="pepper-of-the-tests",
        dialplane_secrets_keys=KEYS_TEXT,
    )


@pytest.fixture
async def gateway(
    database: Database, redis: RedisClient, redis_url: str, dispatch_settings: DispatchSettings
) -> AsyncIterator[Gateway]:
    """A gateway over empty stores."""
    connected = connect_redis(redis_url)
    async with serving(database, connected, dispatch_settings) as gateway:
        yield gateway
    await connected.aclose()


@pytest.fixture
async def gateway_without_redis(
    database: Database, dispatch_settings: DispatchSettings
) -> AsyncIterator[Gateway]:
    """A gateway whose Redis is down."""
    nowhere = connect_redis("redis://127.0.0.1:1/0")
    async with serving(database, nowhere, dispatch_settings) as gateway:
        yield gateway
    await nowhere.aclose()


@pytest.fixture
async def gateway_without_postgres(
    redis: RedisClient, redis_url: str, dispatch_settings: DispatchSettings
) -> AsyncIterator[Gateway]:
    """A gateway whose Postgres is down."""
    nowhere = Database("postgresql+psycopg://nobody@127.0.0.1:1/nothing")
    connected = connect_redis(redis_url)
    async with serving(nowhere, connected, dispatch_settings) as gateway:
        yield gateway
    await connected.aclose()
    await nowhere.aclose()
