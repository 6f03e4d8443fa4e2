"""Numbers that are closed, choosy or without an agent: real calls, and a clock that is set.

By their clock it is Friday noon or Saturday noon in Berlin, whatever the real one says.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from stack.conversation import Caller, Conversation
from stack.demo_agent import AGENT
from stack.supervisor import Stack
from telephony.softphone.call import PhoneCall
from telephony.softphone.errors import CallRejected
from telephony.softphone.phone import Softphone
from tests.e2e import ear
from tests.e2e.conftest import Dial, Office
from tests.e2e.ear import CALLER_HZ, HUMAN_HZ, humming
from tests.e2e.talking import has_told, understood
from tests.e2e.transferring import (
    LOST_LEG_S,
    ended_record,
    events,
    is_passed_on,
    next_answered,
)
from tests.e2e.waiting import PATIENCE_S, said, until
from tests.servers.openai import openai_server
from tests.servers.vendor import Brain, Vendor

pytestmark = pytest.mark.e2e

FRIDAY, SATURDAY = "2026-11-20T12:00:00+01:00", "2026-11-21T12:00:00+01:00"
HOURS = {
    "timeZone": "Europe/Berlin",
    "weekly": [
        {
            "days": ["monday", "tuesday", "wednesday", "thursday", "friday"],
            "opens": "09:00",
            "closes": "17:00",
        }
    ],
}
GREETING = AGENT["greeting"]
NIGHT = "You have reached the people who work at night."
CLOSED = "We are closed. Please call again on Monday from nine."
ONE_MOMENT = "One moment, please."
REFER_FREE = {"carrierTransfers": False, "ringTimeoutS": 60}
"""These agents' carriers take no REFER, so calls are bridged."""

SetClock = Callable[[str], None]


@pytest.fixture
def set_clock(stack: Stack) -> Iterator[SetClock]:
    """Sets the clock by which the running stack judges opening hours; goes back afterwards."""
    file = Path(os.environ["DIALPLANE_CLOCK_FILE"])

    def put(at: str) -> None:
        new = file.with_suffix(".new")
        new.write_text(at)
        new.replace(file)

    yield put
    file.unlink(missing_ok=True)


async def behave(office: Office, number: str, **fields: Any) -> None:
    await office.api.patch(f"/v1/phone-numbers/{number}/behaviour", fields)


async def listen(office: Office, dial: Dial, number: str, text: str) -> Conversation:
    """Call, hear something out, and hang up unless the far end is to."""
    async with dial(number) as call:
        caller = Caller(call, [GREETING, NIGHT, CLOSED], lambda _line: None)
        await caller.listen()
        await has_told(office, number, text)
        await caller.finish(LOST_LEG_S if text == CLOSED else 0)
        assert set(understood(caller.conversation)) <= {text}
        return caller.conversation


async def records(office: Office, number: str, count: int) -> list[dict[str, Any]]:
    """Return the records of a number's calls, the first call first, once all are over."""

    async def find() -> list[dict[str, Any]] | None:
        found = await office.calls(number)
        done = [one for one in found if one["state"] in ("ended", "refused")]
        return found[::-1] if len(done) == count else None

    return await until(find)


@asynccontextmanager
async def connected(
    office: Office, number: str, caller: PhoneCall, desk: Softphone
) -> AsyncIterator[PhoneCall]:
    """Answer the next call at the desk, and hear that it is the caller, and the caller the desk."""
    human = await next_answered(desk)
    async with humming(caller, CALLER_HZ), humming(human, HUMAN_HZ):
        await ear.hears(human, "caller_dbfs")
        await ear.hears(caller, "human_dbfs")
    await is_passed_on(office, number)
    yield human


async def test_a_number_is_open_and_closed_by_a_clock_and_says_so_or_lets_another_agent_talk(
    office: Office, dial: Dial, set_clock: SetClock
) -> None:
    day, night = await office.agent(), await office.agent(greeting=NIGHT)
    number = await office.number(day["id"])
    message = {"action": "message", "text": CLOSED}
    await behave(office, number, openingHours=HOURS, afterHours=message)

    set_clock(FRIDAY)
    opened = await listen(office, dial, number, GREETING)
    set_clock(SATURDAY)
    closed = await listen(office, dial, number, CLOSED)
    explained = await office.api.get(f"/v1/phone-numbers/{number}/explain")
    await behave(office, number, afterHours={"action": "agent", "agentId": night["id"]})
    await listen(office, dial, number, NIGHT)

    assert (opened.ended_by_agent, closed.ended_by_agent) == (False, True)
    hours = next(step["sentence"] for step in explained["steps"] if step["name"] == "hours")
    assert hours == (
        "It is closed until Monday 2026-11-23 09:00 (Europe/Berlin): callers hear a message."
    )
    first, second, third = await records(office, number, 3)
    assert (first["endedBy"], first["agentId"]) == ("caller", day["id"])
    assert (second["endedBy"], second["endReason"]) == ("system", "message_heard")
    assert said(second) == [("agent", CLOSED)]
    decided = events(second, "call.admitted")[0]["behaviour"]
    assert (decided["ground"], decided["action"]) == ("after_hours", "message")
    assert decided["at"] == SATURDAY
    assert said(first) == [("agent", GREETING)]
    assert third["agentId"] == night["id"]
    assert said(third) == [("agent", NIGHT)]


