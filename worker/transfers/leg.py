"""The leg of somebody a call is passed to: dialled, listened to, hung up."""

import asyncio
import logging
import math
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from livekit import rtc

from telephony.errors import VendorError
from telephony.hearing import Party, Role
from telephony.ports import Dialler, DialRequest
from worker.hearing import RoomHearing
from worker.in_vain import unless
from worker.sip_status import CALL_HUNG_UP, CALL_STATUS

logger = logging.getLogger(__name__)

_HANG_UP_TIMEOUT_S: Final = 5.0


class HumanLeg:
    """Somebody's telephone, from the first ring to its end.

    Args:
        room: The call's room.
        dialler: Rings telephones.
        hearing: Who hears whom in the room.
        request: Whom to call, over what; its identity becomes the leg's.
        on_end: Told once, when the leg was answered and is over.
    """

    def __init__(
        self,
        room: rtc.Room,
        dialler: Dialler,
        hearing: RoomHearing,
        request: DialRequest,
        on_end: Callable[["HumanLeg"], None],
    ) -> None:
        self.request = replace(request, room_name=room.name)
        self.party = Party(request.identity, Role.HUMAN)
        self.gone = asyncio.Event()
        """Set once the leg was there and is no more."""
        self.keys: asyncio.Queue[str] = asyncio.Queue()
        """Keys pressed on it."""
        self.voice: asyncio.Future[rtc.Track] = asyncio.get_running_loop().create_future()
        """What it says, once the job receives it."""
        self._room = room
        self._dialler = dialler
        self._hearing = hearing
        self._on_end = on_end
        self._answered_s: float | None = None
        self._ended_s: float | None = None
        self._left = asyncio.Event()
        self._is_shut = asyncio.Event()
        self._shutting: asyncio.Task[None] | None = None
        room.on("participant_connected", self._on_joined)
        room.on("participant_disconnected", self._on_left)
        room.on("participant_attributes_changed", self._on_attributes)
        room.on("sip_dtmf_received", self._on_key)
        room.on("track_subscribed", self._on_voice)

    @property
    def identity(self) -> str:
        """Of its participant in the room."""
        return self.party.identity

    @property
    def billed_s(self) -> int:
        """Started seconds from its answer until now, or until its end; 0 before the answer."""
        if self._answered_s is None:
            return 0
        ended_s = time.monotonic() if self._ended_s is None else self._ended_s
        return max(1, math.ceil(ended_s - self._answered_s))

    async def ring(self) -> None:
        """Call; returns when somebody answered, who hears nothing yet, or is gone already.

        Raises:
            DialError: Nobody did.
            VendorError: LiveKit could not be asked.
        """
        self._hearing.expect(self.party)
        try:
            await self._dialler.dial(self.request)
        except BaseException:
            self.forget()
            raise
        self._answered_s = time.monotonic()
        await unless(self.gone, self._have_shut(), otherwise=None)

    async def hang_up(self) -> None:
        """End the leg, also one that still rings; a LiveKit that is away is logged.

        One that has left is not asked for, or no longer: LiveKit looks three seconds for who is
        gone, and meanwhile the caller is on hold.
        """
        if not self._left.is_set():
            asking = self._dialler.hang_up(self._room.name, self.identity)
            try:
                async with asyncio.timeout(_HANG_UP_TIMEOUT_S):
                    await unless(self._left, asking, otherwise=None)
            except (VendorError, TimeoutError):
                # The call's room is deleted in the end, and with it the leg.
                logger.warning("leg not hung up")
        self.close()

    def close(self) -> None:
        """Take the leg for over, as all are when the call is."""
        self._end()
        self.forget()

    def forget(self) -> None:
        """Watch the leg no longer."""
        self._room.off("participant_connected", self._on_joined)
        self._room.off("participant_disconnected", self._on_left)
        self._room.off("participant_attributes_changed", self._on_attributes)
        self._room.off("sip_dtmf_received", self._on_key)
        self._room.off("track_subscribed", self._on_voice)
        self._hearing.forget(self.identity)
        if self._shutting is not None:
            self._shutting.cancel()

    def _on_joined(self, participant: rtc.RemoteParticipant) -> None:
        if participant.identity == self.identity:
            self._shutting = asyncio.ensure_future(self._shut())

    async def _have_shut(self) -> None:
        # Shut when it joined; if that failed, it is shut now or the leg is not used.
        if self._shutting is not None:
            await self._shutting
        if not self._is_shut.is_set():
            await self._hearing.shut_ear(self.identity)

    async def _shut(self) -> None:
        """Shut its ear while it rings: once answered it would hear every track there is."""
        try:
            await self._hearing.shut_ear(self.identity)
        except VendorError as exc:
            logger.warning("ear not shut while ringing", extra={"operation": exc.operation})
        else:
            self._is_shut.set()

    def _on_left(self, participant: rtc.RemoteParticipant) -> None:
        if participant.identity == self.identity:
            self._left.set()
            self._end()

    def _on_attributes(self, _changed: list[str], participant: rtc.Participant) -> None:
        is_over = participant.attributes.get(CALL_STATUS) == CALL_HUNG_UP
        if participant.identity == self.identity and is_over:
            self._end()

    def _end(self) -> None:
        if self._answered_s is not None and self._ended_s is None:
            self._ended_s = time.monotonic()
            self._on_end(self)
        self.gone.set()

    def _on_key(self, event: rtc.SipDTMF) -> None:
        if event.participant is not None and event.participant.identity == self.identity:
            self.keys.put_nowait(event.digit.upper())

    def _on_voice(
        self, track: rtc.Track, _publication: object, participant: rtc.RemoteParticipant
    ) -> None:
        if participant.identity == self.identity and not self.voice.done():
            self.voice.set_result(track)
