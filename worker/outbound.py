"""The leg of an outbound call: dialled by the job once it was admitted."""

import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from livekit import rtc

from dispatch.calls import Arrival, CallEnd, EventType
from dispatch.carrier_trunks import CarrierTrunks
from dispatch.errors import DispatchError
from dispatch.outbound_call import CALLEE_IDENTITY, OUTBOUND_ROOM_PREFIX, PlacedCall
from telephony.calls import CallDirection, CallKind, EndedBy, EndReason
from telephony.errors import DialError, DialOutcome, VendorError
from telephony.ports import Dialler, DialRequest, SipServer
from worker.ending import CALLER_HUNG_UP
from worker.line import Line, LineDownError
from worker.sip_status import CALL_HUNG_UP, CALL_RINGING, CALL_STATUS
from worker.transcript import CallJournal

logger = logging.getLogger(__name__)

ANSWER_TIMEOUT_S: Final = 100.0
"""More than any telephone rings; ringing has a limit of its own."""

_ENDS: Final = {
    DialOutcome.BUSY: CallEnd(EndedBy.CALLEE, EndReason.BUSY),
    DialOutcome.NO_ANSWER: CallEnd(EndedBy.CALLEE, EndReason.NO_ANSWER),
    DialOutcome.REJECTED: CallEnd(EndedBy.CALLEE, EndReason.REJECTED),
    DialOutcome.FAILED: CallEnd(EndedBy.CARRIER, EndReason.DIAL_FAILED),
}
_NOT_DIALLED: Final = CallEnd(EndedBy.SYSTEM, EndReason.DIAL_FAILED)


async def placed_arrival(room_name: str, trunks: CarrierTrunks) -> Arrival | None:
    """Return the outbound call that is to be placed in this room, or None when there is none.

    Raises:
        StoreUnavailable: Redis could not be reached.
    """
    placed = await trunks.find_placed(room_name)
    if placed is None:
        return None
    return Arrival(
        call_id=placed.call_id,
        kind=CallKind.SIP,
        direction=CallDirection.OUTBOUND,
        room_name=room_name,
        caller_identity=CALLEE_IDENTITY,
        did=placed.to_number,
        caller_number=placed.from_number,
    )


def is_outbound(room_name: str) -> bool:
    """Whether a room is one that a call is placed in."""
    return room_name.startswith(OUTBOUND_ROOM_PREFIX)


def seen_from(arrival: Arrival, end: CallEnd) -> CallEnd:
    """Return how a call ended with the right name for whoever the agent talked with."""
    if arrival.direction is CallDirection.OUTBOUND and end.ended_by is EndedBy.CALLER:
        return replace(end, ended_by=EndedBy.CALLEE)
    return end


class OutboundLeg:
    """The called party's telephone, until it is answered; then it is a leg like any other.

    Args:
        line: The call's line; told how the call ended when it is not answered.
        dialler: Rings telephones.
        trunks: Where the call's carrier is.
        journal: Where dialling and ringing go on record.
        may_dial: Whether a call may be sent to a host (and port); tenants name their carriers'.
    """

    def __init__(
        self,
        line: Line,
        dialler: Dialler,
        trunks: CarrierTrunks,
        journal: CallJournal,
        may_dial: Callable[[str], Awaitable[bool]],
    ) -> None:
        self._line = line
        self._dialler = dialler
        self._trunks = trunks
        self._journal = journal
        self._may_dial = may_dial
        self._is_alerted = False
        self._is_gone = False

    async def place(self) -> None:
        """Ring the called party; returns when they answered. A call is placed once.

        Raises:
            LineDownError: They did not, or the call was cancelled.
        """
        found = await self._find()
        if found is None:
            self._line.ending.cut_off(_NOT_DIALLED)
            raise LineDownError
        placed, server = found
        request = DialRequest(
            room_name=self._line.room.name,
            identity=CALLEE_IDENTITY,
            to=placed.to_number,
            trunk=server,
            from_number=placed.from_number,
            ringing_timeout_s=float(placed.ring_timeout_s),
            name="Callee",
        )
        self._journal.event(EventType.DIALLING, connection_id=str(placed.connection_id))
        with self._watching():
            try:
                await self._line.unless_down(self._dialler.dial(request))
            except DialError as exc:
                end = replace(_ENDS[exc.outcome], sip_code=exc.sip_code)
                self._line.ending.cut_off(end)
                raise LineDownError from exc
            except VendorError as exc:
                logger.warning("not dialled", extra={"operation": exc.operation})
                self._line.ending.cut_off(_NOT_DIALLED)
                raise LineDownError from exc
            # No await since the answer: nobody leaves unseen.
            self._line.expect(CALLEE_IDENTITY)
            if self._is_gone:
                self._line.mark_answered(datetime.now(UTC))
                self._line.ending.cut_off(CALLER_HUNG_UP)
                raise LineDownError

    async def _find(self) -> tuple[PlacedCall, SipServer] | None:
        try:
            placed = await self._trunks.find_placed(self._line.room.name)
            server = None if placed is None else await self._trunks.find(placed.connection_id)
        except DispatchError as exc:
            logger.warning("carrier not found", extra={"error": type(exc).__name__})
            return None
        if placed is None or server is None:
            logger.warning("carrier takes no calls")
            return None
        if not await self._may_dial(server.hostname):
            logger.warning("carrier is at no public address")
            return None
        return placed, server

    @contextmanager
    def _watching(self) -> Iterator[None]:
        """Watch the leg while it is dialled."""
        room = self._line.room
        room.on("participant_connected", self._look_at)
        room.on("participant_attributes_changed", self._on_attributes)
        room.on("participant_disconnected", self._on_left)
        try:
            yield
        finally:
            room.off("participant_connected", self._look_at)
            room.off("participant_attributes_changed", self._on_attributes)
            room.off("participant_disconnected", self._on_left)

    def _on_attributes(self, _changed: list[str], participant: rtc.Participant) -> None:
        self._look_at(participant)

    def _look_at(self, participant: rtc.Participant) -> None:
        if participant.identity != CALLEE_IDENTITY:
            return
        status = participant.attributes.get(CALL_STATUS)
        self._is_gone = self._is_gone or status == CALL_HUNG_UP
        if status == CALL_RINGING and not self._is_alerted:
            self._is_alerted = True
            self._journal.event(EventType.ALERTING)

    def _on_left(self, participant: rtc.RemoteParticipant) -> None:
        self._is_gone = self._is_gone or participant.identity == CALLEE_IDENTITY
