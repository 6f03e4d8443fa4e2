"""The composition root of `python -m dispatch`: settings in, running loops out."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from dispatch.balances import Balances
from dispatch.chat.charging import ChatCharges
from dispatch.chat.sessions import ChatSessions
from dispatch.event_drain import EventDrain
from dispatch.knowledge.charging import EmbeddingCharges
from dispatch.knowledge.documents import INGESTION_LOOP
from dispatch.knowledge.embedding import Embedder
from dispatch.knowledge.ingestion import Ingestion
from dispatch.live_calls import LiveCalls
from dispatch.loops import Loop
from dispatch.outbound.dispatcher import OUTBOUND_LOOP, OutboundDispatcher
from dispatch.projection import Projection
from dispatch.provisioning import Provisioning
from dispatch.reaper import Reaper
from dispatch.reconciliation import Reconciliation
from dispatch.routes import Routes
from dispatch.secrets.call_secrets import CallSecrets
from dispatch.secrets.envelope import KeyRing
from dispatch.secrets.rotation import Rotation
from dispatch.settings import DispatchSettings
from dispatch.store.engine import Database
from dispatch.store.loop_lock import LoopLock
from dispatch.store.loop_signals import LoopSignals
from dispatch.store.publications import Publications
from dispatch.store.redis_client import RedisClient, connect_redis
from dispatch.tools.addresses import AllowedHosts
from dispatch.tools.model_servers import model_server_client
from dispatch.unanswered import UnansweredCalls
from dispatch.usage.upkeep import ReservationUpkeep
from dispatch.usage.usage import Usage
from dispatch.workers import WorkerPresence
from telephony.adapters.livekit_client import LiveKitClient
from telephony.adapters.livekit_rooms import LiveKitRooms
from telephony.adapters.livekit_sip import LiveKitTrunks
from telephony.ports import RoomControl, TrunkRegistry
from telephony.settings import LiveKitSettings

_AT_ONCE: Final = timedelta(0)
"""The drain waits for events by itself."""

_LOCKED: Final = (
    "convergence",
    "drain",
    "projection",
    "reconciliation",
    "reservations",
    "chats",
    OUTBOUND_LOOP,
    INGESTION_LOOP,
)
"""Loops that one process runs at a time: these change what is elsewhere in a certain order."""

_TRUNK_TIMEOUT: Final = timedelta(seconds=120)
"""LiveKit compares a new trunk with every number it holds: measured 0.6 s more for each full
shard that is there already, on a busy 2-core machine, and 100 shards are 100,000 numbers."""

_MAY_TAKE: Final = {"convergence": timedelta(minutes=30), "projection": timedelta(minutes=10)}
"""Runs that are long where numbers are many: one new trunk beside fifty takes half a minute."""

_UNANSWERED_INTERVAL: Final = timedelta(seconds=1)
"""How soon a call is tried after a worker became free."""

_PROJECTION_INTERVAL: Final = timedelta(seconds=2)
"""Use cases publish by themselves; this only repairs what they could not."""

_INGESTION_INTERVAL: Final = timedelta(seconds=1)
"""A run only starts what is due and looks what became of it."""

_OUTBOUND_INTERVAL: Final = timedelta(milliseconds=500)
"""How soon a call begins for which there was no room; a new one wakes the loop."""

_CHAT_INTERVAL: Final = timedelta(seconds=10)
"""Chats that fell silent are refused at once; this only writes down that they are over."""

_RECONCILIATION_INTERVAL: Final = timedelta(seconds=10)
"""Seldom, for it repairs only what a Redis that lost data left; often enough to count as alive."""


@dataclass(frozen=True, slots=True)
class Dispatch:
    """What `dispatch` runs."""

    loops: list[Loop]
    signals: LoopSignals


@asynccontextmanager
async def open_rotation(settings: DispatchSettings) -> AsyncIterator[Rotation]:
    """Open what the rotation of secrets needs, and close it at the end."""
    database = Database(
        settings.database_url.get_secret_value(),
        pool_size=1,
        application_name="dialplane-rotation",
    )
    redis = connect_redis(settings.redis_url.get_secret_value(), max_connections=2)
    keys = KeyRing.parse(settings.dialplane_secrets_keys.get_secret_value())
    try:
        yield Rotation(database, CallSecrets(redis, keys), Routes(redis), keys)
    finally:
        await redis.aclose()
        await database.aclose()


@asynccontextmanager
async def open_dispatch(
    settings: DispatchSettings, livekit_settings: LiveKitSettings
) -> AsyncIterator[Dispatch]:
    """Open every client, build the loops over them, and close the clients at the end."""
    database_url = settings.database_url.get_secret_value()
    database = Database(database_url, pool_size=5, application_name="dialplane-dispatch")
    redis = connect_redis(settings.redis_url.get_secret_value())
    async with AsyncExitStack() as opened:
        opened.push_async_callback(database.aclose)
        opened.push_async_callback(redis.aclose)
        patient = livekit_settings.model_copy(update={"livekit_timeout": _TRUNK_TIMEOUT})
        patient_livekit = await opened.enter_async_context(LiveKitClient(patient))
        livekit = await opened.enter_async_context(LiveKitClient(livekit_settings))
        locks = {
            name: await opened.enter_async_context(
                LoopLock(database_url, f"{settings.dialplane_installation}:{name}")
            )
            for name in _LOCKED
        }
        allowed = AllowedHosts(settings.dialplane_tool_allowed_hosts)
        model_client = await opened.enter_async_context(model_server_client(allowed))
        keys = KeyRing.parse(settings.dialplane_secrets_keys.get_secret_value())
        ingestion = Ingestion(database, Embedder(CallSecrets(redis, keys), model_client))
        opened.push_async_callback(ingestion.aclose)
        yield build_dispatch(
            settings,
            database=database,
            redis=redis,
            trunks=LiveKitTrunks(patient_livekit),
            rooms=LiveKitRooms(livekit),
            locks=locks,
            ingestion=ingestion,
        )


def build_dispatch(
    settings: DispatchSettings,
    *,
    database: Database,
    redis: RedisClient,
    trunks: TrunkRegistry,
    rooms: RoomControl,
    locks: dict[str, LoopLock],
    ingestion: Ingestion,
) -> Dispatch:
    """Build the loops over clients that are open; tests hand in their own edges here.

    Two loops take no lock, because they are needed while Postgres is away, too: the reaper (a call
    is ended once, whoever does it) and the unanswered calls (one job at most gets the call). The
    charges of embeddings need none: each happens once by its id.
    """
    signals = LoopSignals(redis)
    live_calls = LiveCalls(redis, settings)
    reaper = Reaper(live_calls, rooms)
    unanswered = UnansweredCalls(
        live_calls, WorkerPresence(redis), rooms, settings.dialplane_worker_name
    )
    reconciliation = Reconciliation(live_calls, redis, database, rooms)
    upkeep = ReservationUpkeep(redis, database)
    drain = EventDrain(redis, database)
    usage = Usage(database, redis, settings)
    charges = ChatCharges(usage, Balances(redis), settings.operation_block_microcredits)
    embedding_charges = EmbeddingCharges(database, usage)
    chats = ChatSessions(database, charges)
    keys = KeyRing.parse(settings.dialplane_secrets_keys.get_secret_value())
    projection = Projection(
        database, Publications(redis), Routes(redis), Balances(redis), CallSecrets(redis, keys)
    )
    outbound = OutboundDispatcher(database, redis, rooms, settings)
    provisioning = Provisioning(database, trunks, settings, keys)
    return Dispatch(
        loops=[
            Loop(name, work, interval, locks.get(name), _MAY_TAKE.get(name, timedelta(0)))
            for name, work, interval in (
                ("convergence", provisioning.run_once, settings.converge_interval),
                ("drain", drain.run_once, _AT_ONCE),
                ("reaper", reaper.run_once, settings.reap_interval),
                ("unanswered", unanswered.run_once, _UNANSWERED_INTERVAL),
                ("projection", projection.run_once, _PROJECTION_INTERVAL),
                ("reconciliation", reconciliation.run_once, _RECONCILIATION_INTERVAL),
                (INGESTION_LOOP, ingestion.run_once, _INGESTION_INTERVAL),
                (OUTBOUND_LOOP, outbound.run_once, _OUTBOUND_INTERVAL),
                ("chats", chats.run_once, _CHAT_INTERVAL),
                ("reservations", upkeep.run_once, _RECONCILIATION_INTERVAL),
                ("embeddings", embedding_charges.run_once, _CHAT_INTERVAL),
            )
        ],
        signals=signals,
    )
