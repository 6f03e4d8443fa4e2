"""SIP messages: what is read, what is kept as written, what is turned away."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sipmessage import Request, Response

from telephony.softphone.errors import InvalidSDP, NoCommonCodec
from telephony.softphone.sdp import SessionDescription, parse_sdp
from telephony.softphone.sip_messages import (
    make_response,
    parse_message,
    split_addresses,
    tag_of,
    with_received,
)

pytestmark = pytest.mark.unit

INVITE = (
    b"INVITE sip:+12015550100@127.0.0.1:5060 SIP/2.0\r\n"
    b"Via: SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bKa*b;rport, SIP/2.0/UDP 10.0.0.2;rport\r\n"
    b'From: "Ann ""A"" Bee" <sip:+12015550123@10.0.0.1>;tag=a~b*c\r\n'
    b"To: <sip:+12015550100@127.0.0.1>\r\n"
    b"Call-ID: one@10.0.0.1\r\n"
    b"CSeq: 1 INVITE\r\n"
    b"Contact: <sip:10.0.0.1;transport=udp>\r\n"
    b"Record-Route: <sip:p1.example;lr>, <sip:p2.example;lr>\r\n"
    b"Content-Length: 4\r\n\r\nbodyand more"
)
SDP = SessionDescription("127.0.0.1", 4000, (0, 8)).to_bytes()


def mutations(original: bytes) -> st.SearchStrategy[bytes]:
    """Return strategies for a message with one stretch of it overwritten."""
    return st.builds(
        lambda at, length, junk: original[:at] + junk + original[at + length :],
        st.integers(0, len(original)),
        st.integers(0, 12),
        st.binary(max_size=12),
    )


def parsed_invite() -> Request:
    message = parse_message(INVITE)
    assert isinstance(message, Request)
    return message


@given(mutations(INVITE) | mutations(INVITE.replace(b"INVITE sip:", b"SIP/2.0 200 ", 1)))
def test_a_damaged_message_is_read_or_turned_away(datagram: bytes) -> None:
    with contextlib.suppress(ValueError):
        message = parse_message(datagram)
        assert message.via
        assert message.call_id is not None


@given(mutations(SDP))
def test_a_damaged_description_is_read_or_turned_away(body: bytes) -> None:
    with contextlib.suppress(InvalidSDP, NoCommonCodec):
        assert parse_sdp(body).host


def test_the_body_ends_where_its_length_says() -> None:
    assert parsed_invite().body == b"body"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"Call-ID", b"X-Call"),
        (b"CSeq: 1 INVITE", b"CSeq: one"),
        (b"Content-Length: 4", b"Content-Length: -4"),
        (b"<sip:10.0.0.1;transport=udp>", b"nobody@"),
    ],
)
def test_turns_away_a_message_without_what_every_message_needs(old: bytes, new: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_message(INVITE.replace(old, new))


def test_turns_away_a_status_that_does_not_exist() -> None:
    response = bytes(make_response(parsed_invite(), 200)).replace(b"200 OK", b"99 What")
    with pytest.raises(ValueError, match="status"):
        parse_message(response)


def test_notes_where_a_request_came_from_in_its_first_via_only() -> None:
    invite = parsed_invite()
    with_received(invite, "192.0.2.1", 6000)
    first, second = invite.headers["Via"].split(", ")
    assert first == ("SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bKa*b;rport=6000;received=192.0.2.1")
    assert second == "SIP/2.0/UDP 10.0.0.2;rport"


def test_a_response_keeps_names_and_tags_as_written() -> None:
    response = make_response(parsed_invite(), 180, to_tag="ours")
    assert response.headers["From"].endswith(";tag=a~b*c")
    assert tag_of(response.headers["To"]) == "ours"
    assert isinstance(parse_message(bytes(response)), Response)


def test_trying_carries_no_tag_and_a_given_tag_stays() -> None:
    trying = make_response(parsed_invite(), 100, to_tag="ours")
    assert tag_of(trying.headers["To"]) is None
    invite = parsed_invite()
    invite.headers.set("To", "<sip:x@y>;tag=theirs")
    assert tag_of(make_response(invite, 200, to_tag="ours").headers["To"]) == "theirs"


def test_splits_addresses_and_keeps_each_as_written() -> None:
    values = ['"Last, First" <sip:a;lr>;x=1, <sip:b,c;lr>', "sip:d"]
    assert split_addresses(values) == ['"Last, First" <sip:a;lr>;x=1', "<sip:b,c;lr>", "sip:d"]
