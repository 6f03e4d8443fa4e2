"""SDP offers and answers."""

from dataclasses import replace

import pytest

from telephony.softphone.errors import InvalidSDP, NoCommonCodec
from telephony.softphone.sdp import (
    Direction,
    SessionDescription,
    answer,
    negotiate,
    parse_sdp,
)

pytestmark = pytest.mark.unit

OURS = SessionDescription("127.0.0.1", 40000, (0, 8))

# As a carrier writes it: more codecs than we know, video, encryption keys, unknown attributes.
CARRIER = b"""v=0\r
o=root 1821 1822 IN IP4 198.51.100.7\r
s=call\r
c=IN IP4 198.51.100.7\r
b=CT:384\r
t=0 0\r
a=group:BUNDLE 0 1\r
m=video 20000 RTP/AVP 96\r
a=rtpmap:96 H264/90000\r
m=audio 15884 RTP/AVP 9 8 0 96 101\r
c=IN IP4 198.51.100.8\r
a=rtpmap:9 G722/8000\r
a=rtpmap:8 PCMA/8000/1\r
a=rtpmap:96 telephone-event/48000\r
a=rtpmap:101 telephone-event/8000\r
a=fmtp:101 0-16\r
a=x-unknown:whatever\r
a=sendonly\r
m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r
"""


def test_a_description_survives_the_wire() -> None:
    described = replace(OURS, direction=Direction.SENDONLY, version=7, dtmf_payload_type=None)
    assert parse_sdp(described.to_bytes()) == described


def test_reads_the_audio_of_a_carrier_among_what_it_does_not_know() -> None:
    offer = parse_sdp(CARRIER)
    assert (offer.host, offer.port) == ("198.51.100.8", 15884)
    assert offer.codecs == (8, 0)
    assert offer.dtmf_payload_type == 101
    assert offer.direction is Direction.SENDONLY


def test_the_answer_refuses_every_other_stream_in_its_place() -> None:
    text = answer(OURS, parse_sdp(CARRIER)).to_bytes().decode()
    assert [line for line in text.splitlines() if line.startswith("m=")] == [
        "m=video 0 RTP/AVP 96",
        "m=audio 40000 RTP/AVP 8 101",
        "m=application 0 UDP/DTLS/SCTP webrtc-datachannel",
    ]


def test_the_answer_uses_the_callers_first_codec_and_payload_type_for_digits() -> None:
    offer = replace(OURS, codecs=(8, 0), dtmf_payload_type=96)
    reply = answer(OURS, offer)
    assert reply.codecs == (8,)
    assert reply.dtmf_payload_type == 96


@pytest.mark.parametrize(
    ("offered", "answered"),
    [
        (Direction.SENDRECV, Direction.SENDRECV),
        (Direction.SENDONLY, Direction.RECVONLY),
        (Direction.RECVONLY, Direction.SENDONLY),
        (Direction.INACTIVE, Direction.INACTIVE),
    ],
)
def test_the_answer_mirrors_the_direction(offered: Direction, answered: Direction) -> None:
    assert answer(OURS, replace(OURS, direction=offered)).direction is answered


def test_a_held_end_does_not_send() -> None:
    held = negotiate(OURS, replace(OURS, direction=Direction.SENDONLY))
    assert (held.may_send, held.may_receive) == (False, True)


def test_an_address_of_zeros_means_hold() -> None:
    assert not negotiate(OURS, replace(OURS, host="0.0.0.0")).may_send


def test_direction_of_the_session_holds_where_the_stream_says_nothing() -> None:
    body = OURS.to_bytes().replace(b"a=sendrecv\r\n", b"")
    body = body.replace(b"t=0 0\r\n", b"t=0 0\r\na=inactive\r\n")
    assert parse_sdp(body).direction is Direction.INACTIVE


def test_static_payload_types_need_no_map() -> None:
    body = b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\nc=IN IP4 192.0.2.1\r\nm=audio 4000 RTP/AVP 0\r\n"
    assert parse_sdp(body).codecs == (0,)
    assert negotiate(OURS, parse_sdp(body)).dtmf_payload_type is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xfe",
        b"hello",
        b"v=0\r\nm=audio x RTP/AVP 0\r\n",
        b"v=0\r\nm=audio 4000 RTP/AVP 0\r\n",
        b"v=0\r\nm=audio\r\n",
        b"v=0\r\no=- a b IN IP4 1.2.3.4\r\nc=IN IP4 1.2.3.4\r\nm=audio 4000 RTP/AVP 0\r\n",
    ],
)
def test_refuses_what_cannot_be_read(body: bytes) -> None:
    with pytest.raises((InvalidSDP, NoCommonCodec)):
        parse_sdp(body)


def test_refuses_a_call_without_audio_over_rtp() -> None:
    with pytest.raises(NoCommonCodec):
        parse_sdp(b"v=0\r\no=- 1 1 IN IP4 1.2.3.4\r\nm=audio 4000 RTP/SAVP 0\r\n")


@pytest.mark.parametrize("remote", [replace(OURS, codecs=(18,)), replace(OURS, port=0)])
def test_refuses_when_nothing_is_left_in_common(remote: SessionDescription) -> None:
    with pytest.raises(NoCommonCodec):
        negotiate(OURS, remote)
