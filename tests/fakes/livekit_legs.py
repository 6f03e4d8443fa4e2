# ruff: noqa: ARG002  (the protocols name what the fakes do not look at)
"""LiveKit's hearing and telephone legs in memory."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from telephony.errors import VendorNotFound, VendorUnavailable
from telephony.ports import AnsweredLeg, DialRequest, ReferOutcome, Referred, RoomTrack


@dataclass
class FakeHearing:
    """`telephony.ports.HearingControl` in memory."""

    tracks: list[RoomTrack] = field(default_factory=list)
    wanted: set[tuple[str, str]] = field(default_factory=set)
    """Identity and track it subscribes to."""
    shut: set[str] = field(default_factory=set)
    keyless: set[str] = field(default_factory=set)
    """Whose keys reach nobody."""
    present: set[str] = field(default_factory=set)
    """Who is in the room."""
    fails_for: set[str] = field(default_factory=set)
    """Listeners for whom LiveKit cannot be reached."""

    def heard_by(self, identity: str) -> set[str]:
        """Return the tracks that reach somebody's ear."""
        if identity in self.shut:
            return set()
        return {track_id for one, track_id in self.wanted if one == identity}

    async def list_tracks(self, room_name: str) -> Sequence[RoomTrack]:
        return list(self.tracks)

    async def set_heard(
        self, room_name: str, identity: str, track_ids: Sequence[str], *, heard: bool
    ) -> None:
        self._answer("set_heard", identity)
        pairs = {(identity, track_id) for track_id in track_ids}
        self.wanted = self.wanted | pairs if heard else self.wanted - pairs

    async def set_ear(self, room_name: str, identity: str, *, is_open: bool) -> None:
        self._answer("set_ear", identity)
        (self.shut.discard if is_open else self.shut.add)(identity)

    async def set_keys(self, room_name: str, identity: str, *, pass_on: bool) -> None:
        self._answer("set_keys", identity)
        (self.keyless.discard if pass_on else self.keyless.add)(identity)

    def _answer(self, operation: str, identity: str) -> None:
        if identity in self.fails_for:
            raise VendorUnavailable("livekit", operation, "could not be reached")
        if identity not in self.present:
            raise VendorNotFound("livekit", operation, "participant does not exist")


@dataclass
class FakeDialler:
    """`telephony.ports.Dialler` whose telephones are answered by a list of outcomes."""

    answers: list[Exception | None] = field(default_factory=list)
    """What each call meets, in order; None answers, and so does everybody beyond the list."""
    referred: Referred = field(default_factory=lambda: Referred(ReferOutcome.ACCEPTED))
    dialled: list[DialRequest] = field(default_factory=list)
    hung_up: list[str] = field(default_factory=list)
    refers: list[str] = field(default_factory=list)
    refer_headers: list[Mapping[str, str]] = field(default_factory=list)
    never_answers: bool = False

    async def dial(self, request: DialRequest) -> AnsweredLeg:
        self.dialled.append(request)
        if self.never_answers:
            await asyncio.Event().wait()
        if self.answers and (failure := self.answers.pop(0)) is not None:
            raise failure
        return AnsweredLeg(request.identity, "SCL_1")

    async def hang_up(self, room_name: str, identity: str) -> None:
        self.hung_up.append(identity)

    async def refer(
        self,
        room_name: str,
        identity: str,
        target_uri: str,
        *,
        headers: Mapping[str, str],
        timeout_s: float,
    ) -> Referred:
        self.refers.append(target_uri)
        self.refer_headers.append(headers)
        return self.referred
