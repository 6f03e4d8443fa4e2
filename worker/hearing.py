"""Keeps who hears whom in a call's room as it was last arranged, whoever comes and goes."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

from livekit import rtc

from telephony import hearing
from telephony.errors import VendorError, VendorNotFound
from telephony.hearing import Hearing, KeyStep, Party, Role, Source, SourceKind, Step, changes
from telephony.ports import HearingControl
from worker.hold_music import MUSIC_TRACK
from worker.in_vain import unless
from worker.subscriptions import PROBE_TRACK

logger = logging.getLogger(__name__)

Arrangement = Callable[[Sequence[Party]], Hearing]
"""A named matrix of `telephony.hearing`."""

_LOOK_AGAIN_S: Final = (*(0.05,) * 10, *(0.1,) * 5, 0.2, 0.3, 0.5, 1.0)
"""A telephone leg subscribes to the tracks it finds on its own, when it is answered and when it
comes back, and on a busy machine may do so after it was told not to hear them. So it is told again,
after each of these waits."""

_SOON_S: Final = 0.02
"""Less than it takes from the wish of a leg to hear a track to the first sound of it, some 0.1 s: a
wish taken back so soon was never heard."""

_ASKED_TIMEOUT_S: Final = 10.0


class RoomHearing:
    """One room's matrix, applied by its differences.

    The agent is a party like all others, but nothing is changed for its own ear: a job hears every
    track and listens to whom it wants. Everybody else hears what was arranged. A track nobody was
    placed for is heard by nobody.

    Args:
        control: Changes who hears what.
        room: The call's room.
        parties: Who is in it, the agent first arranged to talk with the caller.
        asked: Returns once every leg has asked for the tracks that are there.
    """

    def __init__(
        self,
        control: HearingControl,
        room: rtc.Room,
        parties: Sequence[Party],
        asked: Callable[[], Awaitable[None]],
    ) -> None:
        self._asked = asked
        self._control = control
        self._room = room
        self._parties = {party.identity: party for party in parties}
        self._now = hearing.talk(parties)
        self._coming = hearing.SILENCE
        self._lock = asyncio.Lock()
        self._placing: set[asyncio.Task[None]] = set()
        self._until_gone: dict[str, set[asyncio.Event]] = {}
        room.on("track_published", self._on_track)
        room.on("participant_connected", self._on_participant)
        room.on("participant_disconnected", self._on_gone)

    @property
    def now(self) -> Hearing:
        """The matrix as it was last arranged."""
        return self._now

    def close(self) -> None:
        """Stop watching the room."""
        self._room.off("track_published", self._on_track)
        self._room.off("participant_connected", self._on_participant)
        self._room.off("participant_disconnected", self._on_gone)
        for task in self._placing:
            task.cancel()

    def expect(self, party: Party) -> None:
        """Know somebody who is about to join; deaf and unheard until arranged otherwise."""
        self._parties[party.identity] = party

    def forget(self, identity: str) -> None:
        """Know somebody no longer."""
        self._parties.pop(identity, None)
        self._now = self._now.without(identity)

    async def arrange(self, arrangement: Arrangement) -> None:
        """Let everybody hear what a named matrix says, by taking only the steps that differ.

        A step that fails is undone together with those before it.

        Raises:
            VendorError: A step failed; everything is as it was, as far as LiveKit can be reached.
        """
        async with self._changing(arrangement) as after:
            done: list[Step | KeyStep] = []
            try:
                for first in (True, False):
                    steps = [one for one in changes(self._now, after) if one.comes_first is first]
                    done += steps
                    await _all_of(self._take(step) for step in steps)
            except VendorError:
                await self._undo(done)
                raise

    async def open_ear(self, identity: str, arrangement: Arrangement) -> None:
        """Let somebody hear whose ear was shut, once everybody has their place in a named matrix.

        Nothing is taken for granted: legs subscribe to tracks by themselves, so everybody is told
        again everything to hear and not to hear.

        Raises:
            VendorError: LiveKit could not be reached, or they are gone; the others have the places
                they had, as far as LiveKit can be reached.
        """
        async with self._changing(arrangement) as after:
            try:
                await self._place_all(after)
                await self._control.set_ear(self._room.name, identity, is_open=True)
            except VendorError:
                await self._place_back()
                raise
        self._later(self._place_again(identity))

    async def shut_ear(self, identity: str) -> None:
        """Let somebody hear nothing, whatever they subscribe to.

        Raises:
            VendorError: LiveKit could not be reached, or they are gone.
        """
        await self._control.set_ear(self._room.name, identity, is_open=False)

    @asynccontextmanager
    async def _changing(self, arrangement: Arrangement) -> AsyncIterator[Hearing]:
        """Change the room to a named matrix, in an `async with`; if that fails it is as it was."""
        async with self._lock:
            self._coming = arrangement(list(self._parties.values()))
            try:
                yield self._coming
                self._now = self._coming
            finally:
                self._coming = hearing.SILENCE

    async def _take(self, step: Step | KeyStep) -> None:
        if isinstance(step, KeyStep):
            await self._take_keys(step)
            return
        party = self._parties.get(step.listener)
        if party is not None and party.role is Role.AGENT:
            return
        track_ids = [one for source in step.sources for one in self._track_ids(source)]
        if not track_ids or step.listener not in self._room.remote_participants:
            return
        asking = self._control.set_heard(
            self._room.name, step.listener, track_ids, heard=step.begins
        )
        try:
            await self._unless_gone(step.listener, asking)
        except VendorNotFound:
            if step.listener in self._room.remote_participants:
                raise
            logger.debug("listener left before it was placed")

    async def _take_keys(self, step: KeyStep) -> None:
        sender = self._room.remote_participants.get(step.sender)
        if sender is None or sender.kind != rtc.ParticipantKind.PARTICIPANT_KIND_SIP:
            # A browser has no keys, and what it may send is its token's to say.
            return
        asking = self._control.set_keys(self._room.name, step.sender, pass_on=step.begins)
        try:
            await self._unless_gone(step.sender, asking)
        except VendorNotFound:
            if step.sender in self._room.remote_participants:
                raise
            logger.debug("telephone left before its keys were placed")

    async def _unless_gone(self, identity: str, asking: Coroutine[Any, Any, None]) -> None:
        """Ask LiveKit about somebody, and wait no longer for its answer once they have left.

        It hears nothing of those who are gone, for three seconds, and meanwhile the caller would be
        left on hold.
        """
        gone = asyncio.Event()
        self._until_gone.setdefault(identity, set()).add(gone)
        try:
            if await unless(gone, asking, otherwise=True):
                logger.debug("participant left before they were placed")
        finally:
            self._until_gone[identity].discard(gone)

    def _on_gone(self, participant: rtc.RemoteParticipant) -> None:
        for gone in self._until_gone.get(participant.identity, ()):
            gone.set()

    async def _undo(self, steps: Sequence[Step | KeyStep]) -> None:
        for step in reversed(steps):
            try:
                await self._take(step.undone)
            except VendorError as exc:
                logger.warning("hearing not undone", extra={"operation": exc.operation})

    async def _place_all(self, matrix: Hearing) -> None:
        listeners = [one.identity for one in self._parties.values() if one.role is not Role.AGENT]
        await _all_of(
            [
                *(self._take_keys(KeyStep(one, one in matrix.keys)) for one in listeners),
                *(self._place(identity, matrix) for identity in listeners),
            ]
        )

    async def _place_back(self) -> None:
        try:
            await self._place_all(self._now)
        except VendorError as exc:
            logger.warning("hearing not restored", extra={"operation": exc.operation})

    async def _place(self, identity: str, matrix: Hearing) -> None:
        """Tell somebody everything not to hear and everything to hear."""
        heard = matrix.heard_by(identity)
        for wanted in (False, True):
            some = tuple(sorted(one for one in self._sources() if (one in heard) is wanted))
            await self._take(Step(identity, some, wanted))

    async def _deafen(self, identity: str) -> None:
        """Tell somebody what not to hear, neither now nor once a change that is under way is over.

        Nothing is waited for. Whoever calls this places them when all is done.
        """
        heard = self._now.heard_by(identity) | self._coming.heard_by(identity)
        try:
            some = tuple(sorted(one for one in self._sources() if one not in heard))
            await self._take(Step(identity, some, begins=False))
        except VendorError as exc:
            logger.warning("listener not deafened", extra={"operation": exc.operation})

    def _sources(self) -> set[Source]:
        return {source for one in self._parties.values() for source in (one.voice, one.music)}

    def _track_ids(self, source: Source) -> list[str]:
        local = self._room.local_participant
        participant: rtc.Participant | None = (
            local
            if source.identity == local.identity
            else self._room.remote_participants.get(source.identity)
        )
        if participant is None:
            return []
        is_music = source.kind is SourceKind.MUSIC
        return [
            publication.sid
            for publication in participant.track_publications.values()
            if publication.kind == rtc.TrackKind.KIND_AUDIO
            and publication.name != PROBE_TRACK
            and (publication.name == MUSIC_TRACK) is is_music
        ]

    def _on_track(
        self, _publication: rtc.RemoteTrackPublication, participant: rtc.RemoteParticipant
    ) -> None:
        """Place everybody for a new track: it is heard by whom it was arranged for, or nobody."""
        listeners = [
            one.identity
            for one in self._parties.values()
            if one.role is not Role.AGENT and one.identity != participant.identity
        ]
        if listeners:
            self._later(self._place_until_asked(listeners))

    def _on_participant(self, participant: rtc.RemoteParticipant) -> None:
        """Give somebody who comes back their place again."""
        if participant.identity in self._parties:
            self._later(self._place_back_again(participant.identity))

    async def _place_back_again(self, identity: str) -> None:
        await self._place_once(identity)
        try:
            async with self._lock:
                await self._take_keys(KeyStep(identity, identity in self._now.keys))
        except VendorError as exc:
            logger.warning("keys not placed", extra={"operation": exc.operation})
        await self._place_again(identity)

    async def _place_until_asked(self, identities: Sequence[str]) -> None:
        """Tell them what not to hear until they have asked for all there is; then place them."""
        asking = asyncio.ensure_future(self._asked())
        deadline_s = time.monotonic() + _ASKED_TIMEOUT_S
        try:
            while not asking.done() and time.monotonic() < deadline_s:
                await asyncio.gather(*(self._deafen(one) for one in identities))
                await asyncio.wait({asking}, timeout=_SOON_S)
            if not asking.done() or asking.exception() is not None:
                logger.warning("not known who asked to hear what")
            await asyncio.gather(*(self._place_once(one) for one in identities))
        finally:
            asking.cancel()

    async def _place_again(self, identity: str) -> None:
        for wait_s in _LOOK_AGAIN_S:
            await asyncio.sleep(wait_s)
            await self._place_once(identity)

    async def _place_once(self, identity: str) -> None:
        try:
            async with self._lock:
                if identity in self._room.remote_participants:
                    await self._place(identity, self._now)
        except VendorError as exc:
            logger.warning("listener not placed", extra={"operation": exc.operation})

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._placing.add(task)
        task.add_done_callback(self._placing.discard)


async def _all_of(work: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Wait for all of it, and raise the first failure only then: what is undone must be done."""
    for failure in await asyncio.gather(*work, return_exceptions=True):
        if failure is not None:
            raise failure
