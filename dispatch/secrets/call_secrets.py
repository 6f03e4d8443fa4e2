"""Secrets where calls read them: sealed copies in Redis, opened in the process that needs them."""

import uuid

from pydantic import TypeAdapter

from dispatch.sealed import ProjectSecrets
from dispatch.secrets.envelope import KeyRing
from dispatch.secrets.values import from_bytes, purpose_of
from dispatch.store import redis_keys
from dispatch.store.publications import Publications
from dispatch.store.redis_client import RedisClient, translate_redis_errors

_COPY = TypeAdapter(ProjectSecrets)


async def kept_names(redis: RedisClient, project_id: uuid.UUID) -> frozenset[str]:
    """Return under which names a project keeps secrets, as calls would find them.

    Raises:
        StoreUnavailable: Redis did not answer.
    """
    with translate_redis_errors():
        text = await redis.get(redis_keys.secrets(project_id))
    if text is None:
        return frozenset()
    return frozenset(secret.provider for secret in _COPY.validate_json(text).secrets)


class CallSecrets:
    """What a call needs of its project's secrets; no Postgres is needed to read them.

    Args:
        redis: Where the sealed copies are.
        keys: The installation's keys.
    """

    def __init__(self, redis: RedisClient, keys: KeyRing) -> None:
        self._redis = redis
        self._publications = Publications(redis)
        self._keys = keys

    async def for_call(self, project_id: uuid.UUID, provider: str) -> dict[str, str]:
        """Return a project's values for a provider by name, empty when it keeps none.

        Raises:
            StoreUnavailable: Redis did not answer.
            SecretUnreadable: The values do not open with the keys of this process.
        """
        with translate_redis_errors():
            text = await self._redis.get(redis_keys.secrets(project_id))
        if text is None:
            return {}
        copy = _COPY.validate_json(text)
        for secret in copy.secrets:
            if secret.provider == provider:
                data_key = self._keys.open_data_key(project_id, copy.data_key)
                return from_bytes(data_key.open(purpose_of(provider), secret.sealed))
        return {}

    async def publish(self, project_id: uuid.UUID, secrets: ProjectSecrets) -> None:
        """Make calls use these secrets from now on, all at once, unless later ones are there.

        Raises:
            StoreUnavailable: Redis did not answer.
        """
        await self._publications.publish_text(
            redis_keys.secrets(project_id), secrets.revision, _COPY.dump_json(secrets)
        )
