"""The composition root of a job: everything one call needs from outside, opened and closed."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from dispatch.live_calls import LiveCalls
from dispatch.secrets.call_secrets import CallSecrets
from dispatch.secrets.envelope import KeyRing
from dispatch.settings import DispatchSettings
from dispatch.store.redis_client import connect_redis
from dispatch.voice_sessions import VoiceSessions
from telephony.adapters.livekit_client import LiveKitClient
from telephony.adapters.livekit_rooms import LiveKitRooms
from telephony.ports import RoomControl
from telephony.settings import LiveKitSettings
from worker.settings import WorkerSettings


@dataclass(frozen=True, slots=True)
class JobServices:
    """What a job talks to."""

    worker_settings: WorkerSettings
    dispatch_settings: DispatchSettings
    live_calls: LiveCalls
    voice_sessions: VoiceSessions
    rooms: RoomControl
    secrets: CallSecrets


@asynccontextmanager
async def open_services() -> AsyncIterator[JobServices]:
    """Open what one job needs; nothing is connected before it is first used.

    Raises:
        ValidationError: The environment lacks a setting or holds a wrong one.
    """
    dispatch_settings = DispatchSettings()
    redis = connect_redis(dispatch_settings.redis_url.get_secret_value(), max_connections=8)
    keys = KeyRing.parse(dispatch_settings.dialplane_secrets_keys.get_secret_value())
    try:
        async with LiveKitClient(LiveKitSettings()) as client:
            rooms = LiveKitRooms(client)
            yield JobServices(
                worker_settings=WorkerSettings(),
                dispatch_settings=dispatch_settings,
                live_calls=LiveCalls(redis, dispatch_settings),
                voice_sessions=VoiceSessions(redis, rooms, dispatch_settings),
                rooms=rooms,
                secrets=CallSecrets(redis, keys),
            )
    finally:
        await redis.aclose()
