"""The sound of a call: what is said, what is heard, the keys pressed either way."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Final, TypeVar

from telephony.dtmf import DtmfPacing, plan_dtmf
from telephony.softphone.dtmf_events import ReceivedDigit
from telephony.softphone.errors import CallIsOver, NothingHeard
from telephony.softphone.g711 import Pcm, as_pcm
from telephony.softphone.media import MediaStream, SendingStatistics
from telephony.softphone.moments import Moment
from telephony.softphone.playback import FRAME_S, Played
from telephony.softphone.recording import SPEECH_DBFS, HeardAudio, HeardPacket, ReceptionStatistics

_Found = TypeVar("_Found")


class EndedBy(Enum):
    """Who ended a call."""

    LOCAL = "local"
    REMOTE = "remote"
    NETWORK = "network"
    """The far end stopped answering."""


@dataclass(frozen=True, slots=True)
class CallEnd:
    """How a call ended."""

    by: EndedBy
    at: Moment
    reason: str | None = None
    """The `Reason` header of the BYE, if it had one (RFC 3326)."""


@dataclass(frozen=True, slots=True)
class CallStatistics:
    """Packets of one call, both ways."""

    sent: SendingStatistics
    received: ReceptionStatistics


class CallAudio:
    """What a person on the phone does with mouth, ear and fingers."""

    def __init__(self, media: MediaStream) -> None:
        self.media: Final = media
        self._ended: asyncio.Future[CallEnd] = asyncio.get_running_loop().create_future()

    @property
    def ended(self) -> asyncio.Future[CallEnd]:
        """Resolves when the call has ended; awaiting it may be cancelled safely."""
        return asyncio.shield(self._ended)

    @property
    def is_over(self) -> bool:
        """Whether the call has ended."""
        return self._ended.done()

    @property
    def heard(self) -> HeardAudio:
        """Everything heard from the INVITE until now, or until the call ended."""
        until = self._ended.result().at.monotonic_s if self.is_over else None
        return self.media.recorder.heard(until)

    @property
    def heard_packets(self) -> tuple[HeardPacket, ...]:
        """Every audio packet with its arrival time, in order of arrival."""
        return tuple(self.media.recorder.packets)

    @property
    def first_audio_at(self) -> Moment | None:
        """When the first sound above -45 dBFS arrived; None when none has."""
        packet = self.media.recorder.find_sound(0.0)
        return Moment.at_monotonic(packet.arrived_s) if packet else None

    @property
    def received_digits(self) -> tuple[ReceivedDigit, ...]:
        """The keys the far end pressed, in order."""
        return tuple(self.media.digits)

    @property
    def statistics(self) -> CallStatistics:
        """Packets sent, received, lost and late so far."""
        return CallStatistics(self.media.sending, self.media.recorder.statistics())

    async def play(self, sound: Pcm | bytes) -> Played:
        """Say a sound after those already queued, and return when it has been said.

        Args:
            sound: int16, mono, 8000 Hz; bytes are little-endian.

        Raises:
            CallIsOver: The call had ended already. One that ends meanwhile returns a `Played`
                that is not complete.
        """
        self._require_alive()
        pcm = as_pcm(sound)
        if not pcm.size:
            now_s = time.monotonic()
            return Played(now_s, now_s, is_complete=True)
        played = await self.media.playback.play(pcm)
        if played.ended_s is not None:
            # The last frame has left, and the far end still hears it for its length.
            await asyncio.sleep(min(FRAME_S, max(0.0, played.ended_s - time.monotonic())))
        return played

    def stop_playing(self) -> None:
        """Fall silent at once and drop what is queued."""
        self.media.playback.stop()

    async def send_dtmf(self, keys: str, *, pacing: DtmfPacing | None = None) -> None:
        """Press keys as telephone-events and return when the last gap has passed.

        Args:
            keys: `0-9*#A-D`, with `w` for a pause of 0.5 s and `,` for one of 2 s.
            pacing: Lengths of tones and gaps; 160 ms and 100 ms when not given.

        Raises:
            InvalidDtmf: Not keys.
            DtmfNotSupported: The far end takes no telephone-events.
            CallIsOver: The call ended first.
        """
        self._require_alive()
        await self.media.press(plan_dtmf(keys, pacing))

    async def wait_for_audio(
        self,
        *,
        threshold_dbfs: float = SPEECH_DBFS,
        timeout_s: float = 30.0,
        since_s: float | None = None,
    ) -> HeardPacket:
        """Return the first packet with sound that arrives from a moment on.

        Args:
            threshold_dbfs: Level from which a packet counts as sound.
            timeout_s: Seconds to wait.
            since_s: The moment in monotonic seconds; now when not given.

        Raises:
            NothingHeard: Only silence, or nothing, in that time.
            CallIsOver: The call ended first.
        """
        since = time.monotonic() if since_s is None else since_s
        recorder = self.media.recorder
        return await self._wait_until(
            lambda: recorder.find_sound(since, threshold_dbfs=threshold_dbfs), timeout_s
        )

    async def wait_for_quiet(
        self,
        *,
        quiet_s: float = 0.6,
        threshold_dbfs: float = SPEECH_DBFS,
        timeout_s: float = 30.0,
    ) -> float:
        """Wait until nothing was heard for a while; return when the last sound arrived.

        Args:
            quiet_s: Seconds without sound that count as quiet.
            threshold_dbfs: Level from which a packet counts as sound.
            timeout_s: Seconds to wait.

        Returns:
            Monotonic seconds of the last sound, or of the call of this method if there was none.

        Raises:
            NothingHeard: It did not become quiet in that time.
            CallIsOver: The call ended first.
        """
        began_s = time.monotonic()

        def quiet_since() -> float | None:
            last = self.media.recorder.last_sound_s(threshold_dbfs=threshold_dbfs)
            last_s = began_s if last is None else last
            return last_s if time.monotonic() - last_s >= quiet_s else None

        return await self._wait_until(quiet_since, timeout_s)

    async def wait_for_digits(self, count: int, *, timeout_s: float = 30.0) -> str:
        """Return all keys received once there are at least this many.

        Raises:
            NothingHeard: Fewer came in that time.
            CallIsOver: The call ended first.
        """

        def keys() -> str | None:
            digits = self.media.digits
            return "".join(d.digit for d in digits) if len(digits) >= count else None

        return await self._wait_until(keys, timeout_s)

    async def _wait_until(self, find: Callable[[], _Found | None], timeout_s: float) -> _Found:
        """Ask again with every packet, and every 20 ms when none come."""
        try:
            async with asyncio.timeout(timeout_s):
                while (found := find()) is None:
                    self._require_alive()
                    await self.media.progress(FRAME_S)
        except TimeoutError:
            raise NothingHeard("it was not heard in time") from None
        return found

    def _require_alive(self) -> None:
        if self.is_over:
            raise CallIsOver("the call has ended")
