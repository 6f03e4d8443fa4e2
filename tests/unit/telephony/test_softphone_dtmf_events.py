"""Keys as telephone-events, also when packets are lost."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.dtmf import DIGITS
from telephony.softphone.dtmf_events import (
    ABANDONED_AFTER_S,
    DtmfPayload,
    DtmfReceiver,
    ReceivedDigit,
    find_dtmf_payload,
    tone_payloads,
)

pytestmark = pytest.mark.unit

PAYLOADS = st.builds(
    DtmfPayload,
    event=st.integers(0, 255),
    duration=st.integers(0, 0xFFFF),
    is_end=st.booleans(),
    volume=st.integers(0, 63),
)


def received(
    *keys: tuple[int, str], lost: frozenset[tuple[int, int]] = frozenset()
) -> list[ReceivedDigit]:
    """Receive 100 ms keys at timestamps; `lost` names (timestamp, packet index)."""
    receiver, completed = DtmfReceiver(), list[ReceivedDigit]()
    for timestamp, digit in keys:
        for index, payload in enumerate(tone_payloads(digit, 100)):
            if (timestamp, index) not in lost:
                arrived_s = timestamp / 8000 + index * 0.02
                completed += receiver.receive(timestamp, payload.to_bytes(), arrived_s)
    return completed + receiver.expire(1e9)


@given(PAYLOADS)
def test_a_payload_survives_the_wire(payload: DtmfPayload) -> None:
    assert find_dtmf_payload(payload.to_bytes()) == payload


def test_writes_the_payload_of_rfc_4733() -> None:
    # Event 11 (#), end bit, volume 10, 800 samples.
    assert DtmfPayload(11, 800, is_end=True).to_bytes().hex() == "0b8a0320"


def test_a_tone_grows_and_ends_three_times() -> None:
    payloads = tone_payloads("5", 90)
    assert [p.duration for p in payloads] == [160, 320, 480, 640, 720, 720, 720]
    assert [p.is_end for p in payloads] == [False] * 4 + [True] * 3


def test_a_key_counts_once_with_its_time_and_length() -> None:
    assert received((800, "7")) == [ReceivedDigit("7", 0.1, 100.0)]


def test_the_same_key_twice_counts_twice() -> None:
    assert [d.digit for d in received((0, "1"), (2400, "1"))] == ["1", "1"]


@given(
    st.lists(st.sampled_from(DIGITS), min_size=1, max_size=6),
    st.sets(st.tuples(st.integers(0, 5), st.integers(0, 6))),
)
def test_keys_arrive_in_order_whatever_is_lost_as_long_as_one_packet_of_each_arrives(
    digits: list[str], losses: set[tuple[int, int]]
) -> None:
    keys = [(index * 2400, digit) for index, digit in enumerate(digits)]
    lost = {(index * 2400, packet) for index, packet in losses}
    survivors = [
        digit
        for timestamp, digit in keys
        if any((timestamp, packet) not in lost for packet in range(7))
    ]
    assert [d.digit for d in received(*keys, lost=frozenset(lost))] == survivors


def test_a_key_without_its_end_packets_keeps_the_length_heard() -> None:
    lost = frozenset({(0, 4), (0, 5), (0, 6)})
    assert received((0, "3"), lost=lost) == [ReceivedDigit("3", 0.0, 80.0)]


def test_a_key_without_end_is_over_only_after_a_silence() -> None:
    receiver = DtmfReceiver()
    receiver.receive(0, DtmfPayload(3, 160).to_bytes(), 1.0)
    assert receiver.expire(1.0 + ABANDONED_AFTER_S / 2) == []
    assert [d.digit for d in receiver.expire(1.01 + ABANDONED_AFTER_S)] == ["3"]


def test_a_late_packet_does_not_press_an_old_key_again() -> None:
    receiver = DtmfReceiver()
    for timestamp in (0, 2400):
        assert receiver.receive(timestamp, DtmfPayload(1, 800, is_end=True).to_bytes(), 1.0)
    assert receiver.receive(0, DtmfPayload(1, 640).to_bytes(), 1.1) == []
    assert receiver.expire(9.0) == []


@pytest.mark.parametrize("payload", [b"", b"\x01\x0a", DtmfPayload(16, 160).to_bytes()])
def test_passes_over_what_is_no_key(payload: bytes) -> None:
    receiver = DtmfReceiver()
    assert receiver.receive(0, payload, 1.0) + receiver.expire(9.0) == []
