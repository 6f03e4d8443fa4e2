"""The voice of one call: RTP out every 20 ms on a steady clock, RTP in as it comes.

Source: RFC 3550 section 5 (RTP), RFC 4733 section 2.5 (digits in place of audio).
"""

import asyncio
import contextlib
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from telephony.dtmf import DtmfStep
from telephony.softphone.dtmf_events import DtmfReceiver, ReceivedDigit
from telephony.softphone.dtmf_sender import DtmfSender
from telephony.softphone.errors import CallIsOver, DtmfNotSupported
from telephony.softphone.g711 import CODECS
from telephony.softphone.media_socket import Endpoint, MediaSocket
from telephony.softphone.playback import FRAME_S, FRAME_SAMPLES, PlaybackQueue
from telephony.softphone.recording import AudioRecorder
from telephony.softphone.rtp import RtpPacket, find_rtp_packet
from telephony.softphone.sdp import NegotiatedAudio

_MOST_CATCH_UP_FRAMES: Final = 5
"""Packets sent back to back after the event loop was late, 100 ms: a jitter buffer takes that.
What is later than this is skipped, so that the stream never runs behind the clock."""

DatagramFilter = Callable[[bytes, Endpoint], bool]
"""Decides whether an outgoing datagram really leaves; for tests of a lossy network."""


@dataclass(slots=True)
class SendingStatistics:
    """Counts of one call's outgoing packets."""

    sent: int = 0
    failed: int = 0
    """Packets the network stack refused."""
    skipped_frames: int = 0
    """Frames of 20 ms not sent because the event loop was more than 100 ms late."""
    latest_s: float = 0.0
    """The longest a packet left after its time, in seconds."""


