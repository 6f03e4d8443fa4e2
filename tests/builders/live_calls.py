"""A tenant with a number and an agent, published in Redis, for tests of live calls."""

import json
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime

from dispatch.agent_profile import AgentProfile
from dispatch.balances import Balances
from dispatch.calls import Arrival, call_id_of_sip_room
from dispatch.live_calls import LiveCalls
from dispatch.routes import Route, Routes
from dispatch.settings import DispatchSettings
from dispatch.store import redis_keys
from dispatch.store.redis_client import RedisClient
from telephony.calls import CallDirection, CallKind
from telephony.e164 import E164
from tests.builders.installation_keys import KEYS_TEXT

DID = E164("+12015550100")


def settings(**changes: object) -> DispatchSettings:
    """Settings for tests; keyword arguments replace single values."""
    values = {
        "database_url": "unused",
        "redis_url": "unused",
        "dialplane_key_pepper": "pepper",
        "dialplane_secrets_keys": KEYS_TEXT,
    }
    return DispatchSettings.model_validate(values | changes)


@dataclass
class Tenant:
    """An organisation with one project, one agent and one number."""

    did: E164 = DID
    organization_id: uuid.UUID = field(default_factory=uuid.uuid4)
    project_id: uuid.UUID = field(default_factory=uuid.uuid4)
    agent_id: uuid.UUID = field(default_factory=uuid.uuid4)

    def agent(self, **changes: object) -> AgentProfile:
        """The tenant's agent; keyword arguments replace single fields."""
        now = datetime.now(UTC)
        values = {
            "name": "Reception",
            "agent_id": self.agent_id,
            "config_id": 1,
            "organization_id": self.organization_id,
            "project_id": self.project_id,
            "version": 3,
            "created_at": now,
            "updated_at": now,
        }
        return AgentProfile.model_validate(values | changes)

    def route(self, agent_id: uuid.UUID | None) -> Route:
        """The route of the tenant's number."""
        return Route(
            did=self.did,
            number_id=uuid.uuid4(),
            organization_id=self.organization_id,
            project_id=self.project_id,
            agent_id=agent_id,
            connection_id=uuid.uuid4(),
        )

    async def publish(self, redis: RedisClient, *, balance: int | None) -> None:
        """Publish route and agent, and set the balance unless it shall stay unknown."""
        routes = Routes(redis)
        await routes.publish_agent(self.agent())
        await routes.publish_route(self.did, self.route(self.agent_id))
        if balance is not None:
            await Balances(redis).restore(self.organization_id, balance)

    def arrival(self, room_name: str | None = None) -> Arrival:
        """A caller who rings the tenant's number."""
        room_name = room_name or f"call_{self.did}_{uuid.uuid4().hex[:12]}"
        return Arrival(
            call_id=call_id_of_sip_room(room_name),
            kind=CallKind.SIP,
            direction=CallDirection.INBOUND,
            room_name=room_name,
            caller_identity="sip_caller",
            did=self.did,
            caller_number="+12015550199",
            sip_call_id="SCL_1",
            carrier_call_id="abc@carrier",
        )


async def events_of(
    redis: RedisClient, call_id: uuid.UUID | None = None
) -> list[dict[str, object]]:
    """Every event in the stream (of one call), in order, its data merged into it."""
    entries = await redis.xrange(redis_keys.EVENTS)
    return [
        {"type": fields["type"], "seq": int(fields["seq"]), "call_id": fields["call_id"]}
        | json.loads(fields["data"])
        for _, fields in entries
        if call_id is None or fields["call_id"] == str(call_id)
    ]


async def types_of(redis: RedisClient, call_id: uuid.UUID) -> list[object]:
    """Types of a call's events, in order."""
    return [event["type"] for event in await events_of(redis, call_id)]


async def shift_clock(redis: RedisClient, call_id: uuid.UUID, seconds: float) -> None:
    """Make everything a live call remembers look so many seconds older."""
    key = redis_keys.call(call_id)
    for name in ("admitted_at_ms", "answered_at_ms", "seen_at_ms", "ringing_at_ms"):
        value = await redis.hget(key, name)
        if value is not None:
            await redis.hset(key, name, str(int(value) - round(seconds * 1000)))


async def lapse(redis: RedisClient, tenant: Tenant, call_id: uuid.UUID) -> None:
    """Make a call's heartbeat look missed."""
    for key in (
        redis_keys.CALLS_LIVE,
        redis_keys.leases_organization(tenant.organization_id),
        redis_keys.leases_number(tenant.did),
    ):
        await redis.zadd(key, {str(call_id): 1}, xx=True)


def live_calls(redis: RedisClient, **changes: object) -> LiveCalls:
    """Live calls under test settings."""
    return LiveCalls(redis, settings(**changes))
