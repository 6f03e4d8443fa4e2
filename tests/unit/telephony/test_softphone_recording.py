"""What was heard, and when."""

import numpy as np
import pytest

from telephony.softphone.g711 import PCMU
from telephony.softphone.recording import AudioRecorder, loudest_dbfs
from telephony.softphone.rtp import RtpPacket

pytestmark = pytest.mark.unit

LOUD = PCMU.encode(np.full(160, 8000, dtype=np.int16))
QUIET = PCMU.silence * 160


class Sender:
    """Delivers packets to a recorder at chosen times."""

    def __init__(self, *, sequence: int = 0, timestamp: int = 0, ssrc: int = 1) -> None:
        self.recorder = AudioRecorder()
        self.sequence, self.timestamp, self.ssrc = sequence, timestamp, ssrc

    def deliver(self, index: int, after_s: float, payload: bytes = LOUD) -> None:
        packet = RtpPacket(
            0,
            (self.sequence + index) & 0xFFFF,
            (self.timestamp + index * 160) & 0xFFFFFFFF,
            self.ssrc,
            payload,
        )
        self.recorder.record(packet, PCMU, self.recorder.started_s + after_s)

    def loud_frames(self, until_s: float) -> list[int]:
        """Return the 20 ms frames of the time line that hold sound."""
        pcm = self.recorder.heard(self.recorder.started_s + until_s).pcm
        frames = pcm.reshape(-1, 160)
        return [index for index, frame in enumerate(frames) if loudest_dbfs(frame) > -45]


def test_jitter_is_taken_out_of_the_time_line() -> None:
    sender = Sender()
    for index, after_s in enumerate([0.1, 0.135, 0.135, 0.19]):
        sender.deliver(index, after_s)
    assert sender.loud_frames(0.3) == [5, 6, 7, 8]


def test_silence_stands_where_a_packet_was_lost() -> None:
    sender = Sender()
    for index in (0, 1, 3):
        sender.deliver(index, 0.1 + index * 0.02)
    assert sender.loud_frames(0.3) == [5, 6, 8]
    assert sender.recorder.statistics().lost == 1


def test_reordered_packets_stand_in_their_place() -> None:
    sender = Sender()
    for index, payload in ((0, LOUD), (2, QUIET), (1, LOUD)):
        sender.deliver(index, 0.1 + index * 0.02, payload)
    assert sender.loud_frames(0.3) == [5, 6]
    statistics = sender.recorder.statistics()
    assert (statistics.reordered, statistics.lost) == (1, 0)


def test_a_repeated_packet_counts_once() -> None:
    sender = Sender()
    sender.deliver(0, 0.1)
    sender.deliver(0, 0.11)
    assert len(sender.recorder.packets) == 1
    assert sender.recorder.statistics().duplicates == 1


def test_counters_wrap_without_a_break() -> None:
    sender = Sender(sequence=0xFFFF, timestamp=0xFFFFFFFF - 100)
    for index in range(4):
        sender.deliver(index, 0.1 + index * 0.02)
    assert sender.loud_frames(0.3) == [5, 6, 7, 8]
    assert sender.recorder.statistics().lost == 0


def test_a_sender_whose_clock_stood_still_in_a_pause_is_heard_when_it_speaks() -> None:
    sender = Sender()
    sender.deliver(0, 0.1)
    sender.deliver(1, 1.0)
    assert sender.loud_frames(1.2) == [5, 50]


def test_a_new_source_begins_a_run_of_its_own() -> None:
    sender = Sender()
    sender.deliver(0, 0.1)
    sender.ssrc, sender.sequence, sender.timestamp = 2, 30000, 5_000_000
    sender.deliver(0, 0.2)
    assert sender.loud_frames(0.3) == [5, 10]
    assert sender.recorder.statistics().lost == 0


def test_finds_the_first_sound_by_its_own_arrival() -> None:
    sender = Sender()
    for index, payload in enumerate([LOUD, QUIET, QUIET, LOUD]):
        sender.deliver(index, 0.1 + index * 0.02, payload)
    start_s = sender.recorder.started_s
    found = sender.recorder.find_sound(start_s + 0.11)
    assert found is not None
    assert found.arrived_s == pytest.approx(start_s + 0.16)
    assert sender.recorder.find_sound(start_s + 0.17) is None


def test_cuts_the_time_line_by_moments() -> None:
    sender = Sender()
    sender.deliver(0, 0.1)
    heard = sender.recorder.heard(sender.recorder.started_s + 0.3)
    start_s = heard.started_s
    assert heard.duration_s == pytest.approx(0.3)
    assert loudest_dbfs(heard.between(start_s + 0.1, start_s + 0.12)) > -45
    assert loudest_dbfs(heard.between(start_s + 0.12, start_s + 9)) == -96
    assert heard.between(start_s - 2, start_s - 1).size == 0


def test_the_newest_packet_is_heard_in_full() -> None:
    sender = Sender()
    sender.deliver(0, 60.0)
    assert loudest_dbfs(sender.recorder.heard().pcm) > -45


def test_steady_packets_have_no_jitter() -> None:
    sender = Sender()
    for index in range(50):
        sender.deliver(index, 0.1 + index * 0.02)
    assert sender.recorder.statistics().jitter_ms == pytest.approx(0, abs=0.001)
