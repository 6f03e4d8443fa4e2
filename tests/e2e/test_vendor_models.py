"""Real calls with agents that hear, think and speak with vendors' models.

The vendors are stand-ins that speak the vendors' protocols and really hear and speak.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from stack.conversation import Caller
from telephony.softphone.errors import CallIsOver, CallRejected
from tests.e2e.conftest import Dial, Office
from tests.e2e.talking import ask, has_told, is_part, say_until, understood, went_like
from tests.e2e.transferring import LOST_LEG_S
from tests.e2e.waiting import PATIENCE_S, said, until
from tests.servers.deepgram import deepgram_server
from tests.servers.openai import openai_server
from tests.servers.tool_server import Received, json_reply, running_tool_server
from tests.servers.vendor import KEY, Answer, Brain, Vendor
from worker.speaker import EXCUSE

pytestmark = pytest.mark.e2e

GREETING = "You have reached Harbour Books"
HOURS = "We are open from nine to five."
FAREWELL = "Thank you for calling Harbour Books."
QUESTION, GOODBYE = "what are your opening hours", "goodbye"
SENTENCES = (GREETING, HOURS, FAREWELL, EXCUSE)
CONVERSED = [
    ("agent", GREETING),
    ("caller", QUESTION),
    ("agent", HOURS),
    ("caller", GOODBYE),
    ("agent", FAREWELL),
]

REFUSED_KEY = "The provider refused the API key. It answered with HTTP 401."
SILENT = "The provider did not answer in time."


@pytest.fixture
async def deepgram() -> AsyncIterator[Vendor]:
    async with deepgram_server(Vendor(Brain({}), [QUESTION, GOODBYE])) as vendor:
        yield vendor


@pytest.fixture
async def openai() -> AsyncIterator[Vendor]:
    brain = Brain(
        {
            QUESTION: Answer(tool="opening_hours", arguments={"day": "monday"}),
            GOODBYE: Answer(FAREWELL, "end_call"),
        },
        after_tool=HOURS,
    )
    async with openai_server(Vendor(brain, [QUESTION, GOODBYE])) as vendor:
        yield vendor


async def keep(office: Office, **keys: str) -> None:
    for provider, key in keys.items():
        await office.api.send("PUT", f"/v1/secrets/{provider}", json={"values": {"api_key": key}})


def pipeline(deepgram: Vendor, openai: Vendor, **llm: Any) -> dict[str, Any]:
    at_openai = {"provider": "openai", "baseUrl": openai.base_url}
    return {
        "stt": {"provider": "deepgram", "baseUrl": deepgram.base_url},
        "llm": at_openai | {"model": "gpt-4.1-mini"} | llm,
        "tts": at_openai,
    }


async def agent_of(office: Office, **changes: Any) -> str:
    changes = {"script": {}, "greeting": GREETING, "systemPrompt": "You sell books."} | changes
    return (await office.agent(**changes))["id"]


async def converse(office: Office, dial: Dial, number: str, **replies: str) -> None:
    """Ask for the replies of an agent, by its questions, and say goodbye; the agent hangs up."""
    async with dial(number) as phone:
        caller = Caller(phone, SENTENCES, lambda _line: None)
        await caller.listen()
        await has_told(office, number, GREETING)
        for question, reply in replies.items():
            await ask(office, number, phone, question, reply)
            await caller.listen()
        with contextlib.suppress(CallIsOver):
            await say_until(phone, GOODBYE, phone.ended)
        await caller.finish(LOST_LEG_S)
    assert is_part(understood(caller.conversation), [GREETING, *replies.values(), FAREWELL])
    assert caller.conversation.ended_by_agent


async def ask_to_the_end(dial: Dial, number: str, question: str | None) -> None:
    """Ask something, if there is a question, and hear what comes until the agent hangs up."""
    async with dial(number) as phone:
        await phone.wait_for_audio(timeout_s=PATIENCE_S)
        if question is None:
            await asyncio.wait_for(phone.ended, PATIENCE_S)
        else:
            await phone.wait_for_quiet(quiet_s=1, timeout_s=PATIENCE_S)
            with contextlib.suppress(CallIsOver):
                await say_until(phone, question, asyncio.wait_for(phone.ended, PATIENCE_S))


def used(record: dict[str, Any]) -> set[tuple[str, str, str]]:
    """What the bill counts besides the time; it is the tenant's own affair, and free here."""
    time, *parts = record["usage"]
    assert time["costMicrocredits"] == record["costMicrocredits"]
    assert {(part["keys"], part["costMicrocredits"]) for part in parts} == {("own", 0)}
    return {(part["service"], part["provider"], part["unit"]) for part in parts}


def failures(record: dict[str, Any]) -> list[dict[str, Any]]:
    return [event["data"] for event in record["events"] if event["type"] == "provider.failed"]


def failure(service: str, model: str, reason: str) -> dict[str, str]:
    return {"service": service, "provider": "openai", "model": model, "reason": reason}


async def record_of(office: Office, number: str) -> dict[str, Any]:
    async def find() -> dict[str, Any] | None:
        over = [c for c in await office.calls(number) if c["state"] not in {"ringing", "active"}]
        return over[0] if over else None

    return await until(find)