class MediaStream:
    """Sends and receives the audio and the digits of one call."""

    def __init__(self, host: str, *, outgoing_filter: DatagramFilter | None = None) -> None:
        """Open an RTP port.

        Args:
            host: Address to bind.
            outgoing_filter: Decides which packets really leave.
        """
        self.recorder: Final = AudioRecorder()
        self.playback: Final = PlaybackQueue()
        self.sending: Final = SendingStatistics()
        self.digits: Final[list[ReceivedDigit]] = []
        """Keys the far end pressed, in order."""
        self._socket = MediaSocket(host, self._receive)
        self._filter = outgoing_filter
        self._agreed: NegotiatedAudio | None = None
        self._remote_was_heard = False
        self._keys = DtmfSender()
        self._dtmf_in: dict[int, DtmfReceiver] = {}
        self._progress = asyncio.Event()
        self._sequence = secrets.randbits(16)
        self._timestamp = secrets.randbits(32)
        self._ssrc = secrets.randbits(32)
        self._begins_talking = True
        self._sender: asyncio.Task[None] | None = None

    @property
    def port(self) -> int:
        """The bound RTP port."""
        return self._socket.port

    @property
    def agreed(self) -> NegotiatedAudio | None:
        """What was negotiated last; None before the first answer."""
        return self._agreed

    def use(self, agreed: NegotiatedAudio) -> None:
        """Send and receive as agreed from here on; starts the clock the first time."""
        before, self._agreed = self._agreed, agreed
        if before is None or _endpoint(before) != _endpoint(agreed):
            self._remote_was_heard = False
        if self._sender is None:
            self._sender = asyncio.create_task(self._send_on_time(), name="softphone-rtp")

    async def press(self, steps: Sequence[DtmfStep]) -> None:
        """Press keys; returns when the gap after the last has passed.

        Raises:
            DtmfNotSupported: The far end takes no telephone-events.
            CallIsOver: The call ended before all keys were sent.
        """
        if self._agreed is None or self._agreed.dtmf_payload_type is None:
            raise DtmfNotSupported("the far end takes no telephone-events")
        if not await self._keys.press(steps):
            raise CallIsOver("the call ended while keys were being sent")

    async def progress(self, patience_s: float) -> None:
        """Wait until a packet has arrived or a digit is complete, at most this many seconds."""
        # Not `wait_for`: on Python 3.11 it may swallow the cancellation of a timeout around it.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience_s):
                await self._progress.wait()

    def close(self) -> None:
        """Stop sending and receiving; everything heard stays readable."""
        self._socket.close()
        if self._sender is not None:
            self._sender.cancel()
        self.playback.stop()
        self._keys.stop()
        self._notify()

    async def _send_on_time(self) -> None:
        # Every packet has its own due time counted from one start, so lateness never adds up.
        started_s = time.monotonic()
        frame = 0
        while True:
            now = time.monotonic()
            behind_s = now - (started_s + frame * FRAME_S)
            if behind_s < 0:
                await asyncio.sleep(-behind_s)
                continue
            self.sending.latest_s = max(self.sending.latest_s, behind_s)
            skipped = max(0, int(behind_s / FRAME_S) - _MOST_CATCH_UP_FRAMES)
            self.sending.skipped_frames += skipped
            self._timestamp = (self._timestamp + skipped * FRAME_SAMPLES) & 0xFFFFFFFF
            self._send_frame(now)
            self._timestamp = (self._timestamp + FRAME_SAMPLES) & 0xFFFFFFFF
            frame += skipped + 1
            for receiver in self._dtmf_in.values():
                self._complete(receiver.expire(now))

    def _send_frame(self, now: float) -> None:
        agreed = self._agreed
        if agreed is None:
            return
        event = self._keys.next_event(self._timestamp)
        if event is not None and agreed.dtmf_payload_type is not None:
            packet = self._packet(
                agreed.dtmf_payload_type, event.timestamp, event.payload.to_bytes(), event.marker
            )
        else:
            # The sound runs on while the call is held: a person does not stop talking either.
            pcm = self.playback.next_frame(now)
            codec = agreed.codec
            payload = codec.silence * FRAME_SAMPLES if pcm is None else codec.encode(pcm)
            packet = self._packet(
                codec.payload_type, self._timestamp, payload, self._begins_talking
            )
        if not agreed.may_send:
            self._begins_talking = True
            return
        self._begins_talking = False
        self._send(packet, _endpoint(agreed))

    def _packet(self, payload_type: int, timestamp: int, payload: bytes, marker: bool) -> RtpPacket:  # noqa: FBT001 - a field of the packet
        return RtpPacket(payload_type, self._sequence, timestamp, self._ssrc, payload, marker)

    def _send(self, packet: RtpPacket, to: Endpoint) -> None:
        datagram = packet.to_bytes()
        self._sequence = (self._sequence + 1) & 0xFFFF
        self.sending.sent += 1
        if self._filter is not None and not self._filter(datagram, to):
            return
        if not self._socket.send(datagram, to):
            self.sending.failed += 1

    def _receive(self, datagram: bytes, source: Endpoint, arrived_s: float) -> None:
        packet = find_rtp_packet(datagram)
        if packet is None or not self._is_from_remote(source):
            self.recorder.strangers += 1
            return
        if packet.payload_type in CODECS:
            self.recorder.record(packet, CODECS[packet.payload_type], arrived_s)
        elif self.recorder.count(packet) and self._is_dtmf(packet):
            receiver = self._dtmf_in.setdefault(packet.ssrc, DtmfReceiver())
            self._complete(receiver.receive(packet.timestamp, packet.payload, arrived_s))
        self._notify()

    def _is_from_remote(self, source: Endpoint) -> bool:
        """Say whether to listen to this source.

        Behind a NAT the far end's packets come from elsewhere than its SDP says, so the first
        comer is heard; once the named address itself speaks, only that one is. This keeps out
        the tail of an earlier call on the same port.
        """
        if self._agreed is None:
            return True
        if source == _endpoint(self._agreed):
            self._remote_was_heard = True
        return self._remote_was_heard is False or source == _endpoint(self._agreed)

    def _is_dtmf(self, packet: RtpPacket) -> bool:
        # Our own answers always name the payload type of the offer, our offers name 101.
        expected = self._agreed.dtmf_payload_type if self._agreed else None
        return packet.payload_type in {expected, 101}

    def _complete(self, digits: list[ReceivedDigit]) -> None:
        if digits:
            self.digits.extend(digits)
            self._notify()

    def _notify(self) -> None:
        # Wakes everybody who waits now; whoever comes later waits for the next packet.
        self._progress.set()
        self._progress.clear()


def _endpoint(agreed: NegotiatedAudio) -> Endpoint:
    return (agreed.remote_host, agreed.remote_port)
