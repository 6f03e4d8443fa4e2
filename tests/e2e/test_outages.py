"""What a call and its owner meet when a part of the stack dies."""

import asyncio
from typing import Any
from urllib.parse import quote

import pytest
from livekit import api

from stack.conversation import Caller, Press
from stack.demo_agent import AGENT
from stack.errors import ApiRefused
from stack.supervisor import Stack
from telephony.softphone.call import PhoneCall
from telephony.softphone.errors import CallFailed
from tests.e2e.conftest import Dial, Office
from tests.e2e.talking import has_told, is_part, understood
from tests.e2e.waiting import PATIENCE_S, event_types, ledger_sum, said, until

pytestmark = pytest.mark.e2e

WELL_BEFORE_S = 6.0
PAUSE_S = 2.5
HOURS, ADDRESS, _FAREWELL = (step["reply"] for step in AGENT["script"]["steps"])


def caller_on(call: PhoneCall) -> Caller:
    return Caller(call, [AGENT["greeting"], HOURS, ADDRESS], lambda _line: None)


async def hear_to_the_end(caller: Caller, call: PhoneCall, since_s: float = 0.0) -> None:
    """Hear something out when no record tells that it is over: a pause is no end."""
    await call.wait_for_audio(timeout_s=PATIENCE_S, since_s=since_s)
    await caller.listen()
    await call.wait_for_quiet(quiet_s=PAUSE_S, timeout_s=PATIENCE_S)


async def record_in_state(office: Office, number: str, state: str) -> dict[str, Any]:
    async def find() -> dict[str, Any] | None:
        records = await office.calls(number)
        return next((call for call in records if call["state"] == state), None)

    return await until(find)


async def test_calls_outlive_postgres_and_begin_without_it_and_their_records_appear_afterwards(
    stack: Stack, office: Office, dial: Dial
) -> None:
    number = await office.number((await office.agent())["id"])
    async with dial(number, from_number="+12015550111") as call:
        first = caller_on(call)
        await first.listen()
        await has_told(office, number, AGENT["greeting"])
        await stack.stop("postgres")
        for key in ("1", "2"):
            await hear_to_the_end(first, call, await first.act(Press(key)))
        await call.hang_up()
    async with dial(number, from_number="+12015550112") as call:
        second = caller_on(call)
        await hear_to_the_end(second, call)
        await call.hang_up()
    assert is_part(understood(first.conversation), [AGENT["greeting"], HOURS, ADDRESS])
    assert set(understood(second.conversation)) <= {AGENT["greeting"]}

    await stack.start("postgres")

    async def both_ended() -> dict[str, dict[str, Any]] | None:
        records = await office.calls(number)
        ended = [record for record in records if record["state"] == "ended"]
        return {one["callerNumber"]: one for one in ended} if len(ended) == 2 else None

    records = await until(both_ended)
    assert said(records["+12015550111"]) == [
        ("agent", AGENT["greeting"]),
        ("caller", "[key 1]"),
        ("agent", HOURS),
        ("caller", "[key 2]"),
        ("agent", ADDRESS),
    ]
    assert said(records["+12015550112"]) == [("agent", AGENT["greeting"])]
    for record in records.values():
        assert ledger_sum(record) == -record["costMicrocredits"] < 0
        numbered = [event["seq"] for event in record["events"]]
        assert numbered == list(range(1, len(numbered) + 1))


async def test_without_a_worker_it_rings_as_foretold_until_there_is_one_and_giving_up_is_free(
    stack: Stack, office: Office, dial: Dial
) -> None:
    number = await office.number((await office.agent())["id"])
    before = await office.balance_microcredits()
    await stack.stop("worker")

    async def foretold() -> bool | None:
        # A worker that is stopped before a call has left it cannot sign off: its report lapses.
        explained = await office.api.get(f"/v1/phone-numbers/{quote(number)}/explain")
        return True if explained["sentence"] == "No worker is running." else None

    await until(foretold)

    with pytest.raises(CallFailed):
        async with dial(number, ring_timeout_s=6):
            pass
    record = await record_in_state(office, number, "missed")
    assert record["answeredAt"] is None
    assert await office.balance_microcredits() == before

    async def greeted() -> bool:
        try:
            async with dial(number) as call:
                await call.wait_for_audio(timeout_s=PATIENCE_S)
                await has_told(office, number, AGENT["greeting"])
                await call.hang_up()
        except CallFailed:
            return False
        return True

    head_start_s = 0.0
    for _ in range(5):
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(stack.start("worker"))
            await asyncio.sleep(head_start_s)
            # LiveKit drops the call's job: it knows of no worker yet.
            calling = tasks.create_task(greeted())
        if calling.result():
            break
        # Who rings for 20 s is told that nobody answers, and a busy machine takes as long for it.
        head_start_s = max(0.0, stack.timings_s["worker"] - WELL_BEFORE_S)
        await stack.stop("worker")
    assert calling.result()


