"""RTP packets to and from bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.softphone.rtp import RtpPacket, find_rtp_packet

pytestmark = pytest.mark.unit

# Payload types 64 to 95 collide with RTCP on one port (RFC 5761 section 4).
PAYLOAD_TYPES = st.integers(0, 63) | st.integers(96, 127)
PACKETS = st.builds(
    RtpPacket,
    payload_type=PAYLOAD_TYPES,
    sequence=st.integers(0, 0xFFFF),
    timestamp=st.integers(0, 0xFFFFFFFF),
    ssrc=st.integers(0, 0xFFFFFFFF),
    payload=st.binary(max_size=400),
    marker=st.booleans(),
)


@given(PACKETS)
def test_a_packet_survives_the_wire(packet: RtpPacket) -> None:
    assert find_rtp_packet(packet.to_bytes()) == packet


@given(st.binary(max_size=64))
def test_any_datagram_is_read_or_passed_over(datagram: bytes) -> None:
    packet = find_rtp_packet(datagram)
    assert packet is None or len(packet.payload) <= len(datagram) - 12


def test_writes_the_header_of_rfc_3550() -> None:
    packet = RtpPacket(101, 1, 2, 3, b"\x0b", marker=True)
    assert packet.to_bytes().hex() == "80e50001" + "00000002" + "00000003" + "0b"


def test_skips_sources_extension_and_padding() -> None:
    header = bytes.fromhex("b1000001" + "00000002" + "00000003")
    source, extension = b"\0\0\0\7", bytes.fromhex("bede0001") + b"abcd"
    packet = find_rtp_packet(header + source + extension + b"sound" + b"\0\0\3")
    assert packet is not None
    assert packet.payload == b"sound"


@pytest.mark.parametrize(
    "datagram",
    [
        b"",
        b"\x80\x00\x00",
        b"\x00" * 12,
        bytes.fromhex("80c80006") + b"\0" * 24,
        bytes.fromhex("90000001" + "00000002" + "00000003" + "bede00ff"),
        bytes.fromhex("a0000001" + "00000002" + "00000003" + "0000ff"),
    ],
    ids=["empty", "short", "version 0", "RTCP", "extension too long", "padding too long"],
)
def test_passes_over_what_is_not_rtp(datagram: bytes) -> None:
    assert find_rtp_packet(datagram) is None
