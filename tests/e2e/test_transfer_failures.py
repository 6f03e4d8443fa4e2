"""What becomes of callers on hold and of those they are passed to when something dies."""

import asyncio
import contextlib
import math
import time
from collections.abc import AsyncIterator

import psutil
import pytest
from livekit import api
from redis.asyncio import Redis

from stack.supervisor import Stack
from telephony.softphone.call import PhoneCall
from telephony.softphone.media_socket import Endpoint
from telephony.softphone.phone import PhoneOptions, Softphone
from tests.e2e import ear
from tests.e2e.conftest import Dial, Office
from tests.e2e.talking import has_told
from tests.e2e.transferring import (
    HOURS,
    LIFTED_AFTER_S,
    LOST_LEG_S,
    call_in_progress,
    ended_record,
    events,
    hear_out,
    is_briefed,
    is_passed_on,
    next_answered,
    transferring_agent,
)
from tests.e2e.waiting import PATIENCE_S, ledger_sum, moment, until

pytestmark = pytest.mark.e2e

HEARTBEAT_S = 5.0
LATE_S = 10.0
"""How late a busy machine may tell of what happened."""


NOBODY = "I am sorry, nobody could take your call."


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

    await until(is_gone)


@contextlib.asynccontextmanager
async def redis_of(stack: Stack) -> AsyncIterator[Redis]:
    redis = Redis.from_url(stack.redis_url)
    try:
        yield redis
    finally:
        await redis.aclose()


async def all_free(stack: Stack) -> None:
    """Wait until no call holds a slot any more."""
    async with redis_of(stack) as redis:

        async def no_lease() -> bool | None:
            return True if await redis.zcard("dp:calls:live") == 0 else None

        await until(no_lease)


def kill_jobs(stack: Stack) -> None:
    """Kill the processes of the jobs that are in a call; others open no connection."""
    for child in psutil.Process(stack.pid("worker")).children():
        for job in child.children():
            # One of an earlier call may be about to end by itself.
            with contextlib.suppress(psutil.NoSuchProcess):
                if job.net_connections("inet"):
                    job.kill()


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
            await asyncio.gather(*(human.wait_for_audio(timeout_s=PATIENCE_S) for human in humans))
            accepting = asyncio.ensure_future(humans[0].send_dtmf("1"))
            await one.wait_for_quiet(quiet_s=0.1, timeout_s=PATIENCE_S)
            await stack.kill("livekit")
            await accepting
            await stack.start("livekit")
            phones = (*callers, *humans)
            await asyncio.wait_for(asyncio.gather(*(phone.ended for phone in phones)), PATIENCE_S)
    for number in numbers:
        record = await ended_record(office, number)
        assert (record["endedBy"], record["endReason"]) == ("system", "connection_lost")
        assert record["sentence"].startswith("The connection to the caller was lost")
        assert ledger_sum(record) == -record["costMicrocredits"] < 0
        await no_room(stack, record["roomName"])
    await all_free(stack)


async def test_a_worker_that_dies_leaves_nobody_on_the_line_and_bills_to_its_last_heartbeat(
    office: Office, dial: Dial, stack: Stack
) -> None:
    async with Softphone() as desk:
        agent = await transferring_agent(office, [desk.uri("desk")])
        plain, held, consulted = [await office.number(agent["id"]) for _ in range(3)]
        # First the jobs alone: their worker lives, and does not wait for a lease to lapse.
        async with dial(plain) as abandoned:
            await hear_out(abandoned)
            kill_jobs(stack)
            await asyncio.wait_for(abandoned.ended, LOST_LEG_S)
        record = await ended_record(office, plain)
        assert (record["endedBy"], record["endReason"]) == ("system", "worker_lost")
        assert "process of a job died" in (stack.logs / "worker.log").read_text("utf-8")
        plain = await office.number(agent["id"])
        async with dial(plain) as talking, dial(held) as waiting, dial(consulted) as caller:
            await asyncio.gather(*(hear_out(one) for one in (talking, waiting, caller)))
            call_id = await call_in_progress(office, held)
            await office.api.send("POST", f"/v1/calls/{call_id}/hold")
            await caller.send_dtmf("1")
            human = await next_answered(desk)
            await human.wait_for_audio(timeout_s=PATIENCE_S)
            await stack.kill("worker")
            killed_s = time.monotonic()
            await all_free(stack)
            phones = (talking, waiting, caller, human)
            await asyncio.wait_for(asyncio.gather(*(phone.ended for phone in phones)), PATIENCE_S)
    for number, answered in ((plain, talking), (held, waiting), (consulted, caller)):
        record = await ended_record(office, number)
        assert (record["endedBy"], record["endReason"]) == ("system", "worker_lost")
        lived_s = killed_s - answered.timings.answered_at.monotonic_s
        assert lived_s - HEARTBEAT_S - LATE_S < record["billedS"] <= lived_s + LATE_S
        talked_s = (moment(record, "endedAt") - moment(record, "answeredAt")).total_seconds()
        assert record["billedS"] == math.ceil(talked_s)
        assert ledger_sum(record) == -record["costMicrocredits"] < 0
        await no_room(stack, record["roomName"])


