"""The composition root: settings in, every client and use case out, each built once."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from dispatch.agents import Agents
from dispatch.balances import Balances
from dispatch.call_records import CallRecords
from dispatch.carrier_connections import CarrierConnections
from dispatch.credits import Credits
from dispatch.explain import Explain
from dispatch.live_calls import LiveCalls
from dispatch.phone_numbers import PhoneNumbers
from dispatch.room_events import RoomEventsHandler
from dispatch.room_sessions import RoomSessions
from dispatch.rooms import Rooms
from dispatch.routes import Routes
from dispatch.secrets.call_secrets import CallSecrets
from dispatch.secrets.envelope import KeyRing
from dispatch.secrets.vault import Secrets
from dispatch.settings import DispatchSettings
from dispatch.store.engine import Database
from dispatch.store.key_cache import KeyCache
from dispatch.store.loop_signals import LoopSignals
from dispatch.store.redis_client import RedisClient, connect_redis
from dispatch.tenants import Tenants
from dispatch.voice_sessions import VoiceSessions
from dispatch.workers import WorkerPresence
from gateway.readiness import Readiness
from gateway.services import Services
from gateway.settings import GatewaySettings
from telephony.adapters.livekit_client import LiveKitClient
from telephony.adapters.livekit_events import LiveKitRoomEvents
from telephony.adapters.livekit_rooms import LiveKitRooms
from telephony.adapters.livekit_sip import LiveKitTrunks
from telephony.ports import RoomControl, RoomEvents, TrunkRegistry
from telephony.settings import LiveKitSettings


@asynccontextmanager
async def open_services(
    settings: GatewaySettings,
    dispatch_settings: DispatchSettings,
    livekit_settings: LiveKitSettings,
) -> AsyncIterator[Services]:
    """Open every client, build the use cases over them, and close the clients at the end."""
    database = Database(
        dispatch_settings.database_url.get_secret_value(), application_name="dialplane-gateway"
    )
    redis = connect_redis(dispatch_settings.redis_url.get_secret_value())
    try:
        async with LiveKitClient(livekit_settings) as livekit:
            yield build_services(
                settings,
                dispatch_settings,
                livekit_url=settings.public_livekit_url or livekit_settings.livekit_url,
                database=database,
                redis=redis,
                rooms=LiveKitRooms(livekit),
                trunks=LiveKitTrunks(livekit),
                room_events=LiveKitRoomEvents(
                    livekit_settings.livekit_api_key,
                    livekit_settings.livekit_api_secret.get_secret_value(),
                ),
            )
    finally:
        await redis.aclose()
        await database.aclose()


def build_services(
    settings: GatewaySettings,
    dispatch_settings: DispatchSettings,
    *,
    livekit_url: str,
    database: Database,
    redis: RedisClient,
    rooms: RoomControl,
    trunks: TrunkRegistry,
    room_events: RoomEvents,
) -> Services:
    """Build the use cases over clients that are open; tests hand in their own edges here."""
    routes = Routes(redis)
    signals = LoopSignals(redis)
    workers = WorkerPresence(redis)
    balances = Balances(redis)
    voice_sessions = VoiceSessions(redis, rooms, dispatch_settings)
    keys = KeyRing.parse(dispatch_settings.dialplane_secrets_keys.get_secret_value())
    return Services(
        settings=settings,
        secrets=Secrets(database, CallSecrets(redis, keys), keys),
        livekit_url=livekit_url,
        tenants=Tenants(
            database, KeyCache(redis), balances, dispatch_settings.dialplane_key_pepper
        ),
        credits=Credits(database, balances),
        agents=Agents(database, routes),
        carrier_connections=CarrierConnections(database, keys),
        phone_numbers=PhoneNumbers(
            database,
            routes,
            signals,
            default_allowed_addresses=[
                str(network) for network in settings.dialplane_default_allowed_addresses
            ],
        ),
        explain=Explain(database, redis, trunks, dispatch_settings),
        voice_sessions=voice_sessions,
        rooms=Rooms(database, rooms, voice_sessions),
        room_sessions=RoomSessions(database),
        call_records=CallRecords(database),
        room_events=room_events,
        room_events_handler=RoomEventsHandler(LiveCalls(redis, dispatch_settings)),
        readiness=Readiness(
            redis=redis, database=database, rooms=rooms, signals=signals, workers=workers
        ),
    )
