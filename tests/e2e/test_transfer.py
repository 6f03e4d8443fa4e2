"""Hold and transfer, proved by ear: each party hums its own tone, and every recording is read.

What must come is waited for, and what must not is looked for; how quick it is, the bench tells.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from typing import Any

import pytest

from stack.supervisor import Stack
from telephony.softphone.call import PhoneCall
from telephony.softphone.incoming import CallHandler, never_answer, reject_with
from telephony.softphone.phone import Softphone
from telephony.softphone.transfers import TransferOutcome, TransferRequest, scripted_transfer
from tests.e2e import ear
from tests.e2e.conftest import Dial, Office
from tests.e2e.ear import CALLER_HZ, HUMAN_HZ, humming
from tests.e2e.talking import has_told
from tests.e2e.transferring import (
    HELD_S,
    HOURS,
    LIFTED_AFTER_S,
    LOST_LEG_S,
    NOT_ALLOWED,
    SUMMARY,
    THANKS,
    ended_record,
    events,
    hear_out,
    is_briefed,
    is_passed_on,
    next_answered,
    transferring_agent,
)
from tests.e2e.waiting import PATIENCE_S, event_types, said, until

pytestmark = pytest.mark.e2e

LEAK_DBFS = -50.0


@asynccontextmanager
async def desk_that(handle: CallHandler) -> AsyncIterator[str]:
    """Run a telephone that deals with every call in one way; yields its address."""
    async with Softphone(on_call=handle) as phone:
        yield phone.uri("desk")


async def test_in_a_warm_transfer_everybody_hears_whom_they_should_and_nobody_else(
    office: Office, dial: Dial
) -> None:
    async with Softphone() as desk:
        agent = await transferring_agent(office, [desk.uri("desk")])
        number = await office.number(agent["id"])
        async with dial(number) as caller:
            await hear_out(caller)
            async with humming(caller, CALLER_HZ):
                await caller.send_dtmf("1")
                human = await next_answered(desk, ring_s=LIFTED_AFTER_S)
                answered_s = time.monotonic()
                async with humming(human, HUMAN_HZ):
                    # While the human is briefed, the caller hears music.
                    await ear.hears_speech(human, answered_s)
                    await is_briefed(office, number)
                    await ear.hears_music(caller, answered_s)
                    accepted_s = time.monotonic()
                    await human.send_dtmf("1")
                    # Then they hear each other, and the music is over.
                    await ear.hears(human, "caller_dbfs", accepted_s)
                    await ear.hears(caller, "human_dbfs", accepted_s)
                    await ear.music_ends(caller)
                    await is_passed_on(office, number)
            await human.hang_up()
            await asyncio.wait_for(caller.ended, LOST_LEG_S)

    # Before, neither heard the other.
    assert ear.tone_dbfs(caller, HUMAN_HZ, answered_s, accepted_s) < LEAK_DBFS
    assert ear.loudest_before(caller, "human_dbfs", accepted_s) < LEAK_DBFS
    assert ear.loudest_before(human, "caller_dbfs", accepted_s) < LEAK_DBFS

    record = await ended_record(office, number)
    assert (record["endedBy"], record["endReason"]) == ("human", "hang_up")
    assert [one for one in event_types(record) if one.startswith("transfer.")] == [
        *("transfer.started", "transfer.ringing", "transfer.answered", "transfer.briefed"),
        *("transfer.accepted", "transfer.merged", "transfer.completed"),
    ]
    assert events(record, "transfer.briefed")[0]["summary"] == SUMMARY
    assert SUMMARY not in str(record["transcript"])
    [leg] = [part for part in record["usage"] if part["model"] == "outbound_leg"]
    assert 0 < leg["quantity"] <= record["billedS"]
    assert sum(part["costMicrocredits"] for part in record["usage"]) == record["costMicrocredits"]


async def test_whatever_becomes_of_the_targets_the_caller_is_back_with_the_agent_or_connected(
    office: Office, dial: Dial
) -> None:
    async def decline(incoming: Any) -> None:
        call = await incoming.answer()
        await call.wait_for_audio(timeout_s=PATIENCE_S)
        await call.send_dtmf("2")

    async def hang_up(incoming: Any) -> None:
        call = await incoming.answer()
        await call.wait_for_audio(timeout_s=PATIENCE_S)
        await call.hang_up()

    async def say_nothing(incoming: Any) -> None:
        await incoming.answer()

    async with AsyncExitStack() as desks:
        handlers = (reject_with(486), reject_with(603), decline, hang_up, say_nothing)
        addresses = [await desks.enter_async_context(desk_that(one)) for one in handlers]
        addresses.append(await desks.enter_async_context(desk_that(never_answer)))
        desk = await desks.enter_async_context(Softphone())
        agent = await transferring_agent(
            office,
            addresses,
            allow=["sip:*@" + desk.address],
            ringTimeoutS=10,
            acceptTimeoutS=10,
        )
        script = agent["script"]
        script["steps"][4]["action"]["transfer_call"]["to"] = desk.uri("desk")
        await office.api.patch(f"/v1/agents/{agent['id']}", {"script": script})
        number = await office.number(agent["id"])
        async with dial(number) as caller:
            await hear_out(caller)
            await caller.send_dtmf("1")
            await has_told(office, number, "I am sorry, nobody answered.")
            await caller.send_dtmf("3")
            await has_told(office, number, HOURS)
            await caller.send_dtmf("5")
            human = await next_answered(desk)
            await human.wait_for_audio(timeout_s=LOST_LEG_S)
            await human.send_dtmf("1")
            async with humming(caller, CALLER_HZ):
                await ear.hears(human, "caller_dbfs")
            await is_passed_on(office, number)
            await caller.hang_up()
            await asyncio.wait_for(human.ended, LOST_LEG_S)

    record = await ended_record(office, number)
    *quick, hung_up, mute, ringing = [one["outcome"] for one in events(record, "transfer.failed")]
    assert quick == ["busy", "refused", "declined"]
    # Now and then livekit-sip's word that a telephone has left is lost on the way.
    assert hung_up in {"hung_up", "not_accepted"}
    assert (mute, ringing) == ("not_accepted", "no_answer")
    assert [one["outcome"] for one in events(record, "transfer.completed")] == [
        *("no_answer", "accepted")
    ]
    assert record["endedBy"] == "caller"


NOBODY_ANSWERED = "I am sorry, nobody answered."
MOST_CALLS = 3
"""Now and then LiveKit says at once that it gave a REFER up; then another call is made."""


async def apology(office: Office, number: str, call: PhoneCall, count: int) -> str:
    """Return the last of so many apologies of a number's agent; nothing when the call is over."""

    async def find() -> str | None:
        turns = said((await office.calls(number))[0])
        told = [text for who, text in turns if who == "agent" and text.startswith("I am sorry")]
        if len(told) >= count:
            return told[-1]
        return "" if call.is_over else None

    return await until(find)


