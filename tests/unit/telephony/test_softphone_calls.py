"""Phone calls phone on loopback: how calls begin and end."""

import asyncio

import pytest

from telephony.softphone.call import CallState
from telephony.softphone.call_audio import EndedBy
from telephony.softphone.digest import Credentials
from telephony.softphone.errors import (
    CallCancelled,
    CallIsOver,
    CallNotAnswered,
    CallRejected,
    NoCommonCodec,
)
from telephony.softphone.g711 import PCMA, PCMU
from telephony.softphone.incoming import answer_after, never_answer, reject_with
from telephony.softphone.phone import PhoneOptions, Softphone
from telephony.softphone.transactions import SIPTimers

pytestmark = pytest.mark.unit

CALLER, CALLEE = "+12015550123", "+12015550100"
HASTY = PhoneOptions(timers=SIPTimers(t1_s=0.01, t2_s=0.05))


async def test_a_call_rings_is_answered_and_is_ended_by_the_caller() -> None:
    async with Softphone() as callee, Softphone() as caller:
        outgoing = caller.invite(callee.uri(CALLEE), from_user=CALLER)
        incoming = await callee.next_call()
        assert (incoming.caller, incoming.callee) == (CALLER, CALLEE)
        incoming.ring()
        assert await outgoing.ringing == 180
        there = await incoming.answer()
        here = await outgoing.answered
        assert outgoing.statuses == [100, 180, 200]
        assert here.state is there.state is CallState.ACTIVE
        assert (await here.hang_up(reason="Q.850;cause=16")).by is EndedBy.LOCAL
        end = await there.ended
        assert (end.by, end.reason) == (EndedBy.REMOTE, "Q.850;cause=16")
        assert here.state is there.state is CallState.ENDED


async def test_the_callee_hangs_up() -> None:
    async with Softphone(on_call=answer_after()) as callee, Softphone() as caller:
        here = await caller.call(callee.uri(CALLEE))
        await callee.calls[0].hang_up()
        assert (await here.ended).by is EndedBy.REMOTE
        assert caller.calls == callee.calls == ()


async def test_the_milestones_of_a_call_are_in_order() -> None:
    async with Softphone(on_call=answer_after(0.02)) as callee, Softphone() as caller:
        call = await caller.call(callee.uri(CALLEE))
        await call.hang_up()
        timings = call.timings
        assert timings.ringing_at is not None
        assert timings.answered_at is not None
        assert timings.ended_at is not None
        assert timings.ringing_at.seconds_since(timings.invited_at) >= 0
        assert timings.answered_at.seconds_since(timings.ringing_at) >= 0
        assert timings.answered_at.seconds_since(timings.invited_at) >= 0.019
        assert timings.ended_at.seconds_since(timings.answered_at) >= 0
        assert timings.answered_at.at > timings.invited_at.at


async def test_a_busy_callee_rejects_the_call() -> None:
    async with Softphone(on_call=reject_with(486)) as callee, Softphone() as caller:
        with pytest.raises(CallRejected) as rejected:
            await caller.call(callee.uri(CALLEE))
        assert (rejected.value.status, rejected.value.reason) == (486, "Busy Here")


async def test_a_rejection_says_when_to_try_again() -> None:
    async with Softphone() as callee, Softphone() as caller:
        outgoing = caller.invite(callee.uri(CALLEE))
        (await callee.next_call()).reject(503, retry_after=30)
        with pytest.raises(CallRejected) as rejected:
            await outgoing.answered
        assert rejected.value.retry_after == 30


async def test_a_cancelled_call_stops_ringing() -> None:
    async with Softphone() as callee, Softphone() as caller:
        outgoing = caller.invite(callee.uri(CALLEE))
        incoming = await callee.next_call()
        incoming.ring()
        await outgoing.ringing
        await outgoing.cancel()
        assert incoming.cancelled.is_set()
        assert outgoing.statuses == [100, 180, 487]
        with pytest.raises(CallCancelled):
            await outgoing.answered
        with pytest.raises(CallCancelled):
            await incoming.answer()


async def test_a_call_that_rings_too_long_is_given_up() -> None:
    async with Softphone(on_call=never_answer) as callee, Softphone() as caller:
        with pytest.raises(CallNotAnswered) as unanswered:
            await caller.call(callee.uri(CALLEE), ring_timeout_s=0.5)
        assert unanswered.value.last_status == 180


async def test_a_caller_that_stops_waiting_cancels_the_call() -> None:
    async with Softphone() as callee, Softphone() as caller:
        calling = asyncio.create_task(caller.call(callee.uri(CALLEE)))
        incoming = await callee.next_call()
        calling.cancel()
        await asyncio.wait_for(incoming.cancelled.wait(), 30)


