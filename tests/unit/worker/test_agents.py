"""The agent on the line: a voice that keeps silent is noticed."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable
from typing import Any

import pytest
from livekit import rtc
from livekit.agents import Agent, ModelSettings

from dispatch.agent_profile import AgentProfile
from tests.builders.live_calls import Tenant
from worker import agents
from worker.agents import VoiceAgent

pytestmark = pytest.mark.unit

PROFILE: AgentProfile = Tenant().agent(system_prompt="You are {{who}}.", variables={"who": "Ada"})
FRAME = rtc.AudioFrame(bytes(320), 16_000, 1, 160)


@pytest.fixture
def silences() -> list[str]:
    return []


def agent(silences: list[str]) -> VoiceAgent:
    return VoiceAgent(PROFILE, {}, [], lambda: silences.append("silent"))


def speak_with(monkeypatch: pytest.MonkeyPatch, voice: Any) -> None:
    monkeypatch.setattr(Agent.default, "tts_node", voice)


async def words(*pieces: str) -> AsyncGenerator[str, None]:
    for piece in pieces:
        yield piece


async def spoken(voice: VoiceAgent, text: AsyncIterable[str]) -> int:
    return len([frame async for frame in voice.tts_node(text, ModelSettings())])


async def test_every_frame_of_a_voice_is_passed_on(
    monkeypatch: pytest.MonkeyPatch, silences: list[str]
) -> None:
    async def voice(
        _agent: Agent, text: AsyncIterable[str], _settings: ModelSettings
    ) -> AsyncGenerator[rtc.AudioFrame, None]:
        async for _ in text:
            yield FRAME

    speak_with(monkeypatch, voice)
    assert await spoken(agent(silences), words("one ", "two ", "three")) == 3
    assert silences == []


async def test_a_voice_that_makes_no_sound_of_its_words_is_noticed(
    monkeypatch: pytest.MonkeyPatch, silences: list[str]
) -> None:
    async def voice(
        _agent: Agent, text: AsyncIterable[str], _settings: ModelSettings
    ) -> AsyncGenerator[rtc.AudioFrame, None]:
        async for _ in text:
            await asyncio.Event().wait()
        yield FRAME

    monkeypatch.setattr(agents, "FIRST_SOUND_S", 0.05)
    speak_with(monkeypatch, voice)
    assert await asyncio.wait_for(spoken(agent(silences), words("one")), 30) == 0
    assert silences == ["silent"]


async def test_a_model_that_has_not_spoken_yet_is_not_the_voices_fault(
    monkeypatch: pytest.MonkeyPatch, silences: list[str]
) -> None:
    monkeypatch.setattr(agents, "FIRST_SOUND_S", 0.05)

    async def late() -> AsyncGenerator[str, None]:
        await asyncio.sleep(0.2)
        # The voice has this long once there are words; a busy machine needs some of it.
        monkeypatch.setattr(agents, "FIRST_SOUND_S", 30.0)
        yield "at last"

    async def voice(
        _agent: Agent, text: AsyncIterable[str], _settings: ModelSettings
    ) -> AsyncGenerator[rtc.AudioFrame, None]:
        async for _ in text:
            yield FRAME

    speak_with(monkeypatch, voice)
    assert await spoken(agent(silences), late()) == 1
    assert silences == []


def test_the_instructions_hold_the_calls_own_variables() -> None:
    own = VoiceAgent(PROFILE, {"who": "Grace"}, [], lambda: None)
    assert (own.instructions, agent([]).instructions) == ("You are Grace.", "You are Ada.")
