"""Opens a call from a browser: checks it, names it, makes its room and hands out a token."""

import json
import logging
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from dispatch.accounts import Principal
from dispatch.calls import REFUSAL_SENTENCES, Arrival, CallEnd, RefusalReason
from dispatch.errors import (
    AgentNotVoiceReady,
    CapacityReached,
    Conflict,
    DispatchError,
    InsufficientCredits,
    ModelKeyMissing,
    NotFound,
    RoomUnavailable,
)
from dispatch.milliseconds import moment_of
from dispatch.settings import DispatchSettings
from dispatch.store.credential_cache import Presumed
from dispatch.store.live_call_store import LiveCallStore, SessionFields
from dispatch.store.redis_client import RedisClient
from telephony.calls import CallDirection, CallKind, EndedBy, EndReason
from telephony.errors import VendorError
from telephony.ports import RoomControl, RoomSpec, TokenSpec

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SessionGrants:
    """What the web caller's token allows in its room, and for how long."""

    ttl: timedelta = timedelta(hours=1)
    """How long somebody may join with it; who is in the room stays."""
    can_publish: bool = True
    can_subscribe: bool = True
    can_publish_data: bool = False
    can_update_own_metadata: bool = False
    hidden: bool = False
    room_admin: bool = False


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
    seat: str = ""

    def to_arrival(self) -> Arrival:
        """Return the session as a call that asks to be admitted."""
        return Arrival(
            call_id=self.call_id,
            kind=CallKind.WEB,
            direction=CallDirection.INBOUND,
            room_name=self.room_name,
            caller_identity=self.caller_identity,
            seat=self.seat,
        )


