"""A call's models of vendors, on servers that speak the vendors' protocols."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from typing import Any

import numpy as np
import openai
import pytest
from livekit import rtc
from livekit.agents import APIConnectOptions, APIError, APIStatusError, llm, stt, utils

from dispatch.models.choices import AgentModels
from dispatch.tools.addresses import AllowedHosts
from telephony.speech import espeak, pocketsphinx
from telephony.speech.resampling import resample
from tests.servers.deepgram import deepgram_server
from tests.servers.openai import openai_server
from tests.servers.vendor import KEY, SPEECH_RATE_HZ, Answer, Brain, Vendor
from worker.provider_watch import reason_of
from worker.vendors.account import ModelUnavailableError
from worker.vendors.vendors import Vendors

pytestmark = pytest.mark.integration

RATE_HZ = 16_000
PATIENCE = APIConnectOptions(max_retry=0, timeout=30.0)
IMPATIENCE = APIConnectOptions(max_retry=0, timeout=1.0)
QUESTION = "what are your opening hours"
ANSWER = "We are open from nine to five."


class Keys:
    """A project's secrets."""

    def __init__(self, **keys: str) -> None:
        self._keys = keys

    async def for_call(self, _project_id: uuid.UUID, provider: str) -> dict[str, str]:
        key = self._keys.get(provider)
        return {} if key is None else {"api_key": key}


@pytest.fixture
async def http() -> AsyncIterator[None]:
    """The HTTP session that a job has open."""
    async with utils.http_context.open():
        yield


@pytest.fixture
async def deepgram() -> AsyncIterator[Vendor]:
    async with deepgram_server(Vendor(Brain({}), [QUESTION, "goodbye"])) as vendor:
        yield vendor


@pytest.fixture
async def openai_vendor() -> AsyncIterator[Vendor]:
    brain = Brain({QUESTION: Answer(ANSWER), "goodbye": Answer("", "end_call", {"reason": "done"})})
    async with openai_server(Vendor(brain, [QUESTION, "goodbye"])) as vendor:
        yield vendor


def vendors(*servers: Vendor, key: str = KEY) -> Vendors:
    keys: Any = Keys(deepgram=key, openai=key)
    return Vendors(uuid.uuid4(), keys, AllowedHosts([server.host for server in servers]))


def models(**choices: Any) -> AgentModels:
    return AgentModels.model_validate(choices)


def spoken(text: str) -> np.ndarray[Any, np.dtype[np.int16]]:
    speech = espeak.synthesize(
        text, voice=espeak.CALLER_VOICE, words_per_minute=espeak.CALLER_WORDS_PER_MINUTE
    )
    pcm = resample(speech.pcm, speech.sample_rate_hz, RATE_HZ)
    quiet = np.zeros(RATE_HZ, np.int16)
    return np.concatenate([quiet, pcm, quiet])


def frames(pcm: np.ndarray[Any, np.dtype[np.int16]]) -> list[rtc.AudioFrame]:
    size = RATE_HZ // 20
    return [
        rtc.AudioFrame(piece.tobytes(), RATE_HZ, 1, len(piece))
        for piece in np.split(pcm, range(size, len(pcm), size))
    ]


def heard(audio: rtc.AudioFrame) -> str:
    pcm = np.frombuffer(audio.data, np.int16)
    return pocketsphinx.recognise(pcm, audio.sample_rate, [ANSWER, "We are closed."]).text


async def test_deepgram_writes_down_what_is_said(http: None, deepgram: Vendor) -> None:
    choice = models(
        stt={
            "provider": "deepgram",
            "base_url": deepgram.base_url,
            "params": {"smart_format": True, "keyterm": ["Harbour Books"]},
        }
    ).stt
    async with vendors(deepgram) as built:
        recognition = await built.build_stt(choice, "en-US")
        stream = recognition.stream(conn_options=PATIENCE)
        for frame in frames(spoken(QUESTION)):
            stream.push_frame(frame)
        stream.end_input()
        events = [event async for event in stream]
        await stream.aclose()
    finals = [e for e in events if e.type is stt.SpeechEventType.FINAL_TRANSCRIPT]
    assert [event.alternatives[0].text for event in finals] == [QUESTION]
    [query] = deepgram.requests("listen")
    assert (query["model"], query["language"]) == ("nova-3", "en-US")
    assert (query["smart_format"], query["keyterm"]) == ("true", "Harbour Books")


async def test_openai_writes_down_an_utterance(http: None, openai_vendor: Vendor) -> None:
    choice = models(stt={"provider": "openai", "base_url": openai_vendor.base_url}).stt
    async with vendors(openai_vendor) as built:
        recognition = await built.build_stt(choice, "en-US")
        event = await recognition.recognize(frames(spoken(QUESTION)), conn_options=PATIENCE)
    assert event.alternatives[0].text == QUESTION


@pytest.mark.parametrize("provider", ["deepgram", "openai"])
async def test_what_a_vendor_speaks_can_be_understood(
    http: None, deepgram: Vendor, openai_vendor: Vendor, provider: str
) -> None:
    server = {"deepgram": deepgram, "openai": openai_vendor}[provider]
    choice = models(tts={"provider": provider, "base_url": server.base_url}).tts
    async with vendors(server) as built:
        voice = await built.build_tts(choice)
        if provider == "openai":
            audio = await voice.synthesize(ANSWER, conn_options=PATIENCE).collect()
        else:
            async with voice.stream(conn_options=PATIENCE) as stream:
                stream.push_text(ANSWER)
                stream.end_input()
                audio = rtc.combine_audio_frames([piece.frame async for piece in stream])
        await voice.aclose()
    assert audio.sample_rate == SPEECH_RATE_HZ
    assert heard(audio) == ANSWER


