"""A caller dials a number and an agent answers: real SIP, real audio, real record."""

import asyncio
import math
import time
from typing import Any

import pytest

from stack.conversation import Caller, Conversation, Press, dialled
from stack.demo_agent import AGENT
from stack.supervisor import Stack
from telephony.softphone.call import PhoneCall
from telephony.softphone.errors import CallRejected
from telephony.softphone.playback import FRAME_S
from telephony.softphone.recording import SPEECH_DBFS
from tests.e2e.conftest import Dial, Office
from tests.e2e.talking import ask, has_told, is_part, understood, went_like
from tests.e2e.waiting import PATIENCE_S, event_types, ledger_sum, moment, said, until

pytestmark = pytest.mark.e2e

GREETING = AGENT["greeting"]
HOURS, ADDRESS, FAREWELL = (step["reply"] for step in AGENT["script"]["steps"])
SIP_PRICE_MICROCREDITS_PER_MINUTE = 100_000
HEARTBEAT_S = 5
LATE_S = 10
"""How late a busy machine may tell of what happened."""
LOST_LEG_S = 120
"""Now and then livekit-server sees a leg's connection close before the word of leaving in it; then
it keeps the leg for some 20 s; and some to spare."""
WHOLE_S = 45
"""How long the longest greeting lasts at least, heard in full, without its pauses."""


def caller_on(call: PhoneCall) -> Caller:
    return Caller(call, [GREETING, HOURS, ADDRESS, FAREWELL], lambda _line: None)


async def press_one_key(
    office: Office,
    number: str,
    call: PhoneCall,
    key: str,
    reply: str,
    *,
    from_number: str | None = None,
) -> Conversation:
    """Hear the greeting, press a key, hear the reply to its end, and hang up."""
    caller = caller_on(call)
    await caller.listen()
    await caller.act(Press(key))
    await caller.listen()
    await has_told(office, number, reply, from_number=from_number)
    await caller.finish(0)
    return caller.conversation


def sound_s(call: PhoneCall) -> float:
    """Return how much sound was heard, without the pauses."""
    return FRAME_S * sum(packet.level_dbfs >= SPEECH_DBFS for packet in call.heard_packets)


async def only_record(office: Office, number: str, state: str = "ended") -> dict[str, Any]:
    async def find() -> dict[str, Any] | None:
        records = [call for call in await office.calls(number) if call["state"] == state]
        assert len(records) <= 1
        return records[0] if records else None

    return await until(find)


class TestAConversation:
    async def test_the_caller_can_talk_over_the_agent(self, office: Office, dial: Dial) -> None:
        number = await office.number(
            (await office.agent(greeting="Harbour Books. " + "We sell all kinds of books. " * 30))[
                "id"
            ]
        )
        async with dial(number) as call:
            await call.wait_for_audio(timeout_s=PATIENCE_S)
            await ask(office, number, call, "what are your opening hours", HOURS)
            await call.hang_up()
        record = await only_record(office, number)
        greeting, *rest = record["transcript"]
        assert greeting["speaker"] == "agent"
        assert greeting["text"].count("books") < 30
        assert ("agent", HOURS) in [(turn["speaker"], turn["text"]) for turn in rest]
        assert sound_s(call) < WHOLE_S

    async def test_callers_at_once_each_have_their_own_conversation_and_record(
        self, stack: Stack, office: Office
    ) -> None:
        number = await office.number((await office.agent())["id"])

        async def one(key: str, reply: str, from_number: str) -> None:
            async with dialled(stack.sip_address, number, from_number=from_number) as call:
                conversation = await press_one_key(
                    office, number, call, key, reply, from_number=from_number
                )
            assert is_part(understood(conversation), [GREETING, reply])

        await asyncio.gather(
            one("1", HOURS, "+12015550111"),
            one("2", ADDRESS, "+12015550112"),
            one("1", HOURS, "+12015550113"),
        )

        async def three_records() -> list[dict[str, Any]] | None:
            records = await office.calls(number)
            return records if [r["state"] for r in records] == ["ended"] * 3 else None

        records = await until(three_records)
        replies = {record["callerNumber"]: said(record)[-1][1] for record in records}
        assert replies == {"+12015550111": HOURS, "+12015550112": ADDRESS, "+12015550113": HOURS}