async def test_whoever_may_not_call_is_never_answered_and_neither_is_anybody_while_closed(
    office: Office, dial: Dial, set_clock: SetClock
) -> None:
    number = await office.number((await office.agent())["id"])
    await behave(office, number, openingHours=HOURS, blockedCallers=["+12015550166"])
    set_clock(FRIDAY)
    with pytest.raises(CallRejected) as blocked:
        async with dial(number, from_number="+12015550166"):
            pass
    set_clock(SATURDAY)
    with pytest.raises(CallRejected) as closed:
        async with dial(number):
            pass

    assert (blocked.value.status, closed.value.status) == (486, 486)
    told = await records(office, number, 2)
    assert [one["sentence"] for one in told] == [
        "Refused: the number does not take calls from this caller.",
        "Refused: the number is closed at this time.",
    ]
    assert [one["ledger"] for one in told] == [[], []]


async def test_after_hours_the_call_is_passed_on_and_where_nobody_answers_the_caller_is_told(
    office: Office, dial: Dial, set_clock: SetClock, stack: Stack
) -> None:
    agent = await office.agent(transfer=REFER_FREE)
    number = await office.number(agent["id"])
    set_clock(SATURDAY)
    async with Softphone() as desk:
        after = {"action": "transfer", "to": desk.uri("desk"), "text": ONE_MOMENT}
        await behave(office, number, openingHours=HOURS, afterHours=after)
        async with (
            dial(number) as caller,
            connected(office, number, caller, desk) as human,
        ):
            await caller.hang_up()
            await asyncio.wait_for(human.ended, LOST_LEG_S)
        async with dial(number) as caller:
            incoming = await desk.next_call(timeout_s=PATIENCE_S)
            incoming.reject(486)
            await asyncio.wait_for(caller.ended, LOST_LEG_S)
        # As the last of a chain of numbers that each pass it on at once, with no text before.
        await behave(office, number, afterHours={"action": "transfer", "to": desk.uri("desk")})
        circling = await desk.call(
            f"sip:{number}@{stack.sip_address}",
            from_user="+12015550166",
            headers={"X-Dialplane-Hops": "5"},
        )
        await asyncio.wait_for(circling.ended, LOST_LEG_S)

    taken, missed, stopped = await records(office, number, 3)
    assert [one["outcome"] for one in events(taken, "transfer.completed")] == ["accepted"]
    assert taken["endedBy"] == "caller"
    assert said(taken) == [("agent", ONE_MOMENT)]
    assert sum(part["costMicrocredits"] for part in taken["usage"]) == taken["costMicrocredits"]
    assert "outbound_leg" in {part["model"] for part in taken["usage"]}
    assert (missed["endedBy"], missed["endReason"]) == ("system", "nobody_reached")
    assert said(missed)[-1] == ("agent", "I am sorry, the line is busy.")
    assert (stopped["endedBy"], stopped["endReason"]) == ("system", "nobody_reached")
    assert len(stopped["legs"]) == 1


async def test_the_fallback_gets_a_call_without_an_agent_and_one_whose_agent_fails(
    office: Office, dial: Dial
) -> None:
    await office.api.send("PUT", "/v1/secrets/openai", json={"values": {"api_key": "sk-wrong"}})
    async with Softphone() as desk, openai_server(Vendor(Brain({}), [])) as openai:
        mute = {"tts": {"provider": "openai", "baseUrl": openai.base_url}}
        agent = await office.agent(models=mute, transfer=REFER_FREE)
        realtime = await office.agent(
            voicePipelineMode="sts",
            models={"realtime": {"baseUrl": openai.base_url}},
            transfer=REFER_FREE,
        )
        services = {None: [], agent["id"]: ["tts"], realtime["id"]: ["realtime"]}
        for agent_id, failing in services.items():
            number = await office.number(agent_id)
            await behave(office, number, fallbackNumber=desk.uri("desk"))
            async with (
                dial(number) as caller,
                connected(office, number, caller, desk) as human,
            ):
                await human.hang_up()
                await asyncio.wait_for(caller.ended, LOST_LEG_S)
            record = await ended_record(office, number)
            assert (record["endedBy"], record["endReason"]) == ("human", "hang_up")
            admitted = events(record, "call.admitted")[0]
            failed = [one["service"] for one in events(record, "provider.failed")]
            if agent_id is None:
                assert admitted["agent_refused"] == "number_unassigned"
                assert admitted["behaviour"]["ground"] == "fallback"
            else:
                assert admitted["behaviour"]["ground"] == "open"
            assert failed == failing