async def test_an_assignment_made_while_livekit_is_down_is_kept_pending_and_converges(
    stack: Stack, office: Office, dial: Dial
) -> None:
    agent = await office.agent()
    number = await office.number()
    listed = (await office.api.get("/v1/chat/phone-numbers", number=number))["data"][0]
    path = f"/v1/chat/phone-numbers/{listed['id']}"
    await stack.stop("livekit")

    async def seen_pending() -> dict[str, Any] | None:
        shown = await office.api.get(path)
        return shown if shown["status"] == "pending" else None

    await until(seen_pending)
    answer = await office.api.patch(path, {"inBoundAgentId": agent["id"]})
    assert answer["inBoundAgentId"] == agent["id"]
    assert answer["status"] == "pending"
    assert "LiveKit" in answer["statusReason"]

    await stack.start("livekit")
    await stack.recover()

    async def seen_active() -> dict[str, Any] | None:
        shown = await office.api.get(path)
        return shown if shown["status"] == "active" else None

    assert (await until(seen_active))["inBoundAgentId"] == agent["id"]
    async with dial(number) as call:
        await call.wait_for_audio(timeout_s=PATIENCE_S)


async def test_nobody_is_answered_for_free_while_redis_is_down(
    stack: Stack, office: Office, dial: Dial
) -> None:
    number = await office.number((await office.agent())["id"])
    await stack.stop("redis")
    with pytest.raises(CallFailed):
        async with dial(number, ring_timeout_s=8):
            pass
    with pytest.raises(ApiRefused) as refused:
        await office.api.get("/v1/credits")
    assert refused.value.status == 503
    await stack.recover()

    async def answered() -> bool | None:
        # livekit-sip answers 503 until its own connection to Redis is back.
        try:
            async with dial(number) as call:
                await call.wait_for_audio(timeout_s=PATIENCE_S)
        except CallFailed:
            return None
        return True

    assert await until(answered)


async def test_livekit_gets_its_trunks_back_after_redis_forgot_them(
    stack: Stack, office: Office, dial: Dial
) -> None:
    number = await office.number((await office.agent())["id"])
    livekit = api.LiveKitAPI(stack.livekit_url, stack.livekit_api_key, stack.livekit_api_secret)
    try:
        for trunk in (await livekit.sip.list_inbound_trunk(api.ListSIPInboundTrunkRequest())).items:
            await livekit.sip.delete_trunk(
                api.DeleteSIPTrunkRequest(sip_trunk_id=trunk.sip_trunk_id)
            )

        async def number_is_back() -> bool | None:
            trunks = await livekit.sip.list_inbound_trunk(api.ListSIPInboundTrunkRequest())
            rules = await livekit.sip.list_dispatch_rule(api.ListSIPDispatchRuleRequest())
            ours = {trunk.sip_trunk_id for trunk in trunks.items if number in trunk.numbers}
            return True if any(ours & set(rule.trunk_ids) for rule in rules.items) else None

        await until(number_is_back)
    finally:
        await livekit.aclose()
    async with dial(number) as call:
        await call.wait_for_audio(timeout_s=PATIENCE_S)


async def test_events_of_a_call_survive_a_killed_dispatch_and_are_written_once(
    stack: Stack, office: Office, dial: Dial
) -> None:
    number = await office.number((await office.agent())["id"])
    async with dial(number) as call:
        caller = caller_on(call)
        await caller.listen()
        await stack.kill("dispatch")
        await caller.act(Press("1"))
        await caller.listen()
        await call.hang_up()
    await stack.start("dispatch")
    record = await record_in_state(office, number, "ended")
    assert event_types(record).count("call.ended") == 1
    assert ledger_sum(record) == -record["costMicrocredits"]
