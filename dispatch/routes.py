"""Which agent answers which number, and where calls to carriers go: Redis instead of Postgres."""

import uuid

from pydantic import TypeAdapter

from dispatch.agent_profile import AgentProfile
from dispatch.numbers import ROUTE, Route
from dispatch.outbound_call import CarrierTrunk
from dispatch.store import redis_keys
from dispatch.store.publications import Publications
from dispatch.store.redis_client import RedisClient, translate_redis_errors
from telephony.e164 import E164

__all__ = ["Route", "Routes"]

_TRUNK = TypeAdapter(CarrierTrunk)


class Routes:
    """Routes and agent snapshots in Redis.

    They are copies: Postgres is written first, then published; a crash in between is repaired by
    the projection. A copy that comes late, with a smaller revision than another one, changes
    nothing. Every method raises `StoreUnavailable` when Redis cannot be reached.
    """

    def __init__(self, redis: RedisClient) -> None:
        self._redis = redis
        self._publications = Publications(redis)

    async def publish_route(self, did: E164, route: Route) -> None:
        """Make calls to this number follow the route, from the next call on."""
        await self._publications.publish_text(
            redis_keys.route(did), route.revision, ROUTE.dump_json(route)
        )

    async def withdraw_route(self, did: E164, revision: int) -> None:
        """Make the number unknown; a number already unknown is fine.

        Args:
            did: The number.
            revision: Of its deletion; likewise for an agent and a trunk.
        """
        await self._publications.withdraw(redis_keys.route(did), revision)

    async def get_route(self, did: E164) -> Route | None:
        """Return the number's route, or None when the number is unknown."""
        with translate_redis_errors():
            text = await self._redis.get(redis_keys.route(did))
        return None if text is None else ROUTE.validate_json(text)

    async def publish_agent(self, agent: AgentProfile) -> None:
        """Make new calls use this version of the agent; calls in progress keep theirs."""
        # Beside the JSON stand the few facts admission decides by, so that no script has to parse
        # a profile of many kilobytes for every call.
        await self._publications.publish_hash(
            redis_keys.agent(agent.agent_id),
            agent.revision,
            {
                "profile": agent.model_dump_json(),
                "ready": int(agent.is_voice_ready),
                "needed_secrets": " ".join(sorted(agent.needed_secrets)),
                "version": agent.version,
                "name": agent.name,
                "organization_id": str(agent.organization_id),
                "project_id": str(agent.project_id),
            },
        )

    async def withdraw_agent(self, agent_id: uuid.UUID, revision: int) -> None:
        """Make the agent unknown to new calls; an agent already unknown is fine."""
        await self._publications.withdraw(redis_keys.agent(agent_id), revision)

    async def get_agent(self, agent_id: uuid.UUID) -> AgentProfile | None:
        """Return the published snapshot, or None when there is none."""
        with translate_redis_errors():
            text = await self._redis.hget(redis_keys.agent(agent_id), "profile")
        return None if text is None else AgentProfile.model_validate_json(text)

    async def publish_trunk(self, trunk: CarrierTrunk) -> None:
        """Let calls on this connection go there from now on."""
        await self._publications.publish_text(
            redis_keys.trunk(trunk.connection_id), trunk.revision, _TRUNK.dump_json(trunk)
        )

    async def withdraw_trunk(self, connection_id: uuid.UUID, revision: int) -> None:
        """Let no more calls go out on this connection; one that takes none is fine."""
        await self._publications.withdraw(redis_keys.trunk(connection_id), revision)

    async def get_trunk(self, connection_id: uuid.UUID) -> CarrierTrunk | None:
        """Return where calls on this connection go; None when it only calls in."""
        with translate_redis_errors():
            text = await self._redis.get(redis_keys.trunk(connection_id))
        return None if text is None else _TRUNK.validate_json(text)
