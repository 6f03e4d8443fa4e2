"""The agent on the line."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Mapping, Sequence
from typing import Any, Final

from livekit import rtc
from livekit.agents import Agent, ModelSettings, llm
from livekit.agents.voice.turn import TurnHandlingOptions

from dispatch.agent_profile import AgentProfile

FIRST_SOUND_S: Final = 8.0
"""How long a voice may take from the first words to the first sound."""


class VoiceAgent(Agent):
    """An agent's profile, speaking: its instructions and the tools it may use in this call.

    It does not greet by itself: the greeting waits until the call is answered.

    Args:
        profile: The agent.
        variables: What the call fills into its instructions.
        tools: What it may do.
        on_silence: Called when its voice was given words and made no sound.
        chat_ctx: What was said before, when it goes on for another agent.
        on_start: Called when it has taken the conversation over.
    """

    def __init__(
        self,
        profile: AgentProfile,
        variables: Mapping[str, str],
        tools: Sequence[llm.Tool | llm.Toolset],
        on_silence: Callable[[], None],
        chat_ctx: llm.ChatContext | None = None,
        on_start: Callable[[], None] | None = None,
    ) -> None:
        super().__init__(
            instructions=profile.instructions(variables), tools=list(tools), chat_ctx=chat_ctx
        )
        self._on_silence = on_silence
        self._on_start = on_start

    async def on_enter(self) -> None:
        """Tell that the conversation is this agent's."""
        if self._on_start is not None:
            self._on_start()

    async def tts_node(
        self, text: AsyncIterable[str], model_settings: ModelSettings
    ) -> AsyncGenerator[rtc.AudioFrame, None]:
        """Speak, and notice a voice that keeps silent: some plugins would wait half a minute."""
        given = asyncio.Event()
        frames = Agent.default.tts_node(self, _noting(text, given), model_settings)
        first = asyncio.ensure_future(anext(frames, None))
        try:
            if not await _comes_in_time(first, given):
                self._on_silence()
                return
            frame = first.result()
            if frame is None:
                return
            yield frame
            async for frame in frames:
                yield frame
        finally:
            first.cancel()
            await asyncio.gather(first, return_exceptions=True)
            await frames.aclose()


class RealtimeAgent(Agent):
    """The same by a model that listens, thinks and speaks in one.

    Args:
        profile: The agent.
        variables: What the call fills into its instructions.
        tools: What it may do.
        model: The model.
        turn_handling: How turns are taken with such a model.
    """

    def __init__(
        self,
        profile: AgentProfile,
        variables: Mapping[str, str],
        tools: Sequence[llm.Tool | llm.Toolset],
        model: llm.RealtimeModel,
        turn_handling: TurnHandlingOptions,
    ) -> None:
        super().__init__(
            instructions=profile.instructions(variables),
            tools=list(tools),
            llm=model,
            stt=None,
            tts=None,
            turn_handling=turn_handling,
        )


async def _noting(text: AsyncIterable[str], given: asyncio.Event) -> AsyncGenerator[str, None]:
    async for piece in text:
        if piece.strip():
            given.set()
        yield piece


async def _comes_in_time(first: asyncio.Future[Any], given: asyncio.Event) -> bool:
    """Wait for the first sound; False when it did not follow the first words in time."""
    words = asyncio.ensure_future(given.wait())
    try:
        await asyncio.wait({first, words}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        words.cancel()
    await asyncio.wait({first}, timeout=FIRST_SOUND_S)
    return first.done()
