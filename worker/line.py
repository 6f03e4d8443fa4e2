"""The line to the caller: who is in the room, and the moment it goes down."""

import asyncio
import json
import logging
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Final, TypeVar

from livekit import rtc
from livekit.agents import JobContext

from dispatch.calls import CallEnd
from worker.ending import (
    CALLER_HUNG_UP,
    CALLER_LOST,
    LINE_LOST,
    TRANSFERRED,
    Ending,
    end_by_departure,
    end_by_lost_room,
)
from worker.process_end import end_process_within
from worker.sip_status import CALL_ACTIVE, CALL_HUNG_UP, CALL_STATUS

_CALLERS: Final = [
    rtc.ParticipantKind.PARTICIPANT_KIND_SIP,
    rtc.ParticipantKind.PARTICIPANT_KIND_STANDARD,
]

_ASK_LEG: Final = "lk.sip.GetRemoteHeaders"
"""A question that livekit-sip itself answers for each leg, in about 10 ms: the headers of its
INVITE. Source: livekit/sip v1.8.0 pkg/sip/rpc.go."""

HOPS_HEADER: Final = "X-Dialplane-Hops"
"""How often a call was passed on before; written on each leg that a transfer dials."""

_HOPS_QUESTION: Final = json.dumps({"include": [HOPS_HEADER]})

_ANSWER_TIMEOUT_S: Final = 2.0
_STATS_TIMEOUT_S: Final = 1.0
_SOUND_S: Final = 0.5
"""A telephone sends 50 packets of sound a second, and some ten of silence."""

_SOONEST_LOSS: Final = timedelta(seconds=8)
"""LiveKit gives up a dead connection 15 s after its last packet; one that was heard of later than
this before it went was closed by its owner.
Source: livekit-server v1.13.5 pkg/rtc/transport.go, iceFailedTimeoutTotal."""

_UNEXPLAINED: Final = frozenset(
    {
        None,
        rtc.DisconnectReason.UNKNOWN_REASON,
        rtc.DisconnectReason.CONNECTION_TIMEOUT,
        rtc.DisconnectReason.SIGNAL_CLOSE,
    }
)
"""Departures without a word: a dead connection, or one that was closed too fast for its word."""

_T = TypeVar("_T")

logger = logging.getLogger(__name__)


class LineDownError(Exception):
    """The call was over before what was waited for happened."""


