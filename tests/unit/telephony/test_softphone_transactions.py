"""Calls over a network that loses packets, and peers that repeat themselves."""

import asyncio
from collections import Counter

import pytest
from sipmessage import Request

from telephony.softphone.call import CallState
from telephony.softphone.call_audio import EndedBy
from telephony.softphone.errors import CallCancelled, RequestFailed
from telephony.softphone.incoming import answer_after, reject_with
from telephony.softphone.media import DatagramFilter
from telephony.softphone.media_socket import Endpoint
from telephony.softphone.phone import PhoneOptions, Softphone
from telephony.softphone.sip_messages import parse_message
from telephony.softphone.transactions import SIPTimers
from tests.waiting import until

pytestmark = pytest.mark.unit

CALLEE = "+12015550100"
HASTY = SIPTimers(t1_s=0.1, t2_s=0.4)
"""Given up after 64 times t1, which outlasts the pauses of a busy machine."""
RESIGNED = SIPTimers(t1_s=0.03, t2_s=0.12)
"""For telephones that are to give up, too."""


def kind_of(datagram: bytes) -> str:
    """Return what a datagram is: `INVITE`, or `200 INVITE` for a response to it."""
    message = parse_message(datagram)
    if isinstance(message, Request):
        return message.method
    return f"{message.code} {message.cseq.method}"


class Network:
    """Loses the first so many datagrams of a kind, and counts what was sent."""

    def __init__(self, **losses: int) -> None:
        self.losses = Counter({kind.replace("_", " ").strip(): n for kind, n in losses.items()})
        self.sent: Counter[str] = Counter()

    def __call__(self, datagram: bytes, _to: Endpoint) -> bool:
        kind = kind_of(datagram)
        self.sent[kind] += 1
        if self.losses[kind] > 0:
            self.losses[kind] -= 1
            return False
        return True


def options(network: DatagramFilter | None = None, timers: SIPTimers = HASTY) -> PhoneOptions:
    return PhoneOptions(timers=timers, sip_filter=network)


async def test_lost_requests_are_sent_again() -> None:
    network = Network(INVITE=2, ACK=1, BYE=2)
    async with (
        Softphone(on_call=answer_after(), options=options()) as callee,
        Softphone(options=options(network)) as caller,
    ):
        call = await caller.call(callee.uri(CALLEE))
        there = callee.calls[0]
        await call.hang_up()
        assert (await there.ended).by is EndedBy.REMOTE
        # More often where the answer took its time.
        assert network.sent["INVITE"] >= 3
        assert network.sent["BYE"] >= 3


async def test_a_lost_answer_is_sent_again_and_acknowledged_again() -> None:
    network = Network(_200_INVITE=2)
    async with (
        Softphone(on_call=answer_after(), options=options(network)) as callee,
        Softphone(options=options()) as caller,
    ):
        call = await caller.call(callee.uri(CALLEE))
        assert call.state is CallState.ACTIVE
        assert network.sent["200 INVITE"] >= 3
        assert len(callee.calls) == 1


async def test_a_lost_refusal_is_sent_again() -> None:
    network = Network(_486_INVITE=1)
    async with (
        Softphone(on_call=reject_with(486), options=options(network)) as callee,
        Softphone(options=options()) as caller,
    ):
        outgoing = caller.invite(callee.uri(CALLEE))
        await asyncio.wait({outgoing.answered})
        await until(lambda: network.sent["486 INVITE"] >= 2)
        assert outgoing.statuses == [100, 486]


async def test_an_answer_that_is_never_acknowledged_ends_the_call() -> None:
    network = Network(ACK=1000)
    async with (
        Softphone(options=options(timers=RESIGNED)) as callee,
        Softphone(options=options(network)) as caller,
    ):
        caller.invite(callee.uri(CALLEE))
        incoming = await callee.next_call()
        with pytest.raises(CallCancelled):
            await incoming.answer()
        assert callee.calls == ()


async def test_a_cancelled_call_that_is_answered_all_the_same_is_hung_up() -> None:
    network = Network(CANCEL=1000)
    async with (
        Softphone(options=options()) as callee,
        Softphone(options=options(network)) as caller,
    ):
        outgoing = caller.invite(callee.uri(CALLEE))
        incoming = await callee.next_call()
        incoming.ring()
        await outgoing.ringing
        cancelling = asyncio.create_task(outgoing.cancel())
        await until(lambda: network.sent["CANCEL"] > 0)
        there = await incoming.answer()
        assert (await there.ended).by is EndedBy.REMOTE
        await cancelling
        with pytest.raises(CallCancelled):
            await outgoing.answered


async def test_hanging_up_on_a_far_end_that_is_gone_still_ends_the_call() -> None:
    network = Network(BYE=1000)
    async with (
        Softphone(on_call=answer_after(), options=options(timers=RESIGNED)) as callee,
        Softphone(options=options(network, RESIGNED)) as caller,
    ):
        call = await caller.call(callee.uri(CALLEE))
        assert (await call.hang_up()).by is EndedBy.LOCAL
        assert network.sent["BYE"] > 5


async def test_a_request_that_is_never_answered_fails_with_408() -> None:
    network = Network(REFER=1000)
    async with (
        Softphone(on_call=answer_after()) as callee,
        Softphone(options=options(network, RESIGNED)) as caller,
    ):
        call = await caller.call(callee.uri(CALLEE))
        with pytest.raises(RequestFailed) as failed:
            await call.transfer("tel:+12015550170")
        assert (failed.value.method, failed.value.status) == ("REFER", 408)


async def test_offers_that_cross_are_both_settled() -> None:
    async with (
        Softphone(on_call=answer_after(), options=options()) as callee,
        Softphone(options=options()) as caller,
    ):
        here = await caller.call(callee.uri(CALLEE))
        there = callee.calls[0]
        await until(lambda: not there.is_over)
        await asyncio.gather(here.hold(), there.hold())
        assert here.state is there.state is CallState.ON_HOLD
