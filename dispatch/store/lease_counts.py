"""How many calls are on now, counted by the slots they hold."""

import uuid
from dataclasses import dataclass

from dispatch.store import redis_keys
from dispatch.store.redis_client import RedisClient, translate_redis_errors
from telephony.e164 import E164


@dataclass(frozen=True, slots=True)
class LeaseCount:
    """Calls at once, seen from one number."""

    installation: int
    organization: int
    number: int


async def count_leases(redis: RedisClient, organization_id: uuid.UUID, did: E164) -> LeaseCount:
    """Return how many slots are held now in the installation, the organisation and the number.

    Raises:
        StoreUnavailable: Redis did not answer.
    """
    keys = (
        redis_keys.CALLS_LIVE,
        redis_keys.leases_organization(organization_id),
        redis_keys.leases_number(did),
    )
    with translate_redis_errors():
        alive_from = await _alive_from(redis)
        async with redis.pipeline(transaction=False) as pipe:
            for key in keys:
                pipe.zcount(key, alive_from, "+inf")
            return LeaseCount(*await pipe.execute())


async def count_organization_leases(redis: RedisClient, organization_id: uuid.UUID) -> int:
    """Return how many slots an organisation holds now.

    Raises:
        StoreUnavailable: Redis did not answer.
    """
    key = redis_keys.leases_organization(organization_id)
    with translate_redis_errors():
        return int(await redis.zcount(key, await _alive_from(redis), "+inf"))


async def _alive_from(redis: RedisClient) -> str:
    seconds, microseconds = await redis.time()
    # A slot whose heartbeat stopped is free again, whether or not somebody swept it yet.
    return f"({seconds * 1000 + microseconds // 1000}"
