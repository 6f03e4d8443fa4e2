"""What is said in a call by rule, not by a model's choice: greeting, warning, goodbye, excuse."""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Final

from livekit import rtc
from livekit.agents import AgentSession, APIError, tts
from livekit.agents.types import NOT_GIVEN, NotGivenOr

from dispatch.agent_profile import AgentProfile, GreetingMode
from worker.builtin import EspeakTTS
from worker.pipelines import CONN_OPTIONS, SpeechModels

logger = logging.getLogger(__name__)

CREDIT_WARNING: Final = "Please note that this call will end in a few seconds."

EXCUSE: Final = (
    "I am sorry, there is a technical problem and I cannot go on. Please call again later. Goodbye."
)
"""Said in the voice that needs no vendor."""

_WORD_FOR_WORD: Final = "Say exactly the following, word for word, and nothing else: {text}"
_OPENING: Final = "The call was just answered. Begin the conversation. {text}"

_FIRST_SOUND_S: Final = 10.0
"""How long the sound of the greeting may take: two attempts of the connection's patience."""


class Speaker:
    """Speaks for the system, with whatever models the call has.

    A realtime model cannot be given sound, so it is told what to say.

    Args:
        session: The agent's session.
        models: Its models.
        profile: The agent.
        variables: What the call fills into the agent's texts.
    """

    def __init__(
        self,
        session: AgentSession[Any],
        models: SpeechModels,
        profile: AgentProfile,
        variables: Mapping[str, str],
    ) -> None:
        self._session = session
        self._own_voice = models.own_voice
        self._tts = models.tts
        self._profile = profile
        self._greeting = profile.filled(profile.greeting, variables)
        self._goodbye = profile.filled(profile.goodbye, variables)

    def use(self, voice: tts.TTS[Any]) -> None:
        """Speak with this voice from now on, word for word."""
        self._tts = voice

    async def prepare(self, started: asyncio.Event) -> Sequence[rtc.AudioFrame]:
        """Make the sound of the greeting, while the call still rings; empty when there is none.

        Args:
            started: Set once the session is. Sound that this machine makes waits for that, or it
                would hold the answer up. As a rule it is ready when the call is answered; where
                it is not, as on a busy machine or with a long greeting, the caller waits for it.

        Raises:
            APIError: The vendor of the voice failed.
            TimeoutError: It kept silent.
        """
        says = self._profile.greeting_mode is GreetingMode.SAY and self._greeting
        if not says or self._tts is None:
            return []
        if isinstance(self._tts, EspeakTTS):
            await started.wait()
        return await self._sound_of(self._greeting, self._tts)

    def greet(self, frames: Sequence[rtc.AudioFrame]) -> None:
        """Speak first, if the agent is to.

        Args:
            frames: What `prepare` made.
        """
        may_interrupt = self._profile.turn_taking.barge_in_greeting
        match self._profile.greeting_mode:
            case GreetingMode.SAY if frames:
                self._session.say(
                    self._greeting,
                    audio=_stream(frames),
                    allow_interruptions=_interruptible(allowed=may_interrupt),
                )
            case GreetingMode.SAY if self._greeting and self._tts is not None:
                self._session.say(
                    self._greeting, allow_interruptions=_interruptible(allowed=may_interrupt)
                )
            case GreetingMode.SAY if self._greeting:
                self._tell(_WORD_FOR_WORD.format(text=self._greeting), may_interrupt=may_interrupt)
            case GreetingMode.GENERATE:
                self._tell(_OPENING.format(text=self._greeting), may_interrupt=may_interrupt)
            case _:
                return

    def warn(self) -> None:
        """Tell the caller that the call is about to end."""
        self._say(CREDIT_WARNING)

    async def say_goodbye(self) -> None:
        """Speak the goodbye and return when it was heard."""
        if self._goodbye:
            self.interrupt()
            await self._say(self._goodbye)

    async def excuse(self) -> None:
        """Tell the caller that it cannot go on, without any vendor; return when it was heard.

        Raises:
            RuntimeError: The session is over.
        """
        self.interrupt()
        async with self._own_voice.synthesize(EXCUSE) as audio:
            frames = [piece.frame async for piece in audio]
        await self._session.say(EXCUSE, audio=_stream(frames), allow_interruptions=False)

    async def announce(self, text: str) -> Exception | None:
        """Say something to the caller, word for word, whatever becomes of the agent's own voice.

        Returns:
            How the agent's voice failed, once it was heard in the voice that needs no vendor; None
            when it did not.

        Raises:
            RuntimeError: The session is over.
        """
        failure: Exception | None = None
        frames: Sequence[rtc.AudioFrame] = []
        if self._tts is not None:
            try:
                frames = await self._sound_of(text, self._tts)
            except (APIError, TimeoutError) as exc:
                failure = exc
        if not frames:
            frames = await self._sound_of(text, self._own_voice)
        await self._session.say(text, audio=_stream(frames), allow_interruptions=False)
        return failure

    async def say_aside(self, text: str) -> None:
        """Speak to somebody who is not the caller, word for word; return when it was heard.

        It is no part of the conversation. Cancelled, the agent falls silent.

        Raises:
            RuntimeError: The session is over.
        """
        voice = self._own_voice if self._tts is None else self._tts
        async with voice.synthesize(text, conn_options=CONN_OPTIONS) as audio:
            frames = [piece.frame async for piece in audio]
        speech = self._session.say(text, audio=_stream(frames), add_to_chat_ctx=False)
        try:
            await speech.wait_for_playout()
        finally:
            speech.interrupt(force=True)

    async def say(self, text: str) -> None:
        """Say something to the caller, word for word; return when it was heard or interrupted.

        Raises:
            RuntimeError: The session is over.
        """
        await self._say(text)

    def speak(self, text: str) -> Any:
        """Begin to say something to the caller, word for word; return the speech.

        Raises:
            RuntimeError: The session is over.
        """
        return self._say(text)

    def interrupt(self) -> None:
        """Stop what the agent is saying, unless it must be heard."""
        try:
            self._session.interrupt()
        except RuntimeError:
            # The agent is saying something that must be heard; what follows comes after it.
            logger.debug("speech not interrupted")

    async def _sound_of(self, text: str, voice: tts.TTS[Any]) -> Sequence[rtc.AudioFrame]:
        async with (
            asyncio.timeout(_FIRST_SOUND_S),
            voice.synthesize(text, conn_options=CONN_OPTIONS) as audio,
        ):
            return [piece.frame async for piece in audio]

    def _say(self, text: str) -> Any:
        if self._tts is None:
            return self._tell(_WORD_FOR_WORD.format(text=text), may_interrupt=False)
        return self._session.say(text, allow_interruptions=False)

    def _tell(self, instructions: str, *, may_interrupt: bool) -> Any:
        if self._tts is None:
            # A model that finds the turns itself cannot be kept from hearing an interruption.
            return self._session.generate_reply(instructions=instructions)
        return self._session.generate_reply(
            instructions=instructions, allow_interruptions=_interruptible(allowed=may_interrupt)
        )


def _interruptible(*, allowed: bool) -> NotGivenOr[bool]:
    """Return the argument that forbids interruptions; allowed, the agent's own rule holds."""
    return NOT_GIVEN if allowed else False


async def _stream(frames: Sequence[rtc.AudioFrame]) -> AsyncIterator[rtc.AudioFrame]:
    for frame in frames:
        yield frame
        # The pace of speech is measured frame by frame; playing must not wait for the last one.
        await asyncio.sleep(0)