async def test_a_telephone_that_dies_in_the_briefing_gives_the_caller_back_and_is_paid_no_longer(
    office: Office, dial: Dial
) -> None:
    cable = Cable()
    async with Softphone(options=PhoneOptions(sip_filter=cable, media_filter=cable)) as desk:
        agent = await transferring_agent(office, [desk.uri("desk")], acceptTimeoutS=6)
        number = await office.number(agent["id"])
        async with dial(number) as caller:
            await hear_out(caller)
            await caller.send_dtmf("1")
            human = await next_answered(desk)
            await human.wait_for_audio(timeout_s=PATIENCE_S)
            cable.is_cut = True
            await asyncio.wait_for(asyncio.shield(human.ended), LOST_LEG_S)
            await has_told(office, number, NOBODY)
            await caller.send_dtmf("3")
            await has_told(office, number, HOURS)
            await caller.hang_up()
    record = await ended_record(office, number)
    [failed] = events(record, "transfer.failed")
    assert failed["outcome"] == "not_accepted"
    [leg] = [part for part in record["usage"] if part["model"] == "outbound_leg"]
    lived_s = over_s(human) - human.timings.answered_at.monotonic_s
    assert leg["quantity"] <= lived_s + LATE_S


async def test_a_caller_who_hangs_up_takes_the_target_down_whether_it_rings_or_talks(
    office: Office, dial: Dial, stack: Stack
) -> None:
    async def give_up(number: str, desk: Softphone, *, until_stage: str) -> None:
        async with dial(number) as caller:
            await hear_out(caller)
            await caller.send_dtmf("1")
            incoming = await desk.next_call(timeout_s=PATIENCE_S)
            incoming.ring()
            if until_stage == "ringing":
                await caller.hang_up()
                await asyncio.wait_for(incoming.cancelled.wait(), LOST_LEG_S)
                return
            await asyncio.sleep(LIFTED_AFTER_S)
            human = await incoming.answer()
            await human.wait_for_audio(timeout_s=PATIENCE_S)
            if until_stage == "merged":
                async with ear.humming(caller, ear.CALLER_HZ):
                    await is_briefed(office, number)
                    await human.send_dtmf("1")
                    await ear.hears(human, "caller_dbfs")
                await is_passed_on(office, number)
            await caller.hang_up()
            await asyncio.wait_for(human.ended, LOST_LEG_S)

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
        await asyncio.gather(
            *(
                give_up(number, desk, until_stage=stage)
                for number, desk, stage in zip(numbers, desks, stages, strict=True)
            )
        )
    for number, outcome in zip(numbers, stages.values(), strict=True):
        record = await ended_record(office, number)
        assert record["endedBy"] == "caller"
        # Now and then livekit-sip's word that a caller has left is lost on the way.
        assert record["endReason"] in {"hang_up", "connection_lost"}
        [leg] = [one for one in record["legs"] if one["role"] == "human"]
        assert (leg["state"], leg["outcome"]) == outcome
    await all_free(stack)
