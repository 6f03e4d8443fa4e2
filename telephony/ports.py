"""The edges through which the phone network is reached, as protocols.

Adapters in `telephony.adapters` implement them for LiveKit; fakes in `tests/fakes` for tests. Every
method raises only `telephony.errors`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal, Protocol

from telephony.trunks import DispatchRule, InboundTrunk, ObservedRule, ObservedTrunk


class TrunkRegistry(Protocol):
    """LiveKit's table of inbound trunks and dispatch rules."""

    async def list_inbound_trunks(self) -> Sequence[ObservedTrunk]:
        """Return every inbound trunk, ours and others'.

        Raises:
            VendorUnavailable: LiveKit could not be reached.
        """
        ...

    async def create_inbound_trunk(self, trunk: InboundTrunk) -> str:
        """Create a trunk and return its LiveKit id.

        Raises:
            TrunkConflict: Another trunk claims one of the numbers. Not retryable.
            VendorRejected: LiveKit refused a field.
            VendorUnavailable: LiveKit could not be reached; the trunk may exist all the same.
        """
        ...

    async def replace_inbound_trunk(self, livekit_trunk_id: str, trunk: InboundTrunk) -> None:
        """Make an existing trunk equal to the one given. Raises as `create_inbound_trunk`."""
        ...

    async def delete_trunk(self, livekit_trunk_id: str) -> None:
        """Delete a trunk; a trunk that is already gone is fine."""
        ...

    async def list_dispatch_rules(self) -> Sequence[ObservedRule]:
        """Return every dispatch rule, ours and others'."""
        ...

    async def create_dispatch_rule(self, rule: DispatchRule) -> str:
        """Create a rule and return its LiveKit id. Raises as `create_inbound_trunk`."""
        ...

    async def replace_dispatch_rule(self, livekit_rule_id: str, rule: DispatchRule) -> None:
        """Make an existing rule equal to the one given."""
        ...

    async def delete_dispatch_rule(self, livekit_rule_id: str) -> None:
        """Delete a rule; a rule that is already gone is fine."""
        ...


@dataclass(frozen=True, slots=True)
class RoomSpec:
    """A room to create, with the job that shall join it, in one request."""

    name: str
    worker_name: str | None
    """Agent name to dispatch; None dispatches nobody."""
    job_metadata: str = ""
    empty_timeout_s: int = 60
    """Seconds an empty room waits for its first participant."""
    departure_timeout_s: int = 5
    """Seconds a room lives on after its last non-agent participant left."""
    max_participants: int = 0
    metadata: str = ""


@dataclass(frozen=True, slots=True)
class TokenSpec:
    """What a participant's access token allows, in one room."""

    identity: str
    room_name: str
    ttl: timedelta
    name: str = ""
    can_publish: bool = True
    can_subscribe: bool = True
    can_publish_data: bool = False
    can_update_own_metadata: bool = False
    hidden: bool = False
    """Others are not told that this participant is there."""
    room_admin: bool = False
    """May mute and remove others, in this room."""
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ObservedParticipant:
    """A participant as LiveKit lists it."""

    identity: str
    kind: Literal["standard", "sip", "agent", "egress", "ingress", "connector", "other"]
    attributes: Mapping[str, str]
    joined_at: datetime | None
    disconnect_reason: str = ""
    """LiveKit's reason in lower case, such as `client_initiated`; empty while connected."""
    name: str = ""
    is_publisher: bool = False
    """Whether it has published a track."""


@dataclass(frozen=True, slots=True)
class ObservedRoom:
    """A room as LiveKit lists it."""

    name: str
    room_sid: str
    created_at: datetime
    num_participants: int


class RoomControl(Protocol):
    """LiveKit's rooms, participants and access tokens."""

    async def create_room(self, room: RoomSpec) -> str:
        """Create the room, dispatch its agent job, and return the room's sid (idempotent)."""
        ...

    async def delete_room(self, name: str, *, room_sid: str = "") -> None:
        """Delete the room, which hangs up every leg in it; a room already gone is fine.

        Args:
            name: The room.
            room_sid: Which of the rooms that bear this name in turn; one opened since is left as
                it is. Empty deletes whichever is there.
        """
        ...

    async def list_rooms(self, names: Sequence[str] = ()) -> Sequence[ObservedRoom]:
        """Return the rooms of these names, or all rooms."""
        ...

    async def list_participants(self, room_name: str) -> Sequence[ObservedParticipant]:
        """Return who is in the room; an unknown room has nobody in it."""
        ...

    async def ensure_job(self, room_name: str, worker_name: str, *, metadata: str = "") -> bool:
        """Dispatch a job into the room unless one is on its way or at work there.

        LiveKit gives a job to nobody, for good, when no worker takes it at once.

        Args:
            room_name: An open room.
            worker_name: Agent name to dispatch.
            metadata: Of one of several jobs in the room: those of other metadata do not count. One
                that is at work may be overlooked for some seconds. Empty counts every job.

        Returns:
            Whether a job was dispatched, which does not say that a worker took it.

        Raises:
            VendorNotFound: The room is gone.
            VendorUnavailable: LiveKit could not be reached; a job may be dispatched all the same.
        """
        ...

    async def dispatch_job(self, room_name: str, worker_name: str, *, metadata: str = "") -> None:
        """Dispatch a job into an open room, whoever is at work there.

        Raises:
            VendorUnavailable: LiveKit could not be reached; a job may be dispatched all the same.
        """
        ...

    def mint_token(self, token: TokenSpec) -> str:
        """Return a signed access token. No I/O."""
        ...


