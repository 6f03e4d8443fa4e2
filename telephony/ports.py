"""The edges through which the phone network is reached, as protocols.

Adapters in `telephony.adapters` implement them for LiveKit; fakes in `tests/fakes` for tests. Every
method raises only `telephony.errors`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
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

    async def delete_room(self, name: str) -> None:
        """Delete the room, which hangs up every leg in it; a room already gone is fine."""
        ...

    async def list_rooms(self, names: Sequence[str] = ()) -> Sequence[ObservedRoom]:
        """Return the rooms of these names, or all rooms."""
        ...

    async def list_participants(self, room_name: str) -> Sequence[ObservedParticipant]:
        """Return who is in the room; an unknown room has nobody in it."""
        ...

    async def ensure_job(self, room_name: str, worker_name: str) -> bool:
        """Dispatch a job into the room unless one is on its way or at work there.

        LiveKit gives a job to nobody, for good, when no worker takes it at once.

        Args:
            room_name: An open room.
            worker_name: Agent name to dispatch.

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
