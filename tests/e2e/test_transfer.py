"""Hold and transfer, proved by ear: each party hums its own tone, and every recording is read.

Moments are asserted loosely, for the machine that tests may be slow; the figures are the bench's.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest

from stack.conversation import speak
from stack.supervisor import Stack
from telephony.softphone.incoming import CallHandler, never_answer, reject_with
from telephony.softphone.phone import Softphone
from telephony.softphone.transfers import TransferOutcome, TransferRequest, scripted_transfer
from tests.e2e import ear
from tests.e2e.conftest import Dial, Office
from tests.e2e.ear import CALLER_HZ, HUMAN_HZ, humming
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
    has_told,
    hear_out,
    next_answered,
    press_and_hear,
    transferring_agent,
)
from tests.e2e.waiting import event_types, said

pytestmark = pytest.mark.e2e

LEAK_DBFS = -50.0
SWITCH_S = 5.0
"""How long a change of who hears whom may take on a machine that is busy with other things."""


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
                    await hear_out(human)
                    accepted_s = time.monotonic()
                    await human.send_dtmf("1")
                    await ear.hears(human, "caller_dbfs", accepted_s)
                    await ear.hears(caller, "human_dbfs", accepted_s)
                    await ear.music_ends(caller, 0)
                by_human, by_caller = ear.windows(human), ear.windows(caller)
            await human.hang_up()
            await asyncio.wait_for(caller.ended, LOST_LEG_S)

    # While the human is briefed, the caller hears music and neither hears the other.
    assert ear.first_music(by_caller, 0) < answered_s + SWITCH_S
    assert ear.last_music(by_caller) > accepted_s - SWITCH_S
    assert ear.tone_dbfs(caller, HUMAN_HZ, answered_s, accepted_s) < LEAK_DBFS
    assert ear.loudest_before(caller, "human_dbfs", accepted_s) < LEAK_DBFS
    assert ear.loudest_before(human, "caller_dbfs", accepted_s) < LEAK_DBFS
    assert ear.first_speech(by_human, answered_s) < answered_s + SWITCH_S
    # Then they hear each other, the music is over, and nobody falls into silence between.
    assert ear.first(by_human, accepted_s, "caller_dbfs") < accepted_s + SWITCH_S
    assert ear.first(by_caller, accepted_s, "human_dbfs") < accepted_s + SWITCH_S
    assert ear.last_music(by_caller) < accepted_s + SWITCH_S

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
        await call.wait_for_audio()
        await call.send_dtmf("2")

    async def hang_up(incoming: Any) -> None:
        call = await incoming.answer()
        await call.wait_for_audio()
        await call.hang_up()

    async def say_nothing(incoming: Any) -> None:
        await incoming.answer()

    async with AsyncExitStack() as desks:
        handlers = (reject_with(486), reject_with(603), decline, hang_up, say_nothing)
        addresses = [await desks.enter_async_context(desk_that(one)) for one in handlers]
        addresses.append(await desks.enter_async_context(desk_that(never_answer)))
        desk = await desks.enter_async_context(Softphone())
        agent = await transferring_agent(office, addresses, allow=["sip:*@" + desk.address])
        script = agent["script"]
        script["steps"][4]["action"]["transfer_call"]["to"] = desk.uri("desk")
        await office.api.patch(f"/v1/agents/{agent['id']}", {"script": script})
        number = await office.number(agent["id"])
        async with dial(number) as caller:
            await hear_out(caller)
            await caller.send_dtmf("1")
            await has_told(office, number, "I am sorry, nobody answered.")
            await press_and_hear(caller, "3")
            await caller.send_dtmf("5")
            human = await next_answered(desk)
            await hear_out(human)
            await human.play(await asyncio.to_thread(speak, "yes"))
            async with humming(caller, CALLER_HZ):
                await ear.hears(human, "caller_dbfs")
            await caller.hang_up()
            await asyncio.wait_for(human.ended, LOST_LEG_S)

    record = await ended_record(office, number)
    assert [one["outcome"] for one in events(record, "transfer.failed")] == [
        *("busy", "refused", "declined", "hung_up", "not_accepted", "no_answer")
    ]
    assert [one["outcome"] for one in events(record, "transfer.completed")] == [
        *("no_answer", "accepted")
    ]
    assert [one["by"] for one in events(record, "transfer.accepted")] == ["word"]
    assert ("agent", "I am sorry, nobody answered.") in said(record)
    assert ("agent", HOURS) in said(record)
    assert record["endedBy"] == "caller"


async def test_a_cold_transfer_by_the_carrier_has_an_outcome_the_agent_hears_of(
    office: Office, stack: Stack
) -> None:
    coming = [
        TransferOutcome.BUSY,
        TransferOutcome.NO_ANSWER,
        TransferOutcome.REFUSED,
        TransferOutcome.ACCEPTED,
    ]
    asked_for: list[tuple[str, str | None, dict[str, str]]] = []

    async def follow(transfer: TransferRequest) -> None:
        told = transfer.request.headers.get("X-Dialplane-Hops")
        asked_for.append((transfer.target, told, transfer.headers))
        await scripted_transfer(coming.pop(0))(transfer)

    desk = "sip:desk@127.0.0.1:5060"
    agent = await transferring_agent(office, ["+12015550155", desk], mode="cold")
    number = await office.number(agent["id"])
    async with Softphone(on_transfer=follow) as phone:
        caller = await phone.call(f"sip:{number}@{stack.sip_address}", from_user="+12015550177")
        await hear_out(caller)
        await caller.send_dtmf("1")
        await has_told(office, number, "I am sorry, nobody answered.")
        await caller.send_dtmf("1")
        await asyncio.wait_for(caller.ended, LOST_LEG_S)

    record = await ended_record(office, number)
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
    assert "I am sorry, nobody answered." in spoken


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
            await press_and_hear(caller, "4")
            await caller.hold()
            await caller.resume()
            await caller.hold(silent=True)
            await caller.resume()
            await press_and_hear(caller, "3")
            pressed_s = time.monotonic()
            await caller.send_dtmf("2")
            await ear.music_ends(caller, pressed_s)
            await has_told(office, number, THANKS)
            on_hold = ear.windows(caller)
            await caller.send_dtmf("1")
            human = await next_answered(desk)
            async with humming(caller, CALLER_HZ), humming(human, HUMAN_HZ):
                await human.wait_for_audio()
                await human.hold(silent=True)
                await human.resume()
                resumed_s = time.monotonic()
                await ear.hears(human, "caller_dbfs", resumed_s)
                await ear.hears(caller, "human_dbfs", resumed_s)
            await caller.hang_up()
            await asyncio.wait_for(human.ended, LOST_LEG_S)

    began_s = ear.first_music(on_hold, pressed_s)
    assert began_s < pressed_s + SWITCH_S
    assert 1.5 < ear.last_music(on_hold) - began_s < HELD_S + SWITCH_S
    assert ear.first_speech(on_hold, ear.last_music(on_hold)) < began_s + HELD_S + 2 * SWITCH_S
    record = await ended_record(office, number)
    assert ("agent", NOT_ALLOWED) in said(record)
    # Both telephones put the call on hold in between, which changes nothing for us.
    assert ("agent", HOURS) in said(record)
    assert ("agent", THANKS) in said(record)
    assert events(record, "transfer.briefed") == []
    assert [one["outcome"] for one in events(record, "transfer.completed")] == ["accepted"]
