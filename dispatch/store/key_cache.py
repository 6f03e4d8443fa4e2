"""API keys seen lately, so that a request need not ask Postgres who it is from."""

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from pydantic import TypeAdapter

from dispatch.accounts import Principal
from dispatch.store import redis_keys
from dispatch.store.redis_client import RedisClient, translate_redis_errors

LIFE_S: Final = 60
"""How long an answer of Postgres is believed."""


@dataclass(frozen=True, slots=True)
class CachedKey:
    """The owner of a key that was not revoked when it was looked up."""

    organization_id: uuid.UUID
    project_id: uuid.UUID
    key_id: uuid.UUID
    name: str
    expires_at: datetime | None
    revoked: bool = False

    def principal_at(self, now: datetime) -> Principal | None:
        """Return the owner, or None once the key is revoked or has expired."""
        if self.revoked or (self.expires_at is not None and self.expires_at <= now):
            return None
        return Principal(self.organization_id, self.project_id, self.key_id, self.name)


_CACHED_KEY = TypeAdapter(CachedKey)
_REVOKED = CachedKey(uuid.UUID(int=0), uuid.UUID(int=0), uuid.UUID(int=0), "", None, revoked=True)


class KeyCache:
    """Keys by their hash. Every method raises `StoreUnavailable` when Redis does not answer."""

    def __init__(self, redis: RedisClient) -> None:
        self._redis = redis

    async def find(self, key_hash: str) -> CachedKey | None:
        """Return what is known of a key; None when nothing is."""
        with translate_redis_errors():
            text = await self._redis.get(redis_keys.api_key(key_hash))
        return None if text is None else _CACHED_KEY.validate_json(text)

    async def remember(self, key_hash: str, key: CachedKey) -> None:
        """Keep what Postgres said, unless the key was refused since it was asked."""
        with translate_redis_errors():
            await self._redis.set(
                redis_keys.api_key(key_hash), _CACHED_KEY.dump_json(key), ex=LIFE_S, nx=True
            )

    async def refuse(self, key_hash: str) -> None:
        """Refuse a revoked key from now on.

        Deleting the entry would not do: a lookup that read Postgres before the revocation could
        write the old answer back. The refusal stands until every such lookup is long over.
        """
        with translate_redis_errors():
            await self._redis.set(
                redis_keys.api_key(key_hash), _CACHED_KEY.dump_json(_REVOKED), ex=LIFE_S
            )
