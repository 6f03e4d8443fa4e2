"""Calls that we place, to softphones that answer, refuse, ring on or are too late."""

import asyncio
import time
from typing import Any

import pytest

from stack.errors import ApiRefused
from telephony.softphone.call import PhoneCall
from telephony.softphone.incoming import CallHandler, never_answer, reject_with
from telephony.softphone.phone import Softphone
from tests.e2e import ear
from tests.e2e.conftest import NUMBERS, Office
from tests.e2e.waiting import PATIENCE_S, event_types, ledger_sum, said, until

pytestmark = pytest.mark.e2e

CALLEE = "+12015550177"
GREETING = "Hello Ada, this is the surgery."
RINGBACK_HZ = 425.0
SILENCE_DBFS = -50.0


async def ready_to_call(office: Office, carrier: Softphone, **limits: Any) -> tuple[str, str]:
    """Create an agent and a number whose carrier is a softphone; return number and connection."""
    agent = await office.agent(greeting="Hello {{name}}, this is the surgery.")
    connection = await office.api.post(
        "/v1/carrier-connections",
        {"name": "Carrier", "provider": "sip-out", "allowedAddresses": ["192.0.2.0/24"]},
    )
    uri = carrier.uri("x").partition("@")[2]
    path = f"/v1/carrier-connections/{connection['id']}/termination"
    await office.api.send("PUT", path, json={"uri": uri, **limits})
    number = next(NUMBERS)
    made = await office.api.post(
        "/v1/chat/phone-numbers",
        {"provider": "sip-out", "number": number, "connectionId": connection["id"]},
    )
    await office.api.patch(f"/v1/chat/phone-numbers/{made['id']}", {"outBoundAgentId": agent["id"]})
    return number, connection["id"]


async def placed(office: Office, number: str, **more: Any) -> str:
    """Place a call and return its id."""
    body = {"from": number, "to": CALLEE, "ringTimeoutS": 60, **more}
    call = await office.api.post("/v1/calls", body)
    assert call["state"] == "queued"
    call_id: str = call["id"]
    return call_id


async def record_in(office: Office, call_id: str, *states: str) -> dict[str, Any]:
    async def find() -> dict[str, Any] | None:
        record = await office.api.get(f"/v1/calls/{call_id}")
        return record if record["state"] in states else None

    return await until(find)


async def greeted(office: Office, call_id: str) -> None:
    """Wait until the greeting was said to its end."""

    async def find() -> bool | None:
        turns = said(await office.api.get(f"/v1/calls/{call_id}"))
        return True if ("agent", GREETING) in turns else None

    await until(find)


def first_sound_s(call: PhoneCall) -> float:
    """Return how long after the pickup anything but silence was first heard, from the INVITE on."""
    assert call.timings.answered_at is not None
    first = next(one for one in call.heard_packets if one.level_dbfs > SILENCE_DBFS)
    return first.arrived_s - call.timings.answered_at.monotonic_s


async def test_an_answered_call_is_greeted_after_pickup_and_not_before(office: Office) -> None:
    async with Softphone() as phone:
        number, _ = await ready_to_call(office, phone)
        call_id = await placed(office, number, variables={"name": "Ada"})
        incoming = await phone.next_call(timeout_s=PATIENCE_S)
        assert (incoming.callee, incoming.caller) == (CALLEE, number)
        # A carrier that connects the sound before anybody has answered.
        early = incoming.ring_with_sound()
        await early.play(ear.hum(RINGBACK_HZ))
        ringing = await record_in(office, call_id, "ringing")
        assert ringing["direction"] == "outbound"
        call = await incoming.answer()
        await call.wait_for_audio(timeout_s=PATIENCE_S)
        assert first_sound_s(call) > 0
        await greeted(office, call_id)
        await call.hang_up()
        record = await record_in(office, call_id, "ended")

    assert (record["calledNumber"], record["callerNumber"]) == (CALLEE, number)
    assert (record["endedBy"], record["endReason"]) == ("callee", "hang_up")
    assert record["transcript"][0]["text"] == GREETING
    told = [one for one in event_types(record) if one.startswith("call.")]
    assert told == [
        *("call.ringing", "call.admitted", "call.dialling", "call.alerting"),
        *("call.answered", "call.ended"),
    ]
    assert record["billedS"] >= 1
    assert ledger_sum(record) == -record["costMicrocredits"] < 0


async def test_whoever_does_not_answer_is_on_record_with_the_carriers_code_and_costs_nothing(
    office: Office,
) -> None:
    async def record_of_call_to(handler: CallHandler) -> dict[str, Any]:
        ring_s = 5 if handler is never_answer else 60
        async with Softphone(on_call=handler) as phone:
            number, _ = await ready_to_call(office, phone)
            call_id = await placed(office, number, ringTimeoutS=ring_s)
            return await record_in(office, call_id, "missed")

    balance = await office.balance_microcredits()
    whys = {
        ("busy", 486): reject_with(486),
        ("rejected", 603): reject_with(603),
        ("dial_failed", 503): reject_with(503),
        ("no_answer", None): never_answer,
    }
    records = await asyncio.gather(*(record_of_call_to(handler) for handler in whys.values()))
    for record, (reason, code) in zip(records, whys, strict=True):
        assert record["endReason"] == reason, record
        assert code is None or record["sipCode"] == code
        assert record["costMicrocredits"] == 0
        assert record["sentence"].startswith("Not answered: ")
    assert await office.balance_microcredits() == balance


async def test_calls_are_cancelled_while_they_ring_or_wait_but_not_once_answered(
    office: Office,
) -> None:
    async with Softphone() as phone:
        number, _ = await ready_to_call(office, phone, maxOutboundCalls=1)
        ringing = await placed(office, number)
        incoming = await phone.next_call(timeout_s=PATIENCE_S)
        incoming.ring()
        # The carrier takes one call at a time, so the second waits for the first.
        waiting = await placed(office, number)

        await office.api.post(f"/v1/calls/{ringing}/cancel", {})
        await asyncio.wait_for(incoming.cancelled.wait(), PATIENCE_S)
        record = await record_in(office, ringing, "missed")
        assert record["endReason"] == "cancelled"

        second = await phone.next_call(timeout_s=PATIENCE_S)
        second.ring()
        call = await second.answer()
        answered_s = time.monotonic()
        await record_in(office, waiting, "active")
        with pytest.raises(ApiRefused) as refused:
            await office.api.post(f"/v1/calls/{waiting}/cancel", {})
        assert refused.value.status == 409
        third = await placed(office, number)
        await office.api.post(f"/v1/calls/{third}/cancel", {})
        queued = await office.api.get(f"/v1/calls/{third}")
        assert (queued["state"], queued["endReason"]) == ("missed", "cancelled")
        await call.wait_for_audio(timeout_s=PATIENCE_S, since_s=answered_s)
        assert first_sound_s(call) > 0
        await call.hang_up()
        await record_in(office, waiting, "ended")