class Line:
    """One call's room, watched from before it is joined until it is left.

    Args:
        room: The job's room.
        ending: Told when the caller leaves or the room is lost.
    """

    def __init__(self, room: rtc.Room, ending: Ending) -> None:
        self.room = room
        self.ending = ending
        self._caller_identity: str | None = None
        self._answered_at: datetime | None = None
        self._seen_at: datetime | None = None
        self._hops: int | None = None
        self._referral: asyncio.Future[bool] | None = None
        self._is_reconnecting = False
        room.on("participant_disconnected", self._on_participant_disconnected)
        room.on("participant_attributes_changed", self._on_attributes_changed)
        room.on("disconnected", self._on_disconnected)
        room.on("reconnecting", self._on_reconnecting)
        room.on("reconnected", self._on_reconnected)

    @property
    def answered_at(self) -> datetime | None:
        """When the call was answered, if it was."""
        return self._answered_at

    @property
    def hops(self) -> int:
        """How often the call was passed on before it came to us, as far as its carriers told."""
        return self._hops or 0

    async def count_hops(self) -> int:
        """Return `hops`, and ask the caller's telephone first where it has not told them yet.

        A call may be passed on in the moment of its answer; a leg that does not answer counts none.
        """
        caller = self.room.remote_participants.get(self._caller_identity or "")
        is_telephone = caller and caller.kind == rtc.ParticipantKind.PARTICIPANT_KIND_SIP
        if caller is not None and is_telephone and self._hops is None:
            await self._answers(caller.identity)
        return self.hops

    def mark_answered(self, at: datetime) -> None:
        """Note the answer: from here on a caller who leaves hangs up instead of giving up."""
        self._answered_at = at

    def expect(self, identity: str) -> None:
        """Name whose leaving ends the call, when it is not somebody who is waited for."""
        self._caller_identity = identity

    async def wait_for_caller(self, identity: str | None = None) -> rtc.RemoteParticipant:
        """Return the participant who calls, as soon as it is in the room.

        It need not be connected for media yet: the sooner the agent publishes, the sooner the
        call is answered.

        Args:
            identity: Its identity where that is known; else the first SIP or standard
                participant is the caller.

        Raises:
            LineDownError: The room was lost meanwhile.
        """
        found: asyncio.Future[rtc.RemoteParticipant] = asyncio.get_running_loop().create_future()

        def look_at(participant: rtc.RemoteParticipant) -> None:
            is_caller = participant.kind in _CALLERS and identity in (None, participant.identity)
            if is_caller and not found.done():
                self._caller_identity = participant.identity
                found.set_result(participant)

        self.room.on("participant_connected", look_at)
        try:
            for participant in self.room.remote_participants.values():
                look_at(participant)
            return await self.unless_down(found)
        finally:
            self.room.off("participant_connected", look_at)

    async def wait_for_active(self, identity: str) -> None:
        """Wait until a telephone caller's leg is answered.

        Raises:
            LineDownError: The caller gave up first.

        Source: livekit/sip v1.8.0 pkg/sip/inbound.go (200 OK is sent once the leg subscribes to
        an audio track; `sip.callStatus` then turns `active`).
        """
        active = asyncio.Event()

        def look_at(_changed: list[str], participant: rtc.Participant) -> None:
            is_caller = participant.identity == identity
            if is_caller and participant.attributes.get(CALL_STATUS) == CALL_ACTIVE:
                active.set()

        self.room.on("participant_attributes_changed", look_at)
        try:
            caller = self.room.remote_participants.get(identity)
            if caller is not None:
                look_at([], caller)
            await self.unless_down(active.wait())
        finally:
            self.room.off("participant_attributes_changed", look_at)

    async def keep_in_sight(self, identity: str, interval_s: float) -> None:
        """Ask a telephone caller's leg again and again whether it is there; until cancelled.

        While its keys are kept from others it cannot answer, and is seen by its sound. A leg that
        shows nothing is left alone, for it may only be slow. But when LiveKit gives it up, some
        20 s after the last packet, the call was over when it was last seen and is billed to there.

        Args:
            identity: The SIP participant's identity.
            interval_s: Seconds between two questions: what the bill may fall short by.
        """
        while True:
            if await self._answers(identity) or await self._sounds(identity):
                self._seen_at = self.ending.clock()
            await asyncio.sleep(interval_s)

    async def _answers(self, identity: str) -> bool:
        """Whether a telephone's leg answers; it also tells the hops."""
        try:
            # The SDK's own timeout begins when the leg has confirmed the question.
            async with asyncio.timeout(_ANSWER_TIMEOUT_S):
                answer = await self.room.local_participant.perform_rpc(
                    destination_identity=identity,
                    method=_ASK_LEG,
                    payload=_HOPS_QUESTION,
                    response_timeout=_ANSWER_TIMEOUT_S,
                )
        except (rtc.RpcError, TimeoutError) as exc:
            logger.debug("leg did not answer", extra={"error": type(exc).__name__})
            return False
        self._hops = _hops_in(answer)
        return True

    async def _sounds(self, identity: str) -> bool:
        """Whether packets of sound come from somebody just now, be they silence."""
        before = await self._packets_of(identity)
        await asyncio.sleep(_SOUND_S)
        return await self._packets_of(identity) > before

    async def _packets_of(self, identity: str) -> int:
        """Return how many packets of sound were received from somebody; 0 where that is unknown."""
        participant = self.room.remote_participants.get(identity)
        publications = [] if participant is None else participant.track_publications.values()
        tracks = [one.track for one in publications if one.track is not None]
        try:
            async with asyncio.timeout(_STATS_TIMEOUT_S):
                found = [stats for track in tracks for stats in await track.get_stats()]
        except Exception:
            # The SDK raises nothing narrower.
            logger.debug("no statistics of a leg's sound", exc_info=True)
            return 0
        return sum(one.inbound_rtp.received.packets_received for one in found)

    @contextmanager
    def passing_on(self) -> Iterator[asyncio.Future[bool]]:
        """Watch a transfer that the caller's carrier was asked for, in a `with`.

        A carrier that takes the call over hangs up, often before we hear that it did: until the
        future says whether it took the call, the caller's leaving does not tell who ended it.
        """
        self._referral = asyncio.get_running_loop().create_future()
        try:
            yield self._referral
        finally:
            if not self._referral.done():
                self._referral.set_result(False)
            self._referral = None

    async def unless_down(self, work: Awaitable[_T]) -> _T:
        """Return what `work` returns, unless the call is over first.

        Raises:
            LineDownError: The call is over; the work was cancelled.
        """
        doing = asyncio.ensure_future(work)
        over = asyncio.ensure_future(self.ending.wait())
        try:
            await asyncio.wait({doing, over}, return_when=asyncio.FIRST_COMPLETED)
            if not doing.done():
                raise LineDownError
            return doing.result()
        finally:
            over.cancel()
            doing.cancel()

    def _on_participant_disconnected(self, participant: rtc.RemoteParticipant) -> None:
        if self._is_reconnecting:
            # Everybody is taken for gone before the room is joined anew: the room was lost.
            self.ending.cut_off(LINE_LOST)
        elif participant.identity == self._caller_identity:
            reason = participant.disconnect_reason
            end = end_by_departure(reason, answered=self._answered_at is not None)
            if end is CALLER_LOST and reason in _UNEXPLAINED and self._was_just_seen():
                # livekit-sip says that its leg hung up and closes the connection at once, and the
                # word can be lost with it.
                end = CALLER_HUNG_UP
            self._caller_left(end, self._seen_at if end is CALLER_LOST else None)

    def _was_just_seen(self) -> bool:
        """Whether a telephone was heard of so lately that its connection cannot have died."""
        seen_at = self._seen_at
        return seen_at is not None and self.ending.clock() - seen_at < _SOONEST_LOSS

    def _caller_left(self, end: CallEnd, at: datetime | None = None) -> None:
        referral = self._referral
        if referral is None:
            self.ending.cut_off(end, at)
            return
        left_at = at or self.ending.clock()

        def look_at(known: asyncio.Future[bool]) -> None:
            was_taken = not known.cancelled() and known.result()
            self.ending.cut_off(TRANSFERRED if was_taken else end, left_at)

        referral.add_done_callback(look_at)

    def _on_attributes_changed(self, _changed: list[str], participant: rtc.Participant) -> None:
        """Take a BYE as soon as livekit-sip says so.

        It closes its connection right after, and when livekit-server sees the closed connection
        before the word of leaving in it, the participant stays listed for 20 s more, which the
        caller would pay for.
        """
        is_caller = participant.identity == self._caller_identity
        if is_caller and participant.attributes.get(CALL_STATUS) == CALL_HUNG_UP:
            reason = rtc.DisconnectReason.CLIENT_INITIATED
            self._caller_left(end_by_departure(reason, answered=self._answered_at is not None))

    def _on_reconnecting(self) -> None:
        self._is_reconnecting = True

    def _on_reconnected(self) -> None:
        self._is_reconnecting = False

    def _on_disconnected(self, reason: int | None = None) -> None:
        self.ending.cut_off(end_by_lost_room(reason))


def _hops_in(answer: str) -> int:
    """Return the hops that a leg's headers tell; what a stranger wrote there is none."""
    try:
        headers = json.loads(answer).get("headers") or {}
        told = {name.lower(): value for name, value in headers.items()}
        return max(0, int(told[HOPS_HEADER.lower()]))
    except (ValueError, AttributeError, KeyError, TypeError):
        return 0


async def join(ctx: JobContext) -> Line:
    """Connect the job to its room and return the line, already watched."""
    line = Line(ctx.room, Ending())
    # Whatever the job was waiting for then.
    ctx.room.on("disconnected", lambda *_: end_process_within())
    await ctx.connect()
    return line
