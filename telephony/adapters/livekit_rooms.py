"""Rooms, participants and access tokens over LiveKit's room service."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final, Literal

import jwt
import orjson
from jwt.algorithms import HMACAlgorithm
from livekit import api

from telephony.adapters.livekit_client import VENDOR, LiveKitClient
from telephony.errors import VendorNotFound, VendorUnavailable
from telephony.ports import ObservedParticipant, ObservedRoom, RoomSpec, TokenSpec
from telephony.settings import LiveKitSettings

_Kind = Literal["standard", "sip", "agent", "egress", "ingress", "connector", "other"]

_KINDS: Final[dict[int, _Kind]] = {
    api.ParticipantInfo.Kind.STANDARD: "standard",
    api.ParticipantInfo.Kind.SIP: "sip",
    api.ParticipantInfo.Kind.AGENT: "agent",
    api.ParticipantInfo.Kind.EGRESS: "egress",
    api.ParticipantInfo.Kind.INGRESS: "ingress",
    api.ParticipantInfo.Kind.CONNECTOR: "connector",
}

_NO_NODE: Final = "could not find object"
"""What LiveKit says of a room whose server is no more.

Source: livekit-server v1.13.5 pkg/routing/errors.go, ErrNotFound.
"""

_JOB_STARTS_S: Final = 3.0
"""How long a dispatch counts as a job on its way, and a job that was taken as one about to join:
both take a fraction of a second where a worker is free."""


class LiveKitRooms:
    """`telephony.ports.RoomControl` over LiveKit."""

    def __init__(self, client: LiveKitClient) -> None:
        self._client = client
        self._signer = jwt.PyJWS(algorithms=[])
        self._signer.register_algorithm("HS256", _OneSecret(client.settings))

    async def create_room(self, room: RoomSpec) -> str:
        """Create the room, dispatch its agent job, and return the room's sid (idempotent)."""
        agents = []
        if room.worker_name is not None:
            agents.append(
                api.RoomAgentDispatch(agent_name=room.worker_name, metadata=room.job_metadata)
            )
        request = api.CreateRoomRequest(
            name=room.name,
            empty_timeout=room.empty_timeout_s,
            departure_timeout=room.departure_timeout_s,
            max_participants=room.max_participants,
            metadata=room.metadata,
            agents=agents,
        )
        created = await self._client.repeatable(
            "create_room", lambda _livekit: self._client.room_maker.room.create_room(request)
        )
        return created.sid

    async def delete_room(self, name: str, *, room_sid: str = "") -> None:
        """Delete the room, which hangs up every leg in it; a room already gone is fine.

        LiveKit deletes by name only, so a sid is compared right before.
        """
        try:
            await self._delete_room(name, room_sid)
        except VendorUnavailable as exc:
            if exc.reason != _NO_NODE:
                raise
            # A server that crashed leaves its rooms behind, and LiveKit asks for ever whose they
            # are. Made anew, such a room belongs to a server that lives, and can be deleted.
            await self.create_room(RoomSpec(name, worker_name=None))
            await self._delete_room(name)

    async def _delete_room(self, name: str, room_sid: str = "") -> None:
        async def delete(livekit: api.LiveKitAPI) -> None:
            # Each time it is sent: while LiveKit is closing the room for somebody else, it fails.
            if room_sid:
                found = await livekit.room.list_rooms(api.ListRoomsRequest(names=[name]))
                if room_sid not in {room.sid for room in found.rooms}:
                    return
            await livekit.room.delete_room(api.DeleteRoomRequest(room=name))

        try:
            await self._client.repeatable("delete_room", delete)
        except VendorNotFound:
            return

    async def list_rooms(self, names: Sequence[str] = ()) -> Sequence[ObservedRoom]:
        """Return the rooms of these names, or all rooms."""
        answer = await self._client.repeatable(
            "list_rooms",
            lambda livekit: livekit.room.list_rooms(api.ListRoomsRequest(names=names)),
        )
        return [
            ObservedRoom(
                name=room.name,
                room_sid=room.sid,
                created_at=_at(room.creation_time, room.creation_time_ms),
                num_participants=room.num_participants,
            )
            for room in answer.rooms
        ]

    async def list_participants(self, room_name: str) -> Sequence[ObservedParticipant]:
        """Return who is in the room; an unknown room has nobody in it."""
        try:
            answer = await self._client.repeatable(
                "list_participants",
                lambda livekit: livekit.room.list_participants(
                    api.ListParticipantsRequest(room=room_name)
                ),
            )
        except VendorNotFound:
            return []
        return [observed_participant(participant) for participant in answer.participants]

    async def ensure_job(self, room_name: str, worker_name: str, *, metadata: str = "") -> bool:
        """Dispatch a job into the room unless one is on its way or at work there.

        An agent in the room tells that a job is at work. LiveKit's list of jobs does not: it shows
        a job up to 5 s late, and the job of a worker that was killed as running for ever. But only
        that list tells whose job an agent does, where there are several.

        Source: livekit-server pkg/agent/client.go, LaunchJob and CheckEnabledTimeout;
        pkg/service/agentservice.go, deregisterJob.
        """
        # Asked first: dispatching into an unknown room would open it, and listing there takes 3 s.
        if not await self.list_rooms([room_name]):
            raise VendorNotFound(VENDOR, "ensure_job", "the room is gone")
        present = await self.list_participants(room_name)
        at_work = {participant.identity for participant in present if participant.kind == "agent"}
        if at_work and not metadata:
            return False
        dispatches = await self._client.once(
            "list_dispatch", lambda livekit: livekit.agent_dispatch.list_dispatch(room_name)
        )
        alike = [
            made
            for made in dispatches
            if made.agent_name == worker_name and metadata in {"", made.metadata}
        ]
        done_by = {job.state.participant_identity for made in alike for job in made.state.jobs}
        if at_work & done_by or any(_is_starting(made) for made in alike):
            return False
        await self.dispatch_job(room_name, worker_name, metadata=metadata)
        return True

    async def dispatch_job(self, room_name: str, worker_name: str, *, metadata: str = "") -> None:
        """Dispatch a job into an open room, whoever is at work there."""
        request = api.CreateAgentDispatchRequest(
            room=room_name, agent_name=worker_name, metadata=metadata
        )
        await self._client.once(
            "create_dispatch", lambda livekit: livekit.agent_dispatch.create_dispatch(request)
        )

    def mint_token(self, token: TokenSpec) -> str:
        """Return a signed access token. No I/O.

        The claims are written as LiveKit documents them, for the SDK copies its classes field by
        field, which takes twice as long as the signature, in every session that is opened.
        Source: https://docs.livekit.io/home/get-started/authentication/.
        """
        settings = self._client.settings
        now_s = int(time.time())
        claims = {
            "iss": settings.livekit_api_key,
            "sub": token.identity,
            "nbf": now_s,
            "exp": now_s + int(token.ttl.total_seconds()),
            "video": {
                "roomJoin": True,
                "room": token.room_name,
                "canPublish": token.can_publish,
                "canSubscribe": token.can_subscribe,
                "canPublishData": token.can_publish_data,
                "canUpdateOwnMetadata": token.can_update_own_metadata,
                "hidden": token.hidden,
                "roomAdmin": token.room_admin,
            },
            "attributes": dict(token.attributes),
        }
        if token.name:
            claims["name"] = token.name
        return self._signer.encode(orjson.dumps(claims), "", "HS256")


