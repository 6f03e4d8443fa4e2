"""The composition root: settings in, every client and use case out, each built once."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from openai import AsyncOpenAI
from pydantic import SecretStr

from dispatch.access.audit import AuditLog
from dispatch.access.authentication import Authentication
from dispatch.access.idempotency import Idempotency
from dispatch.access.key_set import KeySet
from dispatch.access.keys import Keys
from dispatch.access.members import Members
from dispatch.access.rate_limits import RateLimits
from dispatch.access.settings import AccessSettings
from dispatch.access.tokens import TokenVerifier
from dispatch.access.versions import AccessVersions
from dispatch.agents import Agents
from dispatch.balances import Balances
from dispatch.byoc_numbers import ByocNumbers
from dispatch.call_records import CallRecords
from dispatch.carrier_connections import CarrierConnections
from dispatch.chat.agent_tools import AgentTools
from dispatch.chat.charging import ChatCharges
from dispatch.chat.models import ChatModels
from dispatch.chat.sessions import ChatSessions
from dispatch.chat.turns import ChatTurns
from dispatch.commands import CallCommands
from dispatch.credits import Credits
from dispatch.explain import Explain
from dispatch.knowledge.bases import KnowledgeBases
from dispatch.knowledge.charging import EmbeddingCharges
from dispatch.knowledge.documents import Documents
from dispatch.knowledge.embedding import Embedder
from dispatch.knowledge.search import KnowledgeSearch
from dispatch.live_calls import LiveCalls
from dispatch.number_behaviours import NumberBehaviours
from dispatch.outbound.requests import OutboundCalls
from dispatch.phone_numbers import PhoneNumbers
from dispatch.room_events import RoomEventsHandler
from dispatch.room_sessions import RoomSessions
from dispatch.rooms import Rooms
from dispatch.routes import Routes
from dispatch.secrets.call_secrets import CallSecrets
from dispatch.secrets.envelope import KeyRing
from dispatch.secrets.vault import Secrets
from dispatch.settings import DispatchSettings
from dispatch.store.conversation_leases import ConversationLeases
from dispatch.store.credential_cache import CredentialCache
from dispatch.store.engine import Database
from dispatch.store.loop_signals import LoopSignals
from dispatch.store.redis_client import RedisClient, connect_redis
from dispatch.store.request_claims import RequestClaims
from dispatch.tenants import Tenants
from dispatch.terminations import Terminations
from dispatch.tools.addresses import AllowedHosts
from dispatch.tools.catalogue import Tools
from dispatch.tools.model_servers import model_server_client
from dispatch.tools.runner import HttpToolRunner
from dispatch.usage.quotas import Quotas
from dispatch.usage.usage import Usage
from dispatch.voice_sessions import VoiceSessions
from dispatch.workers import WorkerPresence
from gateway.readiness import Readiness
from gateway.services import Services
from gateway.session_tokens import SessionTokens
from gateway.settings import GatewaySettings
from telephony.adapters.livekit_client import LiveKitClient
from telephony.adapters.livekit_events import LiveKitRoomEvents
from telephony.adapters.livekit_rooms import LiveKitRooms
from telephony.adapters.livekit_sip import LiveKitTrunks
from telephony.ports import RoomControl, RoomEvents, TrunkRegistry
from telephony.settings import LiveKitSettings


@dataclass(frozen=True, slots=True)
class Clients:
    """What leads out of the process, open."""

    database: Database
    redis: RedisClient
    rooms: RoomControl
    trunks: TrunkRegistry
    room_events: RoomEvents
    models: AsyncOpenAI


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
        allowed = AllowedHosts(dispatch_settings.dialplane_tool_allowed_hosts)
        async with (
            LiveKitClient(livekit_settings) as livekit,
            model_server_client(allowed) as models,
        ):
            clients = Clients(
                database=database,
                redis=redis,
                rooms=LiveKitRooms(livekit),
                trunks=LiveKitTrunks(livekit),
                room_events=LiveKitRoomEvents(
                    livekit_settings.livekit_api_key,
                    livekit_settings.livekit_api_secret.get_secret_value(),
                ),
                models=models,
            )
            livekit_url = settings.public_livekit_url or livekit_settings.livekit_url
            services = build_services(settings, dispatch_settings, clients, livekit_url=livekit_url)
            try:
                yield services
            finally:
                await services.chat_turns.aclose()
    finally:
        await redis.aclose()
        await database.aclose()


def build_services(
    settings: GatewaySettings,
    dispatch_settings: DispatchSettings,
    clients: Clients,
    *,
    livekit_url: str,
) -> Services:
    """Build the use cases over clients that are open; tests hand in their own edges here."""
    database, redis, rooms = clients.database, clients.redis, clients.rooms
    routes = Routes(redis)
    signals = LoopSignals(redis)
    workers = WorkerPresence(redis)
    balances = Balances(redis)
    pepper = dispatch_settings.dialplane_key_pepper
    credentials = CredentialCache(redis)
    versions = AccessVersions(credentials)
    tenants = Tenants(database, versions, balances, settings.access.default_plan)
    voice_sessions = VoiceSessions(redis, rooms, dispatch_settings)
    keys = KeyRing.parse(dispatch_settings.dialplane_secrets_keys.get_secret_value())
    call_secrets = CallSecrets(redis, keys)
    allowed_hosts = AllowedHosts(dispatch_settings.dialplane_tool_allowed_hosts)
    usage = Usage(database, redis, dispatch_settings)
    embedding_charges = EmbeddingCharges(database, usage)
    knowledge_search = KnowledgeSearch(
        database, Embedder(call_secrets, clients.models), embedding_charges
    )
    chat_charges = ChatCharges(usage, balances, dispatch_settings.operation_block_microcredits)
    default_addresses = [str(network) for network in settings.dialplane_default_allowed_addresses]
    phone_numbers = PhoneNumbers(
        database, routes, signals, default_allowed_addresses=default_addresses
    )
    return Services(
        settings=settings,
        tools=Tools(database, routes, allowed_hosts),
        secrets=Secrets(database, call_secrets, keys),
        livekit_url=livekit_url,
        authentication=_authentication(database, credentials, pepper, tenants, settings.access),
        idempotency=Idempotency(RequestClaims(redis), pepper),
        tenants=tenants,
        api_keys=Keys(database, versions, pepper),
        members=Members(database, versions),
        audit_log=AuditLog(database),
        rate_limits=RateLimits(credentials),
        credits=Credits(database, balances),
        agents=Agents(database, routes),
        carrier_connections=CarrierConnections(database, keys),
        terminations=Terminations(database, routes, keys),
        phone_numbers=phone_numbers,
        byoc_numbers=ByocNumbers(database, keys, phone_numbers, default_addresses),
        number_behaviours=NumberBehaviours(database, routes, dispatch_settings),
        explain=Explain(database, redis, clients.trunks, dispatch_settings),
        voice_sessions=voice_sessions,
        rooms=Rooms(database, rooms, voice_sessions),
        room_sessions=RoomSessions(database),
        chat_sessions=ChatSessions(database, chat_charges),
        chat_turns=ChatTurns(
            database,
            ConversationLeases(redis),
            chat_charges,
            ChatModels(call_secrets, clients.models),
            AgentTools(
                database,
                HttpToolRunner(allowed_hosts),
                call_secrets,
                knowledge_search,
                embedding_charges,
            ),
        ),
        session_tokens=SessionTokens.of_settings(
            settings.dialplane_session_token_key, dispatch_settings.dialplane_key_pepper
        ),
        call_records=CallRecords(database),
        outbound_calls=OutboundCalls(database, redis, rooms, dispatch_settings),
        call_commands=CallCommands(redis, CallRecords(database), keys),
        usage=usage,
        quotas=Quotas(database, redis, dispatch_settings),
        room_events=clients.room_events,
        room_events_handler=RoomEventsHandler(LiveCalls(redis, dispatch_settings), rooms),
        knowledge_bases=KnowledgeBases(database),
        documents=Documents(database, signals),
        knowledge_search=knowledge_search,
        readiness=Readiness(
            redis=redis, database=database, rooms=rooms, signals=signals, workers=workers
        ),
    )


def _authentication(
    database: Database,
    credentials: CredentialCache,
    pepper: SecretStr,
    tenants: Tenants,
    settings: AccessSettings,
) -> Authentication:
    tokens = None
    if settings.jwt_jwks:
        tokens = TokenVerifier(settings, KeySet(settings.jwt_jwks))
    welcomes = settings.jwt_unknown_organization == "create"
    return Authentication(
        database, credentials, pepper, tokens, tenants.welcome if welcomes else None
    )