async def test_a_pipeline_of_deepgram_and_openai_holds_a_conversation_with_a_tool(
    office: Office, dial: Dial, deepgram: Vendor, openai: Vendor
) -> None:
    asked: list[Received] = []

    def answer(request: Received) -> Any:
        asked.append(request)
        return json_reply({"opens": 9, "closes": 17})

    await keep(office, deepgram=KEY, openai=KEY)
    async with running_tool_server(answer) as tools:
        tool = await office.api.post(
            "/v1/tools",
            {
                "name": "opening_hours",
                "description": "When the shop is open.",
                "parameters": {"type": "object", "properties": {"day": {"type": "string"}}},
                "http": {"url": tools.url("/hours"), "method": "POST"},
            },
        )
        agent_id = await agent_of(office, models=pipeline(deepgram, openai), toolIds=[tool["id"]])
        number = await office.number(agent_id)
        await converse(office, dial, number, **{QUESTION: HOURS})
    assert asked
    assert all(request.json == {"day": "monday"} for request in asked)
    record = await record_of(office, number)
    assert went_like(record, CONVERSED, openai.brain.fallback), said(record)
    assert (record["endedBy"], record["endReason"]) == ("agent", "hang_up")
    system = openai.requests("chat")[0]["messages"][0]
    assert "You sell books." in str(system["content"])
    assert openai.requests("speech")[0]["voice"] == "ash"
    assert used(record) >= {
        ("stt", "deepgram", "audio_ms"),
        ("llm", "openai", "input_tokens"),
        ("llm", "openai", "output_tokens"),
        ("tts", "openai", "characters"),
    }


async def test_one_realtime_model_holds_a_conversation(
    office: Office, dial: Dial, openai: Vendor
) -> None:
    openai.brain.answers = {QUESTION: Answer(HOURS), GOODBYE: Answer(FAREWELL, "end_call")}
    await keep(office, openai=KEY)
    agent_id = await agent_of(
        office,
        voicePipelineMode="sts",
        models={"realtime": {"baseUrl": openai.base_url, "voice": "cedar"}},
    )
    number = await office.number(agent_id)
    await converse(office, dial, number, **{QUESTION: HOURS})
    record = await record_of(office, number)
    assert went_like(record, CONVERSED, openai.brain.fallback), said(record)
    assert (record["endedBy"], record["endReason"]) == ("agent", "hang_up")
    assert openai.requests("realtime")[0] == {"model": "gpt-realtime"}
    assert {service for service, _, _ in used(record)} == {"realtime"}


async def test_a_provider_that_fails_is_named_on_record_and_the_caller_is_told(
    office: Office, dial: Dial, deepgram: Vendor, openai: Vendor
) -> None:
    await keep(office, deepgram=KEY, openai=KEY, wrong="sk-wrong")
    async with openai_server(
        Vendor(Brain({}), [], hanging={"chat", "speech", "realtime"})
    ) as silent:
        built = pipeline(deepgram, openai)
        mute = built | {"tts": {"provider": "openai", "baseUrl": silent.base_url}}
        agents = [
            await agent_of(office, models=pipeline(deepgram, openai, secret="wrong")),
            await agent_of(office, models=pipeline(deepgram, openai, baseUrl=silent.base_url)),
            await agent_of(office, models=mute),
            await agent_of(
                office,
                voicePipelineMode="sts",
                models={"realtime": {"baseUrl": silent.base_url}},
            ),
        ]
        numbers = [await office.number(agent_id) for agent_id in agents]
        # Two fail when they are asked something, the others with their very first word.
        await asyncio.gather(
            *(ask_to_the_end(dial, number, QUESTION) for number in numbers[:2]),
            *(ask_to_the_end(dial, number, None) for number in numbers[2:]),
        )
    records = [await record_of(office, number) for number in numbers]
    assert all(("agent", EXCUSE) in said(record) for record in records)
    assert {(each["endedBy"], each["endReason"]) for each in records} == {
        ("system", "provider_failed")
    }
    assert [failures(each) for each in records] == [
        [failure("llm", "gpt-4.1-mini", REFUSED_KEY)],
        [failure("llm", "gpt-4.1-mini", SILENT)],
        [failure("tts", "gpt-4o-mini-tts", SILENT)],
        [failure("realtime", "gpt-realtime", SILENT)],
    ]


async def test_a_hybrid_agent_goes_on_by_its_pipeline_when_the_realtime_model_fails(
    office: Office, dial: Dial, deepgram: Vendor, openai: Vendor
) -> None:
    openai.brain.answers = {GOODBYE: Answer(FAREWELL, "end_call")}
    await keep(office, deepgram=KEY, openai=KEY, wrong="sk-wrong")
    realtime = {"baseUrl": openai.base_url, "secret": "wrong"}
    agent_id = await agent_of(
        office,
        voicePipelineMode="hybrid",
        models=pipeline(deepgram, openai) | {"realtime": realtime},
    )
    number = await office.number(agent_id)
    await converse(office, dial, number)
    record = await record_of(office, number)
    assert (record["endedBy"], record["endReason"]) == ("agent", "hang_up")
    assert failures(record) == [failure("realtime", "gpt-realtime", REFUSED_KEY)]


async def test_without_a_key_a_call_is_refused_before_the_answer_and_the_record_says_why(
    office: Office, dial: Dial
) -> None:
    models = {name: {"provider": "openai"} for name in ("stt", "llm", "tts")}
    number = await office.number(await agent_of(office, models=models))
    with pytest.raises(CallRejected) as rejected:
        async with dial(number):
            pass
    assert rejected.value.status == 486
    record = await record_of(office, number)
    assert (record["state"], record["refusalReason"]) == ("refused", "provider_not_configured")
    assert record["sentence"] == (
        "Refused: the agent's models need an API key that is not among the project's secrets."
    )
