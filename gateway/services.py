"""Everything the routes may use, built once by `gateway.bootstrap`."""

from dataclasses import dataclass

from fastapi import Request

from dispatch.access.audit import AuditLog
from dispatch.access.authentication import Authentication
from dispatch.access.idempotency import Idempotency
from dispatch.access.keys import Keys
from dispatch.access.members import Members
from dispatch.access.rate_limits import RateLimits
from dispatch.agents import Agents
from dispatch.byoc_numbers import ByocNumbers
from dispatch.call_records import CallRecords
from dispatch.carrier_connections import CarrierConnections
from dispatch.chat.sessions import ChatSessions
from dispatch.chat.turns import ChatTurns
from dispatch.commands import CallCommands
from dispatch.credits import Credits
from dispatch.explain import Explain
from dispatch.knowledge.bases import KnowledgeBases
from dispatch.knowledge.documents import Documents
from dispatch.knowledge.search import KnowledgeSearch
from dispatch.number_behaviours import NumberBehaviours
from dispatch.outbound.requests import OutboundCalls
from dispatch.phone_numbers import PhoneNumbers
from dispatch.room_events import RoomEventsHandler
from dispatch.room_sessions import RoomSessions
from dispatch.rooms import Rooms
from dispatch.secrets.vault import Secrets
from dispatch.tenants import Tenants
from dispatch.terminations import Terminations
from dispatch.tools.catalogue import Tools
from dispatch.usage.quotas import Quotas
from dispatch.usage.usage import Usage
from dispatch.voice_sessions import VoiceSessions
from gateway.readiness import Readiness
from gateway.session_tokens import SessionTokens
from gateway.settings import GatewaySettings
from telephony.ports import RoomEvents


@dataclass(frozen=True, slots=True)
class Services:
    """The use cases and edges of one gateway process."""

    settings: GatewaySettings
    livekit_url: str
    """LiveKit's address as browsers reach it."""
    authentication: Authentication
    idempotency: Idempotency
    tenants: Tenants
    api_keys: Keys
    members: Members
    audit_log: AuditLog
    rate_limits: RateLimits
    secrets: Secrets
    tools: Tools
    credits: Credits
    agents: Agents
    carrier_connections: CarrierConnections
    terminations: Terminations
    phone_numbers: PhoneNumbers
    byoc_numbers: ByocNumbers
    number_behaviours: NumberBehaviours
    explain: Explain
    voice_sessions: VoiceSessions
    chat_sessions: ChatSessions
    chat_turns: ChatTurns
    session_tokens: SessionTokens
    call_records: CallRecords
    outbound_calls: OutboundCalls
    call_commands: CallCommands
    usage: Usage
    quotas: Quotas
    rooms: Rooms
    room_sessions: RoomSessions
    room_events: RoomEvents
    room_events_handler: RoomEventsHandler
    knowledge_bases: KnowledgeBases
    documents: Documents
    knowledge_search: KnowledgeSearch
    readiness: Readiness


def services_of(request: Request) -> Services:
    """Return the services of the application that serves this request."""
    services: Services = request.app.state.services
    return services
