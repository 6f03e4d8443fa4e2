"""Opens a call from a browser: checks it, names it, makes its room and hands out a token."""

import json
import logging
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from dispatch.agent_profile import AgentProfile
from dispatch.calls import Arrival, CallEnd
from dispatch.errors import (
    AgentNotVoiceReady,
    CapacityReached,
    InsufficientCredits,
    NotFound,
    RoomUnavailable,
)
from dispatch.settings import DispatchSettings
from dispatch.store.live_call_store import LiveCallStore, OpenedCall
from dispatch.store.redis_client import RedisClient
from telephony.calls import CallDirection, CallKind, EndedBy, EndReason
from telephony.errors import VendorError
from telephony.ports import RoomControl, RoomSpec, TokenSpec

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SessionOwner:
    """On whose behalf a voice session is opened (what authentication found)."""

    organization_id: uuid.UUID
    project_id: uuid.UUID


@dataclass(frozen=True, slots=True)
class SessionGrants:
    """What the web caller's token allows in its room."""

    can_publish: bool = True
    can_subscribe: bool = True
    can_publish_data: bool = False


@dataclass(frozen=True, slots=True)
class VoiceSession:
    """A web session as the worker finds it by its room."""

    session_id: str
    """`vs_` and 32 hex digits."""
    call_id: uuid.UUID
    room_name: str
    caller_identity: str
    agent_id: uuid.UUID
    organization_id: uuid.UUID
    project_id: uuid.UUID
    metadata: dict[str, Any]
    created_at: datetime

    def to_arrival(self) -> Arrival:
        """Return the session as a call that asks to be admitted."""
        return Arrival(
            call_id=self.call_id,
            kind=CallKind.WEB,
            direction=CallDirection.INBOUND,
            room_name=self.room_name,
            caller_identity=self.caller_identity,
        )


@dataclass(frozen=True, slots=True)
class OpenedVoiceSession:
    """Everything a client needs to join."""

    session_id: str
    call_id: uuid.UUID
    room_name: str
    token: str
    agent: AgentProfile
    created_at: datetime


class VoiceSessions:
    """Voice sessions of web callers.

    Nothing is reserved when a session is opened: a page that is never spoken to must not hold a
    slot or credit. Opening only refuses what admission would refuse a moment later; the worker's
    admission decides.
    """

    def __init__(self, redis: RedisClient, rooms: RoomControl, settings: DispatchSettings) -> None:
        self._store = LiveCallStore(redis, settings)
        self._rooms = rooms
        self._worker_name = settings.dialplane_worker_name

    async def open(  # noqa: PLR0913 - each is a field of the public request
        self,
        principal: SessionOwner,
        agent_id: uuid.UUID,
        room_name: str,
        identity: str,
        *,
        metadata: dict[str, Any] | None = None,
        ttl: timedelta = timedelta(hours=1),
        grants: SessionGrants | None = None,
    ) -> OpenedVoiceSession:
        """Open a session: one Redis script, then one LiveKit request.

        Args:
            principal: Owner; anything with `organization_id` and `project_id`.
            agent_id: An agent of the owner's project.
            room_name: Name of the room to make; must not be in use.
            identity: The web caller's participant identity.
            metadata: JSON object kept with the call and given to the agent.
            ttl: Life of the token.
            grants: What the token allows.

        Raises:
            NotFound: No such agent in the owner's project.
            AgentNotVoiceReady: The agent is inactive or not for voice.
            InsufficientCredits: The balance does not cover a first block, or is unknown.
            CapacityReached: No slot is free.
            RoomUnavailable: LiveKit did not make the room; the call is recorded as missed.
            StoreUnavailable: Redis could not be reached.
        """
        raise NotImplementedError

    async def find(self, room_name: str) -> VoiceSession | None:
        """Return the session that lives in this room, or None.

        Raises:
            StoreUnavailable: Redis could not be reached.
        """
        raise NotImplementedError