async def test_nobody_there_is_said_when_the_timer_ends() -> None:
    async with Softphone() as gone:
        address = gone.uri(CALLEE)
    async with Softphone(options=HASTY) as caller:
        with pytest.raises(CallNotAnswered) as unanswered:
            await caller.call(address)
        assert unanswered.value.last_status is None


async def test_closing_a_phone_ends_its_calls() -> None:
    async with Softphone() as caller:
        async with Softphone(on_call=answer_after()) as callee:
            call = await caller.call(callee.uri(CALLEE))
        assert (await call.ended).by is EndedBy.REMOTE


async def test_closing_a_phone_refuses_what_rings() -> None:
    async with Softphone() as caller:
        async with Softphone() as callee:
            outgoing = caller.invite(callee.uri(CALLEE))
            (await callee.next_call()).ring()
            await outgoing.ringing
        with pytest.raises(CallRejected) as rejected:
            await outgoing.answered
        assert rejected.value.status == 480


async def test_both_ends_may_hang_up_at_once() -> None:
    async with Softphone(on_call=answer_after()) as callee, Softphone() as caller:
        here = await caller.call(callee.uri(CALLEE))
        there = callee.calls[0]
        ends = await asyncio.gather(here.hang_up(), there.hang_up())
        assert {end.by for end in ends} == {EndedBy.LOCAL}


async def test_nothing_can_be_done_with_a_call_that_is_over() -> None:
    async with Softphone(on_call=answer_after()) as callee, Softphone() as caller:
        call = await caller.call(callee.uri(CALLEE))
        await call.hang_up()
        for attempt in (
            call.play(b"\0\0"),
            call.send_dtmf("1"),
            call.hold(),
            call.wait_for_audio(),
        ):
            with pytest.raises(CallIsOver):
                await attempt


async def test_one_phone_holds_several_calls() -> None:
    async with Softphone(on_call=answer_after()) as callee, Softphone() as caller:
        calls = await asyncio.gather(*(caller.call(callee.uri(CALLEE)) for _ in range(5)))
        assert len(callee.calls) == len({call.sip_call_id for call in calls}) == 5


async def test_headers_of_the_caller_reach_the_callee() -> None:
    async with Softphone() as callee, Softphone() as caller:
        caller.invite(callee.uri(CALLEE), headers={"X-Campaign": "spring"})
        incoming = await callee.next_call()
        assert incoming.invite.headers.get("X-Campaign") == "spring"


async def test_the_right_password_gets_through() -> None:
    secret = Credentials("carrier", "s3cret")
    guarded = PhoneOptions(required_credentials=secret)
    async with Softphone(on_call=answer_after(), options=guarded) as callee, Softphone() as caller:
        call = await caller.call(callee.uri(CALLEE), auth=secret)
        assert call.state is CallState.ACTIVE


@pytest.mark.parametrize("auth", [None, Credentials("carrier", "guess")])
async def test_a_wrong_password_does_not_get_through(auth: Credentials | None) -> None:
    guarded = PhoneOptions(required_credentials=Credentials("carrier", "s3cret"))
    async with Softphone(on_call=answer_after(), options=guarded) as callee, Softphone() as caller:
        with pytest.raises(CallRejected) as rejected:
            await caller.call(callee.uri(CALLEE), auth=auth)
        assert rejected.value.status == 407


async def test_a_callee_without_the_codec_refuses() -> None:
    mulaw, alaw = PhoneOptions(codecs=(PCMU,)), PhoneOptions(codecs=(PCMA,))
    async with Softphone(options=mulaw) as callee, Softphone(options=alaw) as caller:
        outgoing = caller.invite(callee.uri(CALLEE))
        with pytest.raises(NoCommonCodec):
            await (await callee.next_call()).answer()
        with pytest.raises(CallRejected) as rejected:
            await outgoing.answered
        assert rejected.value.status == 488


async def test_both_ends_use_the_codec_the_caller_prefers() -> None:
    alaw = PhoneOptions(codecs=(PCMA, PCMU))
    async with Softphone(on_call=answer_after()) as callee, Softphone(options=alaw) as caller:
        here = await caller.call(callee.uri(CALLEE))
        for call in (here, callee.calls[0]):
            assert call.media.agreed is not None
            assert call.media.agreed.codec is PCMA


@pytest.mark.parametrize("target", ["+12015550100", "tel:+12015550100", "sips:a@127.0.0.1"])
async def test_only_sip_addresses_can_be_called(target: str) -> None:
    async with Softphone() as caller:
        with pytest.raises(ValueError, match=r"sip|URI"):
            caller.invite(target)


def test_a_phone_on_every_address_must_know_its_own() -> None:
    with pytest.raises(ValueError, match="advertised_host"):
        Softphone("0.0.0.0")
