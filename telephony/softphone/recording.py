"""What a phone heard: every packet with its arrival, and the sound on one time line.

Two readings of the same packets, for two questions. *When did the first sound arrive?* is read
from the packets' own arrival times, exactly. *What did the caller hear?* is the time line: the
jitter is taken out of a run of packets by their RTP timestamps, as a jitter buffer does, and
silence stands wherever nothing arrived.

Source: RFC 3550 appendix A.1 (extended sequence numbers), A.3 (loss), A.8 (jitter).
"""

import time
from bisect import bisect_left
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

import numpy as np

from telephony.softphone.g711 import SAMPLE_RATE_HZ, SILENCE_DBFS, Codec, Pcm, level_dbfs
from telephony.softphone.rtp import RtpPacket

SPEECH_DBFS: Final = -45.0
"""Level above which a 20 ms packet counts as sound: far above idle noise of G.711 (-70 dBFS and
below), far below quiet speech (-35 dBFS)."""

_RESYNC_AFTER_S: Final = 0.25
"""Arrival this far from where the RTP timestamps put a packet starts a new run: the sender
paused, or its clock jumped. Anything less is jitter."""


@dataclass(frozen=True, slots=True)
class HeardPacket:
    """One audio packet as it arrived."""

    arrived_s: float
    """Monotonic seconds."""
    ssrc: int
    sequence: int
    """Extended sequence number: it keeps growing past 16 bits."""
    timestamp: int
    """Extended RTP timestamp in samples."""
    level_dbfs: float
    codec: Codec
    payload: bytes


@dataclass(frozen=True, slots=True)
class HeardAudio:
    """Sound on a time line."""

    pcm: Pcm
    """int16, mono, 8000 Hz; zero where nothing arrived."""
    started_s: float
    """Monotonic seconds of the first sample."""
    started_at: datetime
    """The same moment on the wall clock."""

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return len(self.pcm) / SAMPLE_RATE_HZ

    def between(self, start_s: float, end_s: float) -> Pcm:
        """Return the samples between two monotonic moments, cut at the ends of the time line."""
        first = round((start_s - self.started_s) * SAMPLE_RATE_HZ)
        last = round((end_s - self.started_s) * SAMPLE_RATE_HZ)
        return self.pcm[max(0, first) : max(0, last)]


@dataclass(frozen=True, slots=True)
class ReceptionStatistics:
    """Counts of one call's incoming audio and digits."""

    received: int
    """RTP packets that arrived, repeats not counted."""
    lost: int
    """Packets missing from the sequence so far."""
    duplicates: int
    reordered: int
    """Packets that arrived after a later one."""
    strangers: int
    """Datagrams dropped: not RTP, or not from the far end."""
    jitter_ms: float
    """Interarrival jitter of the newest stream."""


@dataclass(slots=True)
class _Source:
    """One SSRC: unwraps its 16 and 32 bit counters and counts its packets."""

    first_sequence: int
    sequence: int
    timestamp: int
    transit: float | None = None
    jitter: float = 0.0
    reordered: int = 0
    seen: set[int] = field(default_factory=set)

    def unwrap(self, packet: RtpPacket) -> tuple[int, int]:
        """Return the packet's extended sequence number and timestamp."""
        sequence = self.sequence + _signed(packet.sequence - self.sequence, 16)
        timestamp = self.timestamp + _signed(packet.timestamp - self.timestamp, 32)
        return sequence, timestamp

    def advance(self, sequence: int, timestamp: int) -> None:
        """Count one new packet."""
        self.seen.add(sequence)
        self.first_sequence = min(self.first_sequence, sequence)
        if sequence < self.sequence:
            self.reordered += 1
        self.sequence = max(self.sequence, sequence)
        self.timestamp = max(self.timestamp, timestamp)

    def measure_jitter(self, timestamp: int, arrived_s: float) -> None:
        """Take an audio packet into the jitter; events repeat their timestamp and say nothing."""
        transit = arrived_s - timestamp / SAMPLE_RATE_HZ
        if self.transit is not None:
            self.jitter += (abs(transit - self.transit) - self.jitter) / 16
        self.transit = transit

    @property
    def lost(self) -> int:
        return self.sequence - self.first_sequence + 1 - len(self.seen)


