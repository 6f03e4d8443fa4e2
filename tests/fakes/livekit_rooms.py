"""LiveKit's rooms and participants in memory."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from livekit import api

from telephony.errors import VendorNotFound, VendorUnavailable
from telephony.ports import ObservedParticipant, ObservedRoom, RoomSpec, TokenSpec

API_KEY = "fake"
API_SECRET = "a-secret-that-is-at-least-32-bytes-long"


@dataclass
class FakeRooms:
    """`telephony.ports.RoomControl` in memory."""

    rooms: dict[str, ObservedRoom] = field(default_factory=dict)
    specs: dict[str, RoomSpec] = field(default_factory=dict)
    """What each room was created with; SIP rooms have none."""
    participants: dict[str, list[ObservedParticipant]] = field(default_factory=dict)
    jobs: dict[str, str] = field(default_factory=dict)
    """Name of the worker whose job is on its way or at work, by room."""
    seats: dict[str, list[str]] = field(default_factory=dict)
    """Metadata of the jobs on their way or at work, by room; of those that have any."""
    dispatched: list[str] = field(default_factory=list)
    """Rooms into which jobs were dispatched that were open already, in order."""
    calls: list[str] = field(default_factory=list)
    """Every request, by name, in order."""
    unreachable: bool = False
    undeletable: set[str] = field(default_factory=set)
    """Rooms that LiveKit does not delete, whatever it is told."""
    _ids: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def open_room(self, name: str) -> ObservedRoom:
        """Open a room as somebody does who joins it."""
        return self._open(name)

    def open_sip_room(self, name: str, *participants: ObservedParticipant) -> None:
        """Open a room as an arriving SIP call does."""
        self._open(name)
        self.participants[name].extend(participants)

    async def create_room(self, room: RoomSpec) -> str:
        self._answer("create_room")
        self.specs.setdefault(room.name, room)
        if room.worker_name is not None and room.name not in self.rooms:
            self._send(room.name, room.worker_name, room.job_metadata)
        return self._open(room.name).room_sid

    async def delete_room(self, name: str, *, room_sid: str = "") -> None:
        self._answer("delete_room")
        if room_sid and (name not in self.rooms or self.rooms[name].room_sid != room_sid):
            return
        if name in self.undeletable:
            raise VendorUnavailable("livekit", "delete_room", "could not find object")
        self.rooms.pop(name, None)
        self.specs.pop(name, None)
        self.jobs.pop(name, None)
        self.seats.pop(name, None)
        self.participants.pop(name, None)

    async def list_rooms(self, names: Sequence[str] = ()) -> Sequence[ObservedRoom]:
        self._answer("list_rooms")
        return [
            replace(room, num_participants=self._count(room.name))
            for room in self.rooms.values()
            if not names or room.name in names
        ]

    async def list_participants(self, room_name: str) -> Sequence[ObservedParticipant]:
        self._answer("list_participants")
        return list(self.participants.get(room_name, ()))

    async def ensure_job(self, room_name: str, worker_name: str, *, metadata: str = "") -> bool:
        self._answer("ensure_job")
        if room_name not in self.rooms:
            raise VendorNotFound("livekit", "ensure_job", "the room is gone")
        is_there = metadata in self.seats.get(room_name, ()) or not metadata
        if is_there and self.jobs.get(room_name) == worker_name:
            return False
        self._send(room_name, worker_name, metadata)
        self.dispatched.append(room_name)
        return True

    async def dispatch_job(self, room_name: str, worker_name: str, *, metadata: str = "") -> None:
        self._answer("dispatch_job")
        self._send(room_name, worker_name, metadata)
        self.dispatched.append(room_name)

    def mint_token(self, token: TokenSpec) -> str:
        return (
            api.AccessToken(API_KEY, API_SECRET)
            .with_identity(token.identity)
            .with_name(token.name)
            .with_ttl(token.ttl)
            .with_attributes(dict(token.attributes))
            .with_grants(
                api.VideoGrants(
                    room_join=True,
                    room=token.room_name,
                    can_publish=token.can_publish,
                    can_subscribe=token.can_subscribe,
                    can_publish_data=token.can_publish_data,
                    can_update_own_metadata=token.can_update_own_metadata,
                    hidden=token.hidden,
                    room_admin=token.room_admin,
                )
            )
            .to_jwt()
        )

    def _answer(self, operation: str) -> None:
        if self.unreachable:
            raise VendorUnavailable("livekit", operation, "could not be reached")
        self.calls.append(operation)

    def _send(self, room_name: str, worker_name: str, metadata: str) -> None:
        self.jobs[room_name] = worker_name
        if metadata:
            self.seats.setdefault(room_name, []).append(metadata)

    def _count(self, room_name: str) -> int:
        return sum(found.kind != "agent" for found in self.participants.get(room_name, ()))

    def _open(self, name: str) -> ObservedRoom:
        if name not in self.rooms:
            sid = f"RM_{next(self._ids):04d}"
            self.rooms[name] = ObservedRoom(name, sid, datetime.now(UTC), 0)
            self.participants[name] = []
        return self.rooms[name]
