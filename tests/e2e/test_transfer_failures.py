"""What becomes of callers on hold and of those they are passed to when something dies."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from livekit import api
from redis.asyncio import Redis

from stack.supervisor import Stack
from telephony.softphone.call import PhoneCall
from telephony.softphone.media_socket import Endpoint
from telephony.softphone.phone import PhoneOptions, Softphone
from tests.e2e import ear
from tests.e2e.conftest import Dial, Office
from tests.e2e.transferring import (
    HOURS,
    LIFTED_AFTER_S,
    ended_record,
    events,
    hear_out,
    next_answered,
    press_and_hear,
    transferring_agent,
)
from tests.e2e.waiting import ledger_sum, said, until

pytestmark = pytest.mark.e2e

DEFINED_WITHIN_S = 5.0
"""How long after the recovery, or after the loss was noticed, a telephone may hang in the air."""
NOTICED_WITHIN_S = 20.0
GIVEN_UP_S = 5.0
"""A LiveKit that was killed and is started again opens no room of its former process before this.
Source: livekit-server v1.13.5 pkg/routing/selector/utils.go, AvailableSeconds."""
AT_ONCE_S = 3.0


class Cable:
    """What a telephone's packets leave by, until it is cut."""

    def __init__(self) -> None:
        self.is_cut = False

    def __call__(self, _datagram: bytes, _to: Endpoint) -> bool:
        return not self.is_cut


async def open_rooms(stack: Stack) -> set[str]:
    """Return the names of all rooms."""
    async with api.LiveKitAPI(
        stack.livekit_url, stack.livekit_api_key, stack.livekit_api_secret
    ) as livekit:
        return {room.name for room in (await livekit.room.list_rooms(api.ListRoomsRequest())).rooms}


async def no_room(stack: Stack, name: str) -> None:
    """Wait until a room is gone; whoever comes back to it last is found by the sweep of rooms."""

    async def is_gone() -> bool | None:
        return True if name not in await open_rooms(stack) else None

    await until(is_gone, timeout_s=25)


@asynccontextmanager
async def redis_of(stack: Stack) -> AsyncIterator[Redis]:
    redis = Redis.from_url(stack.redis_url)
    try:
        yield redis
    finally:
        await redis.aclose()


async def when_free(stack: Stack, timeout_s: float) -> float:
    """Return when no call holds a slot any more."""
    async with redis_of(stack) as redis:

        async def no_lease() -> bool | None:
            return True if await redis.zcard("dp:calls:live") == 0 else None

        await until(no_lease, timeout_s=timeout_s)
    return time.monotonic()


def over_s(call: PhoneCall) -> float:
    """Return when a telephone was hung up."""
    assert call.timings.ended_at is not None
    return call.timings.ended_at.monotonic_s


async def test_when_livekit_restarts_callers_and_whoever_they_are_passed_to_are_hung_up_and_billed(
    office: Office, dial: Dial, stack: Stack
) -> None:
    async with Softphone() as merging, Softphone() as briefed:
        numbers = []
        for desk in (merging, briefed):
            agent = await transferring_agent(office, [desk.uri("desk")])
            numbers.append(await office.number(agent["id"]))
        async with dial(numbers[0]) as one, dial(numbers[1]) as another:
            callers = (one, another)
            await asyncio.gather(*(hear_out(caller) for caller in callers))
            await asyncio.gather(*(caller.send_dtmf("1") for caller in callers))
            humans = await asyncio.gather(next_answered(merging), next_answered(briefed))
            await asyncio.gather(*(human.wait_for_audio() for human in humans))
            accepting = asyncio.ensure_future(humans[0].send_dtmf("1"))
            await one.wait_for_quiet(quiet_s=0.1)
            await stack.kill("livekit")
            killed_s = time.monotonic()
            await accepting
            await stack.start("livekit")
            back_s = max(time.monotonic(), killed_s + GIVEN_UP_S)
            phones = (*callers, *humans)
            await asyncio.wait_for(asyncio.gather(*(phone.ended for phone in phones)), 40)
            assert max(over_s(phone) for phone in phones) < back_s + DEFINED_WITHIN_S
    for number in numbers:
        record = await ended_record(office, number)
        assert (record["endedBy"], record["endReason"]) == ("system", "connection_lost")
        assert record["sentence"].startswith("The connection to the caller was lost")
        assert ledger_sum(record) == -record["costMicrocredits"] < 0
        await no_room(stack, record["roomName"])
    await when_free(stack, 5)