class AudioRecorder:
    """Keeps everything heard in one call."""

    def __init__(self) -> None:
        self.started_s: Final = time.monotonic()
        self.started_at: Final = datetime.now(UTC)
        self.packets: Final[list[HeardPacket]] = []
        """Audio packets in order of arrival."""
        self.strangers = 0
        self._sources: dict[int, _Source] = {}
        self._newest: _Source | None = None
        self._duplicates = 0

    def count(self, packet: RtpPacket) -> tuple[int, int] | None:
        """Count any RTP packet.

        Returns:
            Extended sequence number and timestamp; None for a repeat.
        """
        source = self._sources.get(packet.ssrc)
        if source is None:
            source = _Source(packet.sequence, packet.sequence, packet.timestamp)
            self._sources[packet.ssrc] = source
        sequence, timestamp = source.unwrap(packet)
        if sequence in source.seen:
            self._duplicates += 1
            return None
        source.advance(sequence, timestamp)
        self._newest = source
        return sequence, timestamp

    def record(self, packet: RtpPacket, codec: Codec, arrived_s: float) -> HeardPacket | None:
        """Keep an audio packet; None for a repeat."""
        numbers = self.count(packet)
        if numbers is None:
            return None
        self._sources[packet.ssrc].measure_jitter(numbers[1], arrived_s)
        level = level_dbfs(codec.decode(packet.payload))
        heard = HeardPacket(arrived_s, packet.ssrc, *numbers, level, codec, packet.payload)
        self.packets.append(heard)
        return heard

    def find_sound(
        self, since: float, *, threshold_dbfs: float = SPEECH_DBFS
    ) -> HeardPacket | None:
        """Return the first packet with sound that arrived at or after a monotonic moment."""
        for packet in self.packets[self._index(since) :]:
            if packet.level_dbfs >= threshold_dbfs:
                return packet
        return None

    def last_sound_s(self, *, threshold_dbfs: float = SPEECH_DBFS) -> float | None:
        """Return when the newest packet with sound arrived."""
        for packet in reversed(self.packets):
            if packet.level_dbfs >= threshold_dbfs:
                return packet.arrived_s
        return None

    def statistics(self) -> ReceptionStatistics:
        """Return the counts so far."""
        sources = self._sources.values()
        return ReceptionStatistics(
            received=sum(len(source.seen) for source in sources),
            lost=sum(source.lost for source in sources),
            duplicates=self._duplicates,
            reordered=sum(source.reordered for source in sources),
            strangers=self.strangers,
            jitter_ms=self._newest.jitter * 1000 if self._newest else 0.0,
        )

    def heard(self, until: float | None = None) -> HeardAudio:
        """Return the sound from the start of the recording until a monotonic moment.

        Args:
            until: End of the time line; when not given, now, or the end of the newest packet.
        """
        placed = self._placed()
        end = self._sample_at(time.monotonic() if until is None else until)
        if until is None and placed:
            start, newest = placed[-1]
            end = max(end, start + len(newest.payload))
        pcm = np.zeros(max(0, end), dtype=np.int16)
        for start, packet in placed:
            # A packet from before the start loses its head, one across the end its tail.
            sound = packet.codec.decode(packet.payload)[max(0, -start) :]
            room = pcm[max(0, start) : max(0, start) + len(sound)]
            room[:] = sound[: len(room)]
        return HeardAudio(pcm, self.started_s, self.started_at)

    def _sample_at(self, monotonic_s: float) -> int:
        return round((monotonic_s - self.started_s) * SAMPLE_RATE_HZ)

    def _placed(self) -> list[tuple[int, HeardPacket]]:
        """Return each packet with the sample at which it starts."""
        placed: list[tuple[int, HeardPacket]] = []
        anchors: dict[int, int] = {}
        for packet in self.packets:
            arrival = self._sample_at(packet.arrived_s)
            start = anchors.get(packet.ssrc, arrival - packet.timestamp) + packet.timestamp
            if abs(start - arrival) > _RESYNC_AFTER_S * SAMPLE_RATE_HZ:
                start = arrival
            anchors[packet.ssrc] = start - packet.timestamp
            placed.append((start, packet))
        return placed

    def _index(self, since: float) -> int:
        """Return the index of the first packet that arrived at or after a moment."""
        return bisect_left(self.packets, since, key=lambda packet: packet.arrived_s)


def loudest_dbfs(pcm: Pcm) -> float:
    """Return the level of the loudest 20 ms of a stretch of sound; -96 for none."""
    frame = SAMPLE_RATE_HZ // 50
    levels = [level_dbfs(pcm[at : at + frame]) for at in range(0, len(pcm), frame)]
    return max(levels, default=SILENCE_DBFS)


def _signed(difference: int, bits: int) -> int:
    """Read a difference of two counters of so many bits as the nearer way round."""
    half = 1 << (bits - 1)
    return (difference + half) % (1 << bits) - half