async def test_openai_answers_and_asks_for_tools(http: None, openai_vendor: Vendor) -> None:
    choice = models(
        llm={
            "provider": "openai",
            "model": "gpt-4.1-mini",
            "base_url": openai_vendor.base_url,
            "params": {"temperature": 0.2},
        }
    ).llm
    async with vendors(openai_vendor) as built:
        model = await built.build_llm(choice)
        said = await ask(model, QUESTION)
        asked_for = await ask(model, "Goodbye!")
    assert said.text.strip() == ANSWER
    [call] = asked_for.tool_calls
    assert (call.name, call.arguments) == ("end_call", '{"reason": "done"}')
    assert asked_for.usage is not None
    assert (asked_for.usage.prompt_tokens, asked_for.usage.prompt_cached_tokens) == (100, 40)
    assert [body["temperature"] for body in openai_vendor.requests("chat")] == [0.2, 0.2]


async def ask(
    model: llm.LLM[Any], text: str, patience: APIConnectOptions = PATIENCE
) -> llm.CollectedResponse:
    context = llm.ChatContext.empty()
    context.add_message(role="user", content=text)
    return await model.chat(chat_ctx=context, conn_options=patience).collect()


async def test_the_stand_in_for_openai_satisfies_openais_own_client(openai_vendor: Vendor) -> None:
    async with openai.AsyncOpenAI(api_key=KEY, base_url=openai_vendor.base_url) as client:
        stream = await client.chat.completions.create(
            model="gpt-4.1",
            messages=[{"role": "user", "content": QUESTION}],
            stream=True,
        )
        pieces = [chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices]
        speech = await client.audio.speech.create(
            model="tts-1", voice="alloy", input=ANSWER, response_format="pcm"
        )
        with pytest.raises(openai.AuthenticationError):
            await client.with_options(api_key="wrong").models.list()
    assert "".join(pieces).strip() == ANSWER
    pcm = np.frombuffer(speech.content, np.int16)
    assert pocketsphinx.recognise(pcm, SPEECH_RATE_HZ, [ANSWER]).text == ANSWER


@pytest.mark.parametrize(
    ("key", "patience", "reason"),
    [
        (KEY, IMPATIENCE, "The provider did not answer in time."),
        ("wrong", PATIENCE, "The provider refused the API key. It answered with HTTP 401."),
    ],
)
async def test_a_wrong_key_and_a_silent_vendor_are_told_apart(
    http: None, openai_vendor: Vendor, key: str, patience: APIConnectOptions, reason: str
) -> None:
    if key == KEY:
        openai_vendor.hanging |= {"chat"}
    choice = models(llm={"provider": "openai", "base_url": openai_vendor.base_url}).llm
    async with vendors(openai_vendor, key=key) as built:
        with pytest.raises(APIError) as failed:
            await asyncio.wait_for(ask(await built.build_llm(choice), QUESTION, patience), 60)
    assert reason_of(failed.value) == reason


async def test_deepgram_refuses_a_wrong_key(http: None, deepgram: Vendor) -> None:
    choice = models(stt={"provider": "deepgram", "base_url": deepgram.base_url}).stt
    async with vendors(deepgram, key="wrong") as built:
        stream = (await built.build_stt(choice, "en")).stream(conn_options=PATIENCE)
        with pytest.raises(APIStatusError) as failed:
            async for _ in stream:
                pass
        await stream.aclose()
    assert reason_of(failed.value) == "The provider refused the API key. It answered with HTTP 401."


async def test_without_a_key_no_model_is_built_and_none_is_taken_from_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-the-operator")
    no_keys: Any = Keys()
    built = Vendors(uuid.uuid4(), no_keys, AllowedHosts())
    with pytest.raises(ModelUnavailableError, match="secret openai holds no api_key"):
        await built.build_llm(models(llm={"provider": "openai"}).llm)


async def test_a_secret_may_name_the_server_in_the_vendors_place(openai_vendor: Vendor) -> None:
    class Secret:
        async def for_call(self, _project_id: uuid.UUID, _provider: str) -> dict[str, str]:
            return {"api_key": KEY, "base_url": openai_vendor.base_url}

    secret: Any = Secret()
    async with Vendors(uuid.uuid4(), secret, AllowedHosts([openai_vendor.host])) as built:
        said = await ask(await built.build_llm(models(llm={"provider": "openai"}).llm), QUESTION)
    assert said.text.strip() == ANSWER


@pytest.mark.parametrize("url", ["http://10.0.0.1/v1", "https://169.254.169.254/v1"])
async def test_a_base_url_leads_to_public_hosts_only(url: str) -> None:
    async with vendors() as built:
        for build, choice in (
            (built.build_llm, models(llm={"provider": "openai", "base_url": url}).llm),
            (built.build_tts, models(tts={"provider": "deepgram", "base_url": url}).tts),
        ):
            with pytest.raises(ModelUnavailableError, match="not a public https address"):
                await build(choice)  # type: ignore[operator]


async def test_a_name_that_resolves_to_a_private_address_is_not_connected_to(http: None) -> None:
    connected = asyncio.Event()

    async def accept(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connected.set()
        writer.close()

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    url = f"https://localhost:{server.sockets[0].getsockname()[1]}/v1"
    choice = models(stt={"provider": "deepgram", "base_url": url}).stt
    async with server, vendors() as built:
        stream = (await built.build_stt(choice, "en")).stream(conn_options=PATIENCE)
        with pytest.raises(APIError):
            async for _ in stream:
                pass
        await stream.aclose()
    assert not connected.is_set()