@dataclass(frozen=True, slots=True)
class RoomEvent:
    """A verified LiveKit webhook: a hint about a room, never the truth about it."""

    event_id: str
    type: str
    """LiveKit's event name: `room_started`, `room_finished`, `participant_joined`, …"""
    at: datetime
    room_name: str
    room_sid: str
    participant: ObservedParticipant | None


class RoomEvents(Protocol):
    """The receiving end of LiveKit's webhooks."""

    def receive(self, body: bytes, authorization: str) -> RoomEvent:
        """Check the signature over the exact body and return the event.

        Raises:
            InvalidWebhook: Signature, hash or body is wrong.
        """
        ...


@dataclass(frozen=True, slots=True)
class RoomTrack:
    """An audio track in a room."""

    track_id: str
    """LiveKit's `TR_…`."""
    identity: str
    """Who publishes it."""
    name: str


class HearingControl(Protocol):
    """Who hears which track in a room, and the way to change it."""

    async def list_tracks(self, room_name: str) -> Sequence[RoomTrack]:
        """Return the audio tracks in a room; an unknown room has none."""
        ...

    async def set_heard(
        self, room_name: str, identity: str, track_ids: Sequence[str], *, heard: bool
    ) -> None:
        """Let a participant hear tracks, or cease to; idempotent.

        It returns before the ear notices: ceasing takes some 20 ms, beginning some 100 ms.

        Raises:
            VendorNotFound: The participant, or the room, is gone.
            VendorUnavailable: LiveKit could not be reached; it may have happened all the same.
        """
        ...

    async def set_ear(self, room_name: str, identity: str, *, is_open: bool) -> None:
        """Shut a participant's ear, or open it again; idempotent.

        A telephone leg subscribes on its own to every track there is at the moment it is answered.
        With the ear shut it hears nothing all the same; opened again, it hears what it subscribed
        to and was not taken back with `set_heard`.

        Raises:
            VendorNotFound: The participant, or the room, is gone.
            VendorUnavailable: LiveKit could not be reached; it may have happened all the same.
        """
        ...

    async def set_keys(self, room_name: str, identity: str, *, pass_on: bool) -> None:
        """Let a participant's keys reach everybody in the room, or nobody; idempotent.

        Nor does anything else that it sends as data, such as the answers of a telephone leg that is
        asked whether it is there.

        Raises:
            VendorNotFound: The participant, or the room, is gone.
            VendorUnavailable: LiveKit could not be reached; it may have happened all the same.
        """
        ...


@dataclass(frozen=True, slots=True)
class SipServer:
    """Where a call is sent when no outbound trunk of LiveKit's is used."""

    hostname: str
    """Host or `host:port`, without a scheme."""
    auth_username: str = ""
    auth_password: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class DialRequest:
    """Somebody to call into a room."""

    room_name: str
    identity: str
    """Of the participant that the new leg becomes; it holds no number."""
    to: str
    """Number in E.164, or the user part of a SIP address."""
    trunk: str | SipServer
    """LiveKit's id of an outbound trunk, or where to send the call."""
    from_number: str
    """Shown to the called party."""
    ringing_timeout_s: float = 30.0
    """At most 75: LiveKit gives up waiting after 80 s."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Further headers of the INVITE."""
    name: str = ""
    """The participant's name in the room."""


@dataclass(frozen=True, slots=True)
class AnsweredLeg:
    """A leg that was called and answered."""

    identity: str
    sip_call_id: str
    """LiveKit's `SCL_…`."""


class ReferOutcome(StrEnum):
    """What became of a transfer that the caller's carrier was asked for."""

    ACCEPTED = "accepted"
    BUSY = "busy"
    NO_ANSWER = "no_answer"
    REFUSED = "refused"
    """The target, or the carrier, said no."""
    TIMED_OUT = "timed_out"
    """Nothing was heard in time; the call may or may not have been passed on."""
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Referred:
    """How a transfer by REFER went."""

    outcome: ReferOutcome
    sip_code: int | None = None
    reason: str = ""


class Dialler(Protocol):
    """Telephone legs that we begin, end and pass on."""

    async def dial(self, request: DialRequest) -> AnsweredLeg:
        """Call somebody into a room; returns when they answered.

        The participant is in the room from the beginning. When the wait is cancelled the leg goes
        on: `hang_up` ends it.

        Raises:
            DialError: They did not answer; the leg is gone.
            VendorRejected: LiveKit did not accept the request.
            VendorUnavailable: LiveKit could not be reached.
        """
        ...

    async def hang_up(self, room_name: str, identity: str) -> None:
        """End a leg, also one that still rings; one that is gone is fine."""
        ...

    async def refer(
        self,
        room_name: str,
        identity: str,
        target_uri: str,
        *,
        headers: Mapping[str, str],
        timeout_s: float,
    ) -> Referred:
        """Ask a leg's carrier to call somebody else in our place, and wait for the outcome.

        After an accepted transfer the leg is over: its carrier hangs up, or LiveKit a second later.

        Args:
            room_name: The room.
            identity: The leg.
            target_uri: `tel:` or `sip:`.
            headers: Of the REFER. A `sip:` address also asks for them in the call that follows
                (RFC 3261 section 19.1.1); a `tel:` cannot, and its carrier may pass them on or not.
            timeout_s: Seconds until the outcome counts as unknown.

        Raises:
            VendorNotFound: The leg is gone.
            VendorUnavailable: LiveKit could not be reached.
        """
        ...
