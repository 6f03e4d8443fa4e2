"""DTMF as telephone-event packets: what to send for a key, and keys out of what arrived.

Source: RFC 4733 sections 2.3 (payload), 2.5.1 (sending: growing duration, one timestamp, three
end packets) and 2.5.2 (receiving: one event per timestamp, end packets may be lost).
"""

import struct
from collections import deque
from dataclasses import dataclass
from typing import Final

from telephony.dtmf import DIGITS, event_code

_PAYLOAD: Final = struct.Struct("!BBH")
_END: Final = 0x80
_VOLUME_MASK: Final = 0x3F
_SAMPLES_PER_MS: Final = 8
_PACKET_MS: Final = 20
_END_REPEATS: Final = 3
_DEFAULT_VOLUME: Final = 10
"""Tone power, as -10 dBm0."""

ABANDONED_AFTER_S: Final = 0.2
"""An event with no packet for this long has ended: its end packets were all lost."""


@dataclass(frozen=True, slots=True)
class DtmfPayload:
    """The four octets of a telephone-event."""

    event: int
    """0 to 255; 0 to 15 are keys."""
    duration: int
    """Samples since the event began, 16 bits."""
    is_end: bool = False
    volume: int = _DEFAULT_VOLUME
    """Power in -dBm0, 0 to 63."""

    def to_bytes(self) -> bytes:
        """Return the payload as sent on the wire."""
        flags = self.volume | (_END if self.is_end else 0)
        return _PAYLOAD.pack(self.event, flags, self.duration)


def find_dtmf_payload(payload: bytes) -> DtmfPayload | None:
    """Read a telephone-event payload; None when it is too short."""
    if len(payload) < _PAYLOAD.size:
        return None
    event, flags, duration = _PAYLOAD.unpack_from(payload)
    return DtmfPayload(event, duration, bool(flags & _END), flags & _VOLUME_MASK)


def tone_payloads(digit: str, duration_ms: int) -> list[DtmfPayload]:
    """Return the payloads of one key press, one for each 20 ms, then the end three times."""
    event = event_code(digit)
    total = duration_ms * _SAMPLES_PER_MS
    step = _PACKET_MS * _SAMPLES_PER_MS
    growing = [DtmfPayload(event, sofar) for sofar in range(step, total, step)]
    return growing + [DtmfPayload(event, total, is_end=True)] * _END_REPEATS


@dataclass(frozen=True, slots=True)
class ReceivedDigit:
    """A key the far end pressed."""

    digit: str
    started_s: float
    """Monotonic seconds of its first packet to arrive."""
    duration_ms: float
    """Length as the sender stated last; short by what was lost."""


@dataclass(slots=True)
class _Event:
    timestamp: int
    code: int
    started_s: float
    last_s: float
    duration: int

    def digit(self) -> ReceivedDigit:
        return ReceivedDigit(DIGITS[self.code], self.started_s, self.duration / _SAMPLES_PER_MS)


class DtmfReceiver:
    """Turns telephone-event packets of one stream into keys, each exactly once."""

    def __init__(self) -> None:
        self._current: _Event | None = None
        # A late or repeated packet of an event that is over must not press the key again.
        self._finished: deque[int] = deque(maxlen=16)

    def receive(self, timestamp: int, payload: bytes, arrived_s: float) -> list[ReceivedDigit]:
        """Take one packet and return the keys it completes, oldest first."""
        event = find_dtmf_payload(payload)
        if event is None or event.event >= len(DIGITS) or timestamp in self._finished:
            return []
        completed: list[ReceivedDigit] = []
        if self._current is None or self._current.timestamp != timestamp:
            completed += self._finish()
            self._current = _Event(timestamp, event.event, arrived_s, arrived_s, 0)
        self._current.last_s = arrived_s
        self._current.duration = max(self._current.duration, event.duration)
        if event.is_end:
            completed += self._finish()
        return completed

    def expire(self, now: float) -> list[ReceivedDigit]:
        """Return the key whose end packets were all lost, once it has been quiet for 0.2 s."""
        if self._current is None or now - self._current.last_s < ABANDONED_AFTER_S:
            return []
        return self._finish()

    def _finish(self) -> list[ReceivedDigit]:
        if self._current is None:
            return []
        event, self._current = self._current, None
        self._finished.append(event.timestamp)
        return [event.digit()]
