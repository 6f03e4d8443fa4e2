"""Gateways that believe the tokens of an identity provider."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest

from dispatch.access.settings import AccessSettings
from dispatch.settings import DispatchSettings
from dispatch.store.engine import Database
from dispatch.store.redis_client import RedisClient
from tests.builders.identity_provider import AUDIENCE, ISSUER, rsa_jwk, write_key_set
from tests.integration.gateway.serving import Gateway, serving

GatewayWith = Callable[..., AbstractAsyncContextManager[Gateway]]


@pytest.fixture
def gateway_with(
    database: Database, redis: RedisClient, dispatch_settings: DispatchSettings, tmp_path: Path
) -> GatewayWith:
    """Serve a gateway with settings of access; its identity provider has the key `k1`."""
    path = write_key_set(tmp_path / "jwks.json", rsa_jwk("k1"))

    def with_settings(**settings: Any) -> AbstractAsyncContextManager[Gateway]:
        given = {"jwt_jwks": str(path), "jwt_issuer": ISSUER, "jwt_audience": AUDIENCE}
        access = AccessSettings(**(given | settings))
        return serving(database, redis, dispatch_settings, access)

    return with_settings


@pytest.fixture
async def office(gateway_with: GatewayWith) -> AsyncIterator[Gateway]:
    """A gateway where people sign in."""
    async with gateway_with() as gateway:
        yield gateway
