"""The beginning of outbound calls in Redis."""

from typing import Literal

import orjson
from pydantic import TypeAdapter

from dispatch.calls import Arrival
from dispatch.outbound_call import CarrierLimits, OutboundCall, PlacedCall
from dispatch.settings import DispatchSettings
from dispatch.store import redis_keys
from dispatch.store.live_call_store import SESSION_KEEP_S, arrival_args
from dispatch.store.lua_scripts import LuaScripts
from dispatch.store.redis_client import RedisClient, translate_redis_errors

_PLACED = TypeAdapter(PlacedCall)

Begun = Literal["begun", "over", "wait"]


class OutboundStore:
    """All methods raise `StoreUnavailable` when Redis cannot be reached."""

    def __init__(self, redis: RedisClient, settings: DispatchSettings) -> None:
        self._redis = redis
        self._scripts = LuaScripts(redis)
        self._settings = settings

    async def begin(
        self, call: OutboundCall, arrival: Arrival, limits: CarrierLimits
    ) -> tuple[Begun, str]:
        """Run the begin-outbound script; what it answered, and what is waited for."""
        settings = self._settings
        call_id, text, room_name, _, own_number = arrival_args(arrival)
        placed = PlacedCall(
            call_id=call.id,
            connection_id=call.connection_id,
            room_name=room_name,
            from_number=call.from_number,
            to_number=call.to_number,
            ring_timeout_s=call.ring_timeout_s,
        )
        with translate_redis_errors():
            answer = await self._scripts.run(
                "begin_outbound",
                [],
                [
                    call_id,
                    text,
                    room_name,
                    own_number,
                    str(call.connection_id),
                    str(call.organization_id),
                    str(call.project_id),
                    str(call.agent_id),
                    orjson.dumps(call.metadata).decode(),
                    _PLACED.dump_json(placed).decode(),
                    SESSION_KEEP_S,
                    limits.calls_per_second,
                    limits.at_once,
                    settings.outbound_calls_per_second_per_organization,
                    settings.max_outbound_calls_per_organization,
                    settings.max_calls,
                    settings.max_calls_per_organization,
                    settings.max_calls_per_number,
                ],
            )
        return answer[0], answer[1] if len(answer) > 1 else ""

    async def find_placed(self, room_name: str) -> PlacedCall | None:
        """Return the call that is placed in this room, or None."""
        with translate_redis_errors():
            text = await self._redis.hget(redis_keys.voice_session(room_name), "placed")
        return None if text is None else _PLACED.validate_json(text)