async def test_a_worker_that_dies_while_callers_are_on_hold_or_consulted_about_leaves_nobody(
    office: Office, dial: Dial, stack: Stack
) -> None:
    async with Softphone() as desk:
        agent = await transferring_agent(office, [desk.uri("desk")])
        held, consulted = await office.number(agent["id"]), await office.number(agent["id"])
        async with dial(held) as waiting, dial(consulted) as caller:
            await asyncio.gather(hear_out(waiting), hear_out(caller))
            [call] = (await office.api.get("/v1/calls", number=held))["data"]
            await office.api.send("POST", f"/v1/calls/{call['id']}/hold")
            await caller.send_dtmf("1")
            human = await next_answered(desk)
            await human.wait_for_audio()
            await stack.kill("worker")
            killed_s = time.monotonic()
            noticed_s = await when_free(stack, NOTICED_WITHIN_S)
            phones = (waiting, caller, human)
            await asyncio.wait_for(asyncio.gather(*(phone.ended for phone in phones)), 30)
            assert max(over_s(phone) for phone in phones) < noticed_s + DEFINED_WITHIN_S
    for number, answered in ((held, waiting), (consulted, caller)):
        record = await ended_record(office, number)
        assert (record["endedBy"], record["endReason"]) == ("system", "worker_lost")
        lived_s = killed_s - answered.timings.answered_at.monotonic_s
        assert lived_s - 6 < record["billedS"] <= lived_s + 1.5
        assert ledger_sum(record) == -record["costMicrocredits"] < 0
        assert record["roomName"] not in await open_rooms(stack)


async def test_a_telephone_that_dies_in_the_briefing_gives_the_caller_back_and_is_paid_no_longer(
    office: Office, dial: Dial
) -> None:
    cable = Cable()
    async with Softphone(options=PhoneOptions(sip_filter=cable, media_filter=cable)) as desk:
        agent = await transferring_agent(office, [desk.uri("desk")])
        number = await office.number(agent["id"])
        async with dial(number) as caller:
            await hear_out(caller)
            await caller.send_dtmf("1")
            human = await next_answered(desk)
            await human.wait_for_audio()
            cable.is_cut = True
            await asyncio.wait_for(asyncio.shield(human.ended), 30)
            await caller.wait_for_quiet(quiet_s=1.5, timeout_s=30)
            await press_and_hear(caller, "3")
            await caller.hang_up()
    record = await ended_record(office, number)
    [failed] = events(record, "transfer.failed")
    assert failed["outcome"] == "not_accepted"
    assert ("agent", "I am sorry, nobody could take your call.") in said(record)
    assert ("agent", HOURS) in said(record)
    [leg] = [part for part in record["usage"] if part["model"] == "outbound_leg"]
    lived_s = over_s(human) - human.timings.answered_at.monotonic_s
    assert leg["quantity"] <= lived_s + 1.5


async def test_a_caller_who_hangs_up_takes_the_target_down_at_once_whether_it_rings_or_talks(
    office: Office, dial: Dial, stack: Stack
) -> None:
    async def give_up(number: str, desk: Softphone, *, until_stage: str) -> float:
        async with dial(number) as caller:
            await hear_out(caller)
            await caller.send_dtmf("1")
            incoming = await desk.next_call(timeout_s=20)
            incoming.ring()
            if until_stage == "ringing":
                await caller.hang_up()
                await asyncio.wait_for(incoming.cancelled.wait(), 30)
                return time.monotonic() - over_s(caller)
            await asyncio.sleep(LIFTED_AFTER_S)
            human = await incoming.answer()
            await human.wait_for_audio()
            if until_stage == "merged":
                async with ear.humming(caller, ear.CALLER_HZ):
                    await hear_out(human)
                    await human.send_dtmf("1")
                    await human.wait_for_audio(since_s=time.monotonic(), threshold_dbfs=-30)
            await caller.hang_up()
            await asyncio.wait_for(human.ended, 30)
            return over_s(human) - over_s(caller)

    stages = {
        "ringing": ("missed", "cancelled"),
        "briefed": ("ended", "cancelled"),
        "merged": ("ended", "accepted"),
    }
    desks = [Softphone() for _ in stages]
    async with desks[0], desks[1], desks[2]:
        numbers = []
        for desk in desks:
            agent = await transferring_agent(office, [desk.uri("desk")])
            numbers.append(await office.number(agent["id"]))
        took_s = await asyncio.gather(
            *(
                give_up(number, desk, until_stage=stage)
                for number, desk, stage in zip(numbers, desks, stages, strict=True)
            )
        )
    assert max(took_s) < AT_ONCE_S
    for number, outcome in zip(numbers, stages.values(), strict=True):
        record = await ended_record(office, number)
        assert (record["endedBy"], record["endReason"]) == ("caller", "hang_up")
        [leg] = [one for one in record["legs"] if one["role"] == "human"]
        assert (leg["state"], leg["outcome"]) == outcome
    await when_free(stack, 5)
