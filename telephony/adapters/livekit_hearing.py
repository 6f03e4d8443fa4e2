"""Who hears whom, over LiveKit's subscriptions and permissions."""

import asyncio
from collections.abc import Sequence

from livekit import api

from telephony.adapters.livekit_client import LiveKitClient
from telephony.errors import VendorNotFound, VendorUnavailable
from telephony.ports import RoomTrack


class LiveKitHearing:
    """`telephony.ports.HearingControl` over LiveKit's room service.

    LiveKit replaces all permissions of a participant at once, and what it lists of them may be
    older than what it was told. So they are read once, and known from then on.
    """

    def __init__(self, client: LiveKitClient) -> None:
        self._client = client
        self._permissions: dict[tuple[str, str], api.ParticipantPermission] = {}
        self._permitting = asyncio.Lock()

    async def list_tracks(self, room_name: str) -> Sequence[RoomTrack]:
        """Return the audio tracks in a room; an unknown room has none."""
        request = api.ListParticipantsRequest(room=room_name)
        try:
            answer = await self._client.repeatable(
                "list_tracks", lambda livekit: livekit.room.list_participants(request)
            )
        except VendorNotFound:
            return []
        return [
            RoomTrack(track.sid, participant.identity, track.name)
            for participant in answer.participants
            for track in participant.tracks
            if track.type == api.TrackType.AUDIO
        ]

    async def set_heard(
        self, room_name: str, identity: str, track_ids: Sequence[str], *, heard: bool
    ) -> None:
        """Let a participant hear tracks, or cease to."""
        request = api.UpdateSubscriptionsRequest(
            room=room_name, identity=identity, track_sids=track_ids, subscribe=heard
        )
        operation = "set_heard"
        try:
            await self._client.once(
                operation, lambda livekit: livekit.room.update_subscriptions(request)
            )
        except VendorUnavailable:
            # LiveKit asks the participant's own node, and for three seconds hears nothing when
            # there is none: look whether that was it before asking again.
            await self._find(room_name, identity)
            await self._client.repeatable(
                operation, lambda livekit: livekit.room.update_subscriptions(request)
            )

    async def set_ear(self, room_name: str, identity: str, *, is_open: bool) -> None:
        """Shut a participant's ear, or open it again.

        Taking the permission away ends all subscriptions and refuses new ones; given back, those
        that are wanted by then begin.

        Source: livekit-server v1.13.5 pkg/rtc/participant.go, SetPermission;
        pkg/rtc/subscriptionmanager.go, reconcileSubscription.
        """
        await self._permit("set_ear", room_name, identity, "can_subscribe", allowed=is_open)

    async def set_keys(self, room_name: str, identity: str, *, pass_on: bool) -> None:
        """Let a participant's keys reach everybody in the room, or nobody.

        livekit-sip sends each key as data to everybody, and each telephone leg plays what it gets;
        the sender's permission is the one thing that LiveKit looks at.

        Source: livekit/sip v1.8.0 pkg/sip/inbound.go, handleDTMF; pkg/sip/room.go, OnDataPacket;
        livekit-server v1.13.5 pkg/rtc/participant.go, onReceivedDataMessage.
        """
        await self._permit("set_keys", room_name, identity, "can_publish_data", allowed=pass_on)

    async def _permit(
        self, operation: str, room_name: str, identity: str, permission: str, *, allowed: bool
    ) -> None:
        seat = (room_name, identity)
        async with self._permitting:
            known = self._permissions.get(seat)
            if known is None:
                known = (await self._find(room_name, identity)).permission
            wanted = api.ParticipantPermission()
            wanted.CopyFrom(known)
            setattr(wanted, permission, allowed)
            # Known before LiveKit was told: what failed may have happened all the same.
            self._permissions[seat] = wanted
            request = api.UpdateParticipantRequest(
                room=room_name, identity=identity, permission=wanted
            )
            await self._client.repeatable(
                operation, lambda livekit: livekit.room.update_participant(request)
            )

    async def _find(self, room_name: str, identity: str) -> api.ParticipantInfo:
        whom = api.RoomParticipantIdentity(room=room_name, identity=identity)
        return await self._client.repeatable(
            "get_participant", lambda livekit: livekit.room.get_participant(whom)
        )