@dataclass(frozen=True, slots=True)
class OpenedVoiceSession:
    """Everything a client needs to join."""

    session_id: str
    call_id: uuid.UUID
    room_name: str
    token: str
    agent_name: str
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

    async def open(  # noqa: PLR0913 - a session has so many sides
        self,
        principal: Principal,
        agent_id: uuid.UUID,
        room_name: str,
        identity: str,
        *,
        new_id: uuid.UUID | None = None,
        metadata: dict[str, Any] | None = None,
        grants: SessionGrants | None = None,
        seat: str = "",
        room_is_open: bool = False,
        presumed: Presumed | None = None,
    ) -> OpenedVoiceSession:
        """Open a session: one Redis script, then one LiveKit request.

        Args:
            principal: Owner of the agent and payer of the call.
            agent_id: An agent of the owner's project.
            room_name: Name of the room to make; must not be in use.
            identity: The web caller's participant identity.
            new_id: The call's id, and the session's; opened again under it, it is the same session.
            metadata: JSON object kept with the call and given to the agent.
            grants: What the token allows.
            seat: Tells several agents of one room apart: each has a session and a call of its own.
            room_is_open: The agent is sent into a room that is there already.
            presumed: Who asks, if Redis did not say yet that they may: the script asks it first.

        Raises:
            NotConfirmed: Who asks is not who was presumed. Nothing was done.
            RateLimited: They ask too often.
            NotFound: No such agent in the owner's project.
            AgentNotVoiceReady: The agent is inactive or not for voice, or a model's key is missing.
            InsufficientCredits: The balance does not cover a first block, or is unknown.
            CapacityReached: No slot is free.
            Conflict: The room already has a session.
            RoomUnavailable: LiveKit did not make the room; the call is recorded as missed.
            StoreUnavailable: Redis could not be reached.
        """
        call_id = new_id or uuid.uuid4()
        session_id = f"vs_{call_id.hex}"
        arrival = Arrival(
            call_id=call_id,
            kind=CallKind.WEB,
            direction=CallDirection.INBOUND,
            room_name=room_name,
            caller_identity=identity,
            seat=seat,
        )
        answer = await self._store.open_session(
            arrival,
            SessionFields(
                session_id=session_id,
                agent_id=agent_id,
                organization_id=principal.organization_id,
                project_id=principal.project_id,
                metadata=json.dumps(metadata or {}),
            ),
            presumed,
        )
        if answer[0] != "opened":
            raise _refusal(answer[0], agent_id)
        await self._call_agent(arrival, room_is_open=room_is_open)
        token = self.token(room_name, identity, grants or SessionGrants())
        return OpenedVoiceSession(
            session_id=session_id,
            call_id=arrival.call_id,
            room_name=room_name,
            token=token,
            agent_name=answer[1],
            created_at=moment_of(answer[2]),
        )

    def token(self, room_name: str, identity: str, grants: SessionGrants) -> str:
        """Return a token for a room, whatever is in it."""
        return self._rooms.mint_token(
            TokenSpec(
                identity=identity,
                room_name=room_name,
                ttl=grants.ttl,
                can_publish=grants.can_publish,
                can_subscribe=grants.can_subscribe,
                can_publish_data=grants.can_publish_data,
                can_update_own_metadata=grants.can_update_own_metadata,
                hidden=grants.hidden,
                room_admin=grants.room_admin,
            )
        )

    async def room_of(self, call_id: uuid.UUID) -> str | None:
        """Return the room of a session that was opened under this id lately, or None.

        A client that repeats a request is to be given the room it was given before.

        Raises:
            StoreUnavailable: Redis could not be reached.
        """
        return (await self._store.find(call_id)).get("room_name")

    async def find(self, room_name: str, seat: str = "") -> VoiceSession | None:
        """Return the session that lives in this room, at this seat, or None.

        Raises:
            StoreUnavailable: Redis could not be reached.
        """
        fields = await self._store.find_session(room_name, seat)
        if not fields:
            return None
        return VoiceSession(
            session_id=fields["session_id"],
            call_id=uuid.UUID(fields["call_id"]),
            room_name=room_name,
            caller_identity=fields["caller_identity"],
            agent_id=uuid.UUID(fields["agent_id"]),
            organization_id=uuid.UUID(fields["organization_id"]),
            project_id=uuid.UUID(fields["project_id"]),
            metadata=json.loads(fields["metadata"]),
            created_at=moment_of(fields["created_at_ms"]),
            seat=seat,
        )

    async def _call_agent(self, arrival: Arrival, *, room_is_open: bool) -> None:
        # The room comes after the session on purpose: its job starts at once and looks for it. If
        # this process dies in between, the reaper finds a ringing call without a room.
        try:
            if room_is_open:
                await self._rooms.dispatch_job(
                    arrival.room_name, self._worker_name, metadata=arrival.seat
                )
                return
            await self._rooms.create_room(
                RoomSpec(
                    name=arrival.room_name,
                    worker_name=self._worker_name,
                    job_metadata=arrival.seat,
                )
            )
        except VendorError as exc:
            _log.warning(
                "Room for a voice session not created", extra={"call_id": str(arrival.call_id)}
            )
            missed = CallEnd(EndedBy.SYSTEM, EndReason.CONNECTION_LOST)
            await self._store.end(arrival.call_id, "miss", missed)
            await self._store.forget_session(arrival.room_name, arrival.seat)
            raise RoomUnavailable("LiveKit could not create the room.") from exc


def _refusal(answer: str, agent_id: uuid.UUID) -> DispatchError:
    """Return the error that says why the open script opened nothing."""
    match answer:
        case "agent_unknown":
            return NotFound("agent", agent_id)
        case "agent_unavailable":
            return AgentNotVoiceReady("The agent is inactive or not enabled for voice.")
        case "provider_not_configured":
            return ModelKeyMissing(REFUSAL_SENTENCES[RefusalReason(answer)])
        case "insufficient_credits" | "balance_unknown":
            return InsufficientCredits(REFUSAL_SENTENCES[RefusalReason(answer)])
        case "room_in_use":
            return Conflict("The room already has a voice session.")
        case _:
            return CapacityReached(REFUSAL_SENTENCES[RefusalReason(answer)])