async def test_a_cold_transfer_by_the_carrier_has_an_outcome_the_agent_hears_of(
    office: Office, stack: Stack
) -> None:
    coming: list[TransferOutcome] = []
    asked_for: list[tuple[str, str | None, dict[str, str]]] = []

    async def follow(transfer: TransferRequest) -> None:
        told = transfer.request.headers.get("X-Dialplane-Hops")
        asked_for.append((transfer.target, told, transfer.headers))
        await scripted_transfer(coming.pop(0))(transfer)

    desk = "sip:desk@127.0.0.1:5060"
    agent = await transferring_agent(office, ["+12015550155", desk], mode="cold")

    async def ask_twice() -> dict[str, Any]:
        coming[:] = [
            *(TransferOutcome.BUSY, TransferOutcome.NO_ANSWER),
            *(TransferOutcome.REFUSED, TransferOutcome.ACCEPTED),
        ]
        asked_for.clear()
        number = await office.number(agent["id"])
        async with Softphone(on_transfer=follow) as phone:
            caller = await phone.call(f"sip:{number}@{stack.sip_address}", from_user="+12015550177")
            await hear_out(caller)
            await caller.send_dtmf("1")
            if await apology(office, number, caller, 1) == NOBODY_ANSWERED:
                await caller.send_dtmf("1")
                await apology(office, number, caller, 2)
            await caller.hang_up()
        return await ended_record(office, number)

    for _ in range(MOST_CALLS):
        record = await ask_twice()
        if "timed_out" not in [one["outcome"] for one in events(record, "transfer.failed")]:
            break
    # A telephone number cannot ask for a header in the call that follows; a SIP address can.
    hops = {"X-Dialplane-Hops": "1"}
    assert asked_for == [("tel:+12015550155", "1", {}), (desk, "1", hops)] * 2
    assert [(one["outcome"], one["sip_code"]) for one in events(record, "transfer.failed")] == [
        ("busy", 486),
        ("no_answer", 480),
        ("refused", 603),
    ]
    assert (record["endedBy"], record["endReason"]) == ("agent", "transferred")
    spoken = [text for who, text in said(record) if who == "agent"]
    assert NOBODY_ANSWERED in spoken


async def test_hold_a_forbidden_target_and_a_bridge_where_the_carrier_transfers_nothing(
    office: Office, dial: Dial
) -> None:
    async with Softphone() as desk:
        agent = await transferring_agent(
            office, [desk.uri("desk")], mode="cold", carrierTransfers=False
        )
        number = await office.number(agent["id"])
        async with dial(number) as caller:
            await hear_out(caller)
            await caller.send_dtmf("4")
            await has_told(office, number, NOT_ALLOWED)
            await caller.hold()
            await caller.resume()
            await caller.hold(silent=True)
            await caller.resume()
            # Both telephones put the call on hold in between, which changes nothing for us.
            await caller.send_dtmf("3")
            await has_told(office, number, HOURS)
            pressed_s = time.monotonic()
            await caller.send_dtmf("2")
            over_s = await ear.music_ends(caller, pressed_s)
            await ear.hears_speech(caller, over_s)
            await has_told(office, number, THANKS)
            await caller.send_dtmf("1")
            human = await next_answered(desk)
            async with humming(caller, CALLER_HZ), humming(human, HUMAN_HZ):
                await human.wait_for_audio(timeout_s=PATIENCE_S)
                await human.hold(silent=True)
                await human.resume()
                resumed_s = time.monotonic()
                await ear.hears(human, "caller_dbfs", resumed_s)
                await ear.hears(caller, "human_dbfs", resumed_s)
            await is_passed_on(office, number)
            await caller.hang_up()
            await asyncio.wait_for(human.ended, LOST_LEG_S)

    record = await ended_record(office, number)
    began, over = [
        datetime.fromisoformat(event["at"])
        for event in record["events"]
        if event["type"] in {"hold.started", "hold.ended"}
    ][:2]
    assert (over - began).total_seconds() > HELD_S / 2
    assert ("agent", NOT_ALLOWED) in said(record)
    assert events(record, "transfer.briefed") == []
    assert [one["outcome"] for one in events(record, "transfer.completed")] == ["accepted"]
