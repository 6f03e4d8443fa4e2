"""Real calls with agents that hear, think and speak with vendors' models.

The vendors are stand-ins that speak the vendors' protocols and really hear and speak.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from stack.conversation import Caller, Conversation, Say
from telephony.softphone.errors import CallIsOver, CallRejected
from tests.e2e.conftest import Dial, Office
from tests.e2e.transferring import LOST_LEG_S
from tests.e2e.waiting import said, until
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


async def call(dial: Dial, number: str, *actions: Say) -> Conversation:
    async with dial(number) as phone:
        caller = Caller(phone, SENTENCES, lambda _line: None)
        return await caller.converse(actions, stays_s=LOST_LEG_S)


async def listen_to_the_end(dial: Dial, number: str, *actions: Say) -> Conversation:
    async with dial(number) as phone:
        caller = Caller(phone, SENTENCES, lambda _line: None)
        for action in actions:
            await caller.listen()
            await caller.act(action)
        with contextlib.suppress(CallIsOver):
            async with asyncio.timeout(120):
                while True:
                    await caller.listen()
        return caller.conversation


def heard(conversation: Conversation) -> list[str]:
    return [line.text for line in conversation.lines if line.who == "agent"]


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
        conversation = await call(dial, number, Say(QUESTION), Say(GOODBYE))
    assert heard(conversation) == [GREETING, HOURS, FAREWELL]
    assert conversation.ended_by_agent
    assert [request.json for request in asked] == [{"day": "monday"}]
    record = await record_of(office, number)
    assert said(record) == [
        ("agent", GREETING),
        ("caller", QUESTION),
        ("agent", HOURS),
        ("caller", GOODBYE),
        ("agent", FAREWELL),
    ]
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
    conversation = await call(dial, number, Say(QUESTION), Say(GOODBYE))
    assert heard(conversation) == [GREETING, HOURS, FAREWELL]
    assert conversation.ended_by_agent
    record = await record_of(office, number)
    assert said(record) == [
        ("agent", GREETING),
        ("caller", QUESTION),
        ("agent", HOURS),
        ("caller", GOODBYE),
        ("agent", FAREWELL),
    ]
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
        conversations = await asyncio.gather(
            *(listen_to_the_end(dial, number, Say(QUESTION)) for number in numbers[:2]),
            *(listen_to_the_end(dial, number) for number in numbers[2:]),
        )
    records = [await record_of(office, number) for number in numbers]
    # Four at once may be too much for an ear; then the record tells what was said to it.
    for conversation, record in zip(conversations, records, strict=True):
        assert EXCUSE in heard(conversation) or ("agent", EXCUSE) in said(record)
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
    conversation = await call(dial, number, Say(GOODBYE))
    assert heard(conversation) == [GREETING, FAREWELL]
    record = await record_of(office, number)
    assert (record["endedBy"], record["endReason"]) == ("agent", "hang_up")
    assert failures(record) == [failure("realtime", "gpt-realtime", REFUSED_KEY)]


async def test_without_a_key_a_call_is_refused_before_the_answer_and_the_record_says_why(
    office: Office, dial: Dial
) -> None:
    models = {name: {"provider": "openai"} for name in ("stt", "llm", "tts")}
    number = await office.number(await agent_of(office, models=models))
    with pytest.raises(CallRejected) as rejected:
        await call(dial, number)
    assert rejected.value.status == 486
    record = await record_of(office, number)
    assert (record["state"], record["refusalReason"]) == ("refused", "provider_not_configured")
    assert record["sentence"] == (
        "Refused: the agent's models need an API key that is not among the project's secrets."
    )