class _OneSecret(HMACAlgorithm):
    """HMAC with SHA-256 and LiveKit's secret.

    The secret is checked once. PyJWT would look for each signature whether it is a certificate by
    mistake, which takes four times as long as to sign.
    """

    def __init__(self, settings: LiveKitSettings) -> None:
        super().__init__(self.SHA256)
        self._secret = super().prepare_key(settings.livekit_api_secret.get_secret_value())

    def prepare_key(self, key: str | bytes) -> bytes:  # noqa: ARG002 - there is one
        """Return the secret."""
        return self._secret


def observed_participant(info: api.ParticipantInfo) -> ObservedParticipant:
    """Return a participant in our words."""
    reason = api.DisconnectReason.Name(info.disconnect_reason).lower()
    return ObservedParticipant(
        identity=info.identity,
        kind=_KINDS.get(info.kind, "other"),
        attributes=dict(info.attributes),
        joined_at=_at(info.joined_at, info.joined_at_ms) if info.joined_at else None,
        disconnect_reason="" if reason == "unknown_reason" else reason,
        name=info.name,
        is_publisher=info.is_publisher,
    )


def _is_starting(dispatch: api.AgentDispatch) -> bool:
    state = dispatch.state
    last_step_ns = max([state.created_at, *(job.state.started_at for job in state.jobs)])
    return time.time_ns() - last_step_ns < _JOB_STARTS_S * 1e9


def _at(seconds: int, milliseconds: int) -> datetime:
    # Newer servers send both; the milliseconds field holds the whole instant, not the fraction.
    return datetime.fromtimestamp(milliseconds / 1000 if milliseconds else seconds, UTC)
