"""How a call ends: the first cause wins, and the end comes exactly once."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from livekit import rtc

from dispatch.calls import CallEnd
from telephony.calls import EndedBy, EndReason

CALLER_HUNG_UP: Final = CallEnd(EndedBy.CALLER, EndReason.HANG_UP)
CALLER_GAVE_UP: Final = CallEnd(EndedBy.CALLER, EndReason.ABANDONED)
CALLER_LOST: Final = CallEnd(EndedBy.CALLER, EndReason.CONNECTION_LOST)
CARRIER_LOST: Final = CallEnd(EndedBy.CARRIER, EndReason.CONNECTION_LOST)
LINE_LOST: Final = CallEnd(EndedBy.SYSTEM, EndReason.CONNECTION_LOST)
SYSTEM_HUNG_UP: Final = CallEnd(EndedBy.SYSTEM, EndReason.HANG_UP)
AGENT_HUNG_UP: Final = CallEnd(EndedBy.AGENT, EndReason.HANG_UP)
HUMAN_HUNG_UP: Final = CallEnd(EndedBy.HUMAN, EndReason.HANG_UP)
CLIENT_HUNG_UP: Final = CallEnd(EndedBy.CLIENT, EndReason.HANG_UP)
TRANSFERRED: Final = CallEnd(EndedBy.AGENT, EndReason.TRANSFERRED)
MESSAGE_HEARD: Final = CallEnd(EndedBy.SYSTEM, EndReason.MESSAGE_HEARD)
NOBODY_REACHED: Final = CallEnd(EndedBy.SYSTEM, EndReason.NOBODY_REACHED)
AGENT_FAILED: Final = CallEnd(EndedBy.SYSTEM, EndReason.AGENT_FAILED)
PROVIDER_FAILED: Final = CallEnd(EndedBy.SYSTEM, EndReason.PROVIDER_FAILED)
CREDIT_SPENT: Final = CallEnd(EndedBy.SYSTEM, EndReason.CREDIT_SPENT)
TIME_LIMIT: Final = CallEnd(EndedBy.SYSTEM, EndReason.TIME_LIMIT)
SILENCE: Final = CallEnd(EndedBy.SYSTEM, EndReason.SILENCE)
STATE_LOST: Final = CallEnd(EndedBy.SYSTEM, EndReason.STATE_LOST)
WORKER_LOST: Final = CallEnd(EndedBy.SYSTEM, EndReason.WORKER_LOST)


def _now() -> datetime:
    return datetime.now(UTC)


class Ending:
    """The end of one call, from its cause to the moment the line goes down.

    Two moments are kept apart: what ends the call is *decided* once, by whoever comes first; then
    a goodbye may still be spoken before the call is *over*.

    Args:
        clock: Returns the present in UTC.
    """

    def __init__(self, clock: Callable[[], datetime] = _now) -> None:
        self.clock = clock
        self._cause: CallEnd | None = None
        self._over = asyncio.Event()
        self._at: datetime | None = None

    @property
    def is_decided(self) -> bool:
        """Whether something is already ending the call."""
        return self._cause is not None

    @property
    def is_over(self) -> bool:
        """Whether nothing more can be said or heard."""
        return self._over.is_set()

    def decide(self, cause: CallEnd) -> bool:
        """Name the cause of the end; return False when another one came first."""
        if self._cause is not None:
            return False
        self._cause = cause
        return True

    def finish(self, at: datetime | None = None) -> None:
        """Let the call be over, by the cause that was decided.

        Args:
            at: When it was over, if that was noticed only now.

        Raises:
            RuntimeError: Nothing was decided.
        """
        if self._cause is None:
            raise RuntimeError("a call cannot be over without a cause")
        if not self._over.is_set():
            self._at = at or self.clock()
            self._over.set()

    def cut_off(self, cause: CallEnd, at: datetime | None = None) -> None:
        """End the call at once: the line is down, or nobody can speak any more."""
        self.decide(cause)
        self.finish(at)

    async def wait(self) -> tuple[CallEnd, datetime]:
        """Wait until the call is over; return the cause and the moment."""
        await self._over.wait()
        if self._cause is None or self._at is None:
            raise RuntimeError("a call is over without a cause")
        return self._cause, self._at


_LEFT: Final[dict[int, CallEnd]] = {
    rtc.DisconnectReason.CLIENT_INITIATED: CALLER_HUNG_UP,
    rtc.DisconnectReason.USER_REJECTED: CALLER_HUNG_UP,
    rtc.DisconnectReason.USER_UNAVAILABLE: CARRIER_LOST,
    rtc.DisconnectReason.SIP_TRUNK_FAILURE: CARRIER_LOST,
    rtc.DisconnectReason.PARTICIPANT_REMOVED: SYSTEM_HUNG_UP,
    rtc.DisconnectReason.ROOM_DELETED: SYSTEM_HUNG_UP,
    rtc.DisconnectReason.ROOM_CLOSED: SYSTEM_HUNG_UP,
    rtc.DisconnectReason.SERVER_SHUTDOWN: LINE_LOST,
    rtc.DisconnectReason.AGENT_ERROR: AGENT_FAILED,
}


def end_by_departure(reason: int | None, *, answered: bool) -> CallEnd:
    """Return how a call ended whose caller left the room.

    Reasons that are not listed (timeouts, lost signalling, failed media, no reason at all) mean
    that the caller went away without saying so.

    Args:
        reason: LiveKit's `DisconnectReason` of the caller's participant; None when unknown.
        answered: Whether the call had been answered; before that every caller's leaving is
            giving up.

    Source: livekit/protocol livekit_models.proto, DisconnectReason; livekit/sip v1.8.0
    pkg/sip/participant.go (BYE and CANCEL arrive as CLIENT_INITIATED).
    """
    end = _LEFT.get(reason or 0, CALLER_LOST)
    if not answered and end.ended_by is EndedBy.CALLER:
        return CALLER_GAVE_UP
    return end


def end_by_lost_room(reason: int | None) -> CallEnd:
    """Return how a call ended whose room went away under the agent.

    Args:
        reason: LiveKit's `DisconnectReason` of the agent's own participant; None when unknown.
    """
    if _LEFT.get(reason or 0) is SYSTEM_HUNG_UP:
        return SYSTEM_HUNG_UP
    return LINE_LOST