class TestTheRecord:
    async def test_words_and_keys_lead_to_replies_and_the_record_has_all_of_it_to_the_goodbye(
        self, office: Office, dial: Dial
    ) -> None:
        agent = await office.agent()
        number = await office.number(agent["id"])
        async with dial(number, from_number="+12015550123") as call:
            caller = caller_on(call)
            await caller.listen()
            await ask(office, number, call, "what are your opening hours", HOURS)
            await caller.listen()
            await caller.act(Press("2"))
            await caller.listen()
            await has_told(office, number, ADDRESS)
            await caller.act(Press("9"))
            await caller.listen()
            await caller.finish(LOST_LEG_S)
        conversation = caller.conversation
        assert is_part(understood(conversation), [GREETING, HOURS, ADDRESS, FAREWELL])
        assert conversation.ended_by_agent
        record = await only_record(office, number)
        conversed = [
            ("agent", GREETING),
            ("caller", "what are your opening hours"),
            ("agent", HOURS),
            ("caller", "[key 2]"),
            ("agent", ADDRESS),
            ("caller", "[key 9]"),
            ("agent", FAREWELL),
        ]
        assert went_like(record, conversed), said(record)
        assert said(record)[-1] == conversed[-1]
        assert record["calledNumber"] == number
        assert record["callerNumber"] == "+12015550123"
        assert (record["agentId"], record["agentVersion"]) == (agent["id"], agent["version"])
        assert (record["endedBy"], record["endReason"]) == ("agent", "hang_up")
        talked_s = (moment(record, "endedAt") - moment(record, "answeredAt")).total_seconds()
        # The agent hangs up after its last words, at the latest when the caller hears of it.
        pressed_s = next(one.at_s for one in conversation.lines if "9" in one.text)
        pressed_s -= call.timings.answered_at.monotonic_s - call.timings.invited_at.monotonic_s
        assert pressed_s - LATE_S < talked_s < conversation.duration_s + LATE_S

    async def test_a_caller_who_hangs_up_pays_to_that_moment_at_most_and_the_ledger_proves_it(
        self, office: Office, dial: Dial
    ) -> None:
        number = await office.number((await office.agent())["id"])
        before = await office.balance_microcredits()
        async with dial(number) as call:
            conversation = await press_one_key(office, number, call, "1", HOURS)
        record = await only_record(office, number)
        assert record["endedBy"] == "caller"
        talked_s = (moment(record, "endedAt") - moment(record, "answeredAt")).total_seconds()
        lived_s = conversation.duration_s
        assert lived_s - HEARTBEAT_S - LATE_S < talked_s < lived_s + LATE_S
        assert record["billedS"] == math.ceil(talked_s)
        assert record["costMicrocredits"] == math.ceil(
            record["billedS"] * SIP_PRICE_MICROCREDITS_PER_MINUTE / 60
        )
        first, *extensions, release, charge = [entry["kind"] for entry in record["ledger"]]
        assert (first, release, charge) == ("reserve", "release", "charge")
        assert set(extensions) <= {"extend"}
        assert ledger_sum(record) == -record["costMicrocredits"]
        costs = {part["service"]: part["costMicrocredits"] for part in record["usage"]}
        # What is built in is counted, and free.
        assert costs.keys() >= {"telephony", "tts"}
        assert sum(costs.values()) == costs["telephony"] == record["costMicrocredits"]
        assert await office.balance_microcredits() == before - record["costMicrocredits"]
        types = event_types(record)
        assert [event["seq"] for event in record["events"]] == list(range(1, len(types) + 1))
        milestones = ("call.ringing", "call.admitted", "call.answered", "keys", "call.ended")
        assert [each for each in types if each in milestones] == list(milestones)


class TestWhoAnswers:
    async def test_a_reassigned_number_is_answered_by_the_new_agent_a_second_later(
        self, stack: Stack, office: Office, dial: Dial
    ) -> None:
        old = await office.agent(name="Old", greeting="Harbour Books. How can I help you?")
        new = await office.agent(name="New", greeting="We are open from nine to five.")
        number = await office.number(old["id"])
        listed = (await office.api.get("/v1/chat/phone-numbers", number=number))["data"][0]
        changes = livekit_sip_changes(stack)
        await office.api.patch(
            f"/v1/chat/phone-numbers/{listed['id']}", {"inBoundAgentId": new["id"]}
        )
        # The second is the promise under test, not a wait for something.
        await asyncio.sleep(1)
        async with dial(number) as call:
            caller = Caller(call, [old["greeting"], new["greeting"]], lambda _line: None)
            await caller.listen()
            await caller.finish(0)
        record = await only_record(office, number)
        assert (record["agentId"], record["agentVersion"]) == (new["id"], new["version"])
        assert set(understood(caller.conversation)) <= {new["greeting"]}
        assert livekit_sip_changes(stack) == changes

    async def test_an_unassigned_number_is_never_answered_and_the_record_says_why(
        self, office: Office, dial: Dial
    ) -> None:
        number = await office.number()
        with pytest.raises(CallRejected) as rejected:
            async with dial(number):
                pass
        assert rejected.value.status == 486
        record = await only_record(office, number, "refused")
        assert record["refusalReason"] == "number_unassigned"
        assert record["sentence"] == "Refused: the number has no agent assigned."
        assert record["answeredAt"] is None
        assert record["costMicrocredits"] in {None, 0}

    async def test_without_credit_the_call_is_never_answered_and_the_record_says_why(
        self, penniless_office: Office, dial: Dial
    ) -> None:
        number = await penniless_office.number((await penniless_office.agent())["id"])
        with pytest.raises(CallRejected):
            async with dial(number):
                pass
        record = await only_record(penniless_office, number, "refused")
        assert record["refusalReason"] == "insufficient_credits"
        assert record["ledger"] == []
        assert await penniless_office.balance_microcredits() == 0

    async def test_a_call_that_outlives_its_credit_is_told_and_ended(
        self, penniless_office: Office, dial: Dial
    ) -> None:
        # One block is the least a call needs; this is that and one second.
        await penniless_office.admin.post(
            f"/admin/v1/organizations/{penniless_office.tenant.organization_id}/credits",
            {
                "amountMicrocredits": 43_334,
                "reason": "One block",
                "operationId": f"block-{time.time_ns()}",
            },
        )
        number = await penniless_office.number(
            (await penniless_office.agent(silenceTimeoutS=600))["id"]
        )
        async with dial(number) as call:
            await asyncio.wait_for(asyncio.shield(call.ended), LOST_LEG_S)
        record = await only_record(penniless_office, number)
        assert (record["endedBy"], record["endReason"]) == ("system", "credit_spent")
        assert "credit.low" in event_types(record)
        assert 15 <= record["billedS"] <= 26
        assert await penniless_office.balance_microcredits() >= 0


def livekit_sip_changes(stack: Stack) -> int:
    """Return how often LiveKit was asked to change a trunk or a rule, by its own log."""
    log = (stack.logs / "livekit.log").read_text()
    return sum(
        log.count(f"{verb}SIP{what}")
        for verb in ("Create", "Update", "Delete")
        for what in ("InboundTrunk", "Trunk", "DispatchRule")
    )
