"""What a phone answers to a peer that writes SIP by hand."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from sipmessage import Message, Request, Response

from telephony.softphone.call import CallState
from telephony.softphone.call_audio import EndedBy
from telephony.softphone.digest import Credentials
from telephony.softphone.errors import CallNotAnswered, NoCommonCodec
from telephony.softphone.incoming import answer_after
from telephony.softphone.phone import PhoneOptions, Softphone
from telephony.softphone.transactions import SIPTimers

pytestmark = pytest.mark.unit

SDP = (
    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    "m=audio 9 RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000\r\na=inactive\r\n"
)


class Peer(asyncio.DatagramProtocol):
    """A UDP socket and a person who types."""

    def __init__(self, phone: Softphone) -> None:
        self.phone = phone
        self.received: asyncio.Queue[Request | Response] = asyncio.Queue()
        self.call_id = "peer-call"
        self.to_tag = ""
        self.branch = 0
        self.answers_requests = True

    async def open(self) -> None:
        loop = asyncio.get_running_loop()
        self.transport, _ = await loop.create_datagram_endpoint(
            lambda: self, local_addr=("127.0.0.1", 0)
        )
        self.port: int = self.transport.get_extra_info("sockname")[1]

    def datagram_received(self, data: bytes, addr: object) -> None:  # noqa: ARG002
        message = Message.parse(data)
        if isinstance(message, Request) and message.method != "ACK" and self.answers_requests:
            self.answer(message, "200 OK")
        self.received.put_nowait(message)

    def send(self, text: str) -> None:
        host, port = self.phone.address.split(":")
        self.transport.sendto(text.encode(), (host, int(port)))

    def answer(self, request: Request, status: str, *headers: str, body: str = "") -> None:
        kept = ("Via", "From", "Call-ID", "CSeq")
        lines = [
            f"SIP/2.0 {status}",
            *(f"{name}: {request.headers[name]}" for name in kept),
            f"To: {request.headers['To'].partition(';tag')[0]};tag=far",
            f"Contact: <sip:peer@127.0.0.1:{self.port}>",
            *headers,
        ]
        self.send("\r\n".join(lines) + "\r\n\r\n" + body)

    def request(self, method: str, *headers: str, cseq: int = 1, body: str = "") -> str:
        self.branch += 1
        to_tag = f";tag={self.to_tag}" if self.to_tag else ""
        lines = [
            f"{method} sip:phone@{self.phone.address} SIP/2.0",
            f"Via: SIP/2.0/UDP 192.0.2.9:5555;branch=z9hG4bK{method}{self.branch};rport",
            f"f: <sip:peer@127.0.0.1:{self.port}>;tag=peer~1",
            f'To: "The phone" <sip:phone@{self.phone.address}>{to_tag}',
            f"i: {self.call_id}",
            f"CSeq: {cseq} {method}",
            f"m: <sip:peer@127.0.0.1:{self.port}>",
            *headers,
            f"Content-Length: {len(body)}",
        ]
        return "\r\n".join(lines) + "\r\n\r\n" + body

    async def response(self) -> Response:
        async with asyncio.timeout(30):
            while True:
                message = await self.received.get()
                if isinstance(message, Response) and message.code != 100:
                    return message

    async def next_request(self, method: str | None = None) -> Request:
        async with asyncio.timeout(30):
            while True:
                message = await self.received.get()
                if isinstance(message, Request) and method in {None, message.method}:
                    return message

    async def ask(self, method: str, *headers: str, cseq: int = 1, body: str = "") -> Response:
        self.send(self.request(method, *headers, cseq=cseq, body=body))
        return await self.response()

    async def establish(self, *headers: str) -> Response:
        """Place a call, let it ring, acknowledge its answer."""
        self.send(self.request("INVITE", *headers, "c: application/sdp", body=SDP))
        while (answer := await self.response()).code < 200:
            pass
        self.to_tag = answer.to_address.parameters["tag"] or ""
        self.send(self.request("ACK"))
        return answer


@pytest.fixture
async def peer() -> AsyncIterator[Peer]:
    # So long that nothing is sent again while the peer gets round to it: it would take it for new.
    options = PhoneOptions(timers=SIPTimers(t1_s=2.0, t2_s=4.0))
    async with Softphone(on_call=answer_after(), options=options) as phone:
        peer = Peer(phone)
        await peer.open()
        yield peer
    peer.transport.close()


async def test_answers_options_with_what_it_can_do(peer: Peer) -> None:
    response = await peer.ask("OPTIONS")
    assert response.code == 200
    assert "REFER" in (response.headers.get("Allow") or "")


@pytest.mark.parametrize(
    ("method", "status"),
    [("REGISTER", 405), ("UPDATE", 405), ("DANCE", 501), ("BYE", 481), ("NOTIFY", 481)],
)
async def test_says_which_requests_it_does_not_serve(peer: Peer, method: str, status: int) -> None:
    assert (await peer.ask(method)).code == status


async def test_answers_to_where_the_request_came_from(peer: Peer) -> None:
    via = (await peer.ask("OPTIONS")).via[0]
    assert via.host == "192.0.2.9"
    assert via.parameters["received"] == "127.0.0.1"
    assert via.parameters["rport"] == str(peer.port)


async def test_keeps_tags_and_names_as_written(peer: Peer) -> None:
    response = await peer.ask("OPTIONS")
    assert response.headers["From"].endswith(";tag=peer~1")
    assert response.headers["To"].startswith('"The phone" <sip:')


async def test_repeats_its_answer_to_a_repeated_request(peer: Peer) -> None:
    request = peer.request("OPTIONS")
    peer.send(request)
    first = await peer.response()
    peer.send(request)
    assert bytes(await peer.response()) == bytes(first)


@pytest.mark.parametrize(
    "junk",
    [
        "",
        "\r\n\r\n",
        "hello",
        "OPTIONS sip:x@y SIP/2.0\r\n\r\n",
        "INVITE nonsense SIP/2.0\r\nVia: x\r\n\r\n",
        (
            "OPTIONS sip:x@y SIP/2.0\r\nVia: SIP/2.0/UDP 1.2.3.4;self=1\r\nFrom: <sip:a@b>\r\n"
            "To: <sip:a@b>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\n\r\n"
        ),
    ],
)
async def test_survives_what_is_not_sip(peer: Peer, junk: str) -> None:
    peer.send(junk)
    assert (await peer.ask("OPTIONS")).code == 200


async def test_reads_folded_header_lines(peer: Peer) -> None:
    peer.send(peer.request("OPTIONS").replace("CSeq: 1", "CSeq:\r\n 1"))
    assert (await peer.response()).code == 200


async def test_refuses_extensions_it_does_not_know(peer: Peer) -> None:
    response = await peer.ask("INVITE", "Require: 100rel, timer")
    assert (response.code, response.unsupported) == (420, ["100rel", "timer"])


@pytest.mark.parametrize("body", ["nonsense", SDP.replace("RTP/AVP 0 101", "RTP/SAVP 0")])
async def test_refuses_a_call_without_usable_audio(peer: Peer, body: str) -> None:
    assert (await peer.ask("INVITE", "c: application/sdp", body=body)).code == 488


async def test_follows_the_recorded_route_to_the_contact(peer: Peer) -> None:
    route = f"<sip:127.0.0.1:{peer.port};lr;id=one>"
    far = "<sip:192.0.2.77:5060;lr>"
    answer = await peer.establish(f"Record-Route: {route}, {far}")
    assert answer.headers.getlist("Record-Route") == [f"{route}, {far}"]
    await peer.phone.calls[0].hang_up()
    bye = await peer.next_request()
    assert bye.method == "BYE"
    assert bye.headers.getlist("Route") == [route, far]
    assert str(bye.uri) == f"sip:peer@127.0.0.1:{peer.port}"


async def test_answers_requests_inside_a_call(peer: Peer) -> None:
    await peer.establish()
    assert (await peer.ask("INFO", cseq=2)).code == 200
    assert (await peer.ask("OPTIONS", cseq=3)).code == 200
    assert (await peer.ask("NOTIFY", "Event: refer", cseq=4, body="SIP/2.0 200 OK")).code == 200
    assert peer.phone.calls[0].transfer_statuses == [200]


async def test_refuses_requests_that_come_out_of_order(peer: Peer) -> None:
    await peer.establish()
    assert (await peer.ask("INFO", cseq=5)).code == 200
    assert (await peer.ask("INFO", cseq=4)).code == 500


async def test_a_transfer_must_name_its_target(peer: Peer) -> None:
    await peer.establish()
    assert (await peer.ask("REFER", cseq=2)).code == 400


async def test_a_transfer_to_nowhere_is_reported(peer: Peer) -> None:
    await peer.establish()
    assert (await peer.ask("REFER", "Refer-To: <tel:+12015550170>", cseq=2)).code == 202
    fragments = []
    for _ in range(2):
        notify = await peer.next_request()
        fragments.append(notify.body)
        assert notify.headers.get("Event") == "refer;id=2"
    assert fragments == [b"SIP/2.0 100 Trying\r\n", b"SIP/2.0 404 Not Found\r\n"]


async def test_a_new_offer_moves_the_sound_elsewhere(peer: Peer) -> None:
    await peer.establish()
    call = peer.phone.calls[0]
    assert call.state is CallState.HELD
    moved = SDP.replace("inactive", "sendrecv").replace("audio 9 ", "audio 40002 ")
    answer = await peer.ask("INVITE", "c: application/sdp", cseq=2, body=moved)
    peer.send(peer.request("ACK", cseq=2))
    assert answer.code == 200
    assert call.media.agreed is not None
    assert call.media.agreed.remote_port == 40002
    assert call.state is CallState.ACTIVE


async def test_a_new_offer_it_cannot_serve_leaves_the_call_as_it_is(peer: Peer) -> None:
    await peer.establish()
    g729 = SDP.replace("AVP 0 101", "AVP 18 101")
    assert (await peer.ask("INVITE", "c: application/sdp", cseq=2, body=g729)).code == 488
    assert not peer.phone.calls[0].is_over


async def test_offers_itself_when_the_caller_does_not(peer: Peer) -> None:
    peer.send(peer.request("INVITE"))
    while (answer := await peer.response()).code < 200:
        pass
    assert b"m=audio" in answer.body
    peer.to_tag = answer.to_address.parameters["tag"] or ""
    peer.send(peer.request("ACK", "c: application/sdp", body=SDP))
    assert (await peer.ask("OPTIONS", cseq=2)).code == 200
    agreed = peer.phone.calls[0].media.agreed
    assert agreed is not None
    assert agreed.remote_port == 9


async def test_the_reason_of_a_bye_is_kept(peer: Peer) -> None:
    await peer.establish()
    call = peer.phone.calls[0]
    assert (await peer.ask("BYE", 'Reason: SIP;cause=503;text="gone"', cseq=2)).code == 200
    end = await call.ended
    assert (end.by, end.reason) == (EndedBy.REMOTE, 'SIP;cause=503;text="gone"')


async def test_a_cancel_of_nothing_is_refused(peer: Peer) -> None:
    assert (await peer.ask("CANCEL")).code == 481


async def test_sound_before_the_answer_is_part_of_the_call(peer: Peer) -> None:
    outgoing = peer.phone.invite(f"sip:peer@127.0.0.1:{peer.port}")
    peer.answers_requests = False
    invite = await peer.next_request()
    peer.answer(invite, "183 Session Progress", body=SDP)
    assert await outgoing.ringing == 183
    peer.answer(invite, "200 OK")
    peer.answers_requests = True
    call = await outgoing.answered
    assert call.media.agreed is not None
    assert call.media.agreed.remote_port == 9


async def test_an_answer_without_audio_ends_the_call(peer: Peer) -> None:
    outgoing = peer.phone.invite(f"sip:peer@127.0.0.1:{peer.port}")
    peer.answers_requests = False
    peer.answer(await peer.next_request(), "200 OK", body="nonsense")
    peer.answers_requests = True
    assert (await peer.next_request()).method == "ACK"
    assert (await peer.next_request()).method == "BYE"
    with pytest.raises(NoCommonCodec):
        await outgoing.answered


async def test_a_stale_nonce_is_answered_with_the_new_one(peer: Peer) -> None:
    peer.answers_requests = False
    peer.phone.invite(f"sip:peer@127.0.0.1:{peer.port}", auth=Credentials("u", "p"))
    first = await peer.next_request()
    challenge = 'Digest realm="r", nonce="{}", qop="auth,auth-int"{}'
    ask = "WWW-Authenticate: " + challenge.format("one", "")
    peer.answer(first, "401 Unauthorized", ask)
    second = await peer.next_request("INVITE")
    ask = "WWW-Authenticate: " + challenge.format("two", ", stale=TRUE")
    peer.answer(second, "401 Unauthorized", ask)
    third = await peer.next_request("INVITE")
    assert 'nonce="two"' in (third.headers.get("Authorization") or "")
    sequences = [request.cseq.sequence for request in (first, second, third)]
    assert sequences == list(range(sequences[0], sequences[0] + 3))
    assert len({request.call_id for request in (first, second, third)}) == 1
    peer.answer(third, "486 Busy Here")


async def test_a_strict_router_is_addressed_itself(peer: Peer) -> None:
    router = f"sip:127.0.0.1:{peer.port}"
    await peer.establish(f"Record-Route: <{router}>")
    await peer.phone.calls[0].hang_up()
    bye = await peer.next_request()
    assert str(bye.uri) == router
    assert bye.headers.getlist("Route") == [f"<sip:peer@127.0.0.1:{peer.port}>"]


async def test_a_host_without_an_address_is_not_answered(peer: Peer) -> None:
    with pytest.raises(CallNotAnswered):
        await peer.phone.call("sip:x@no-such-host.invalid")
