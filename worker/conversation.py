"""One conversation: the caller, the agent, and everything that must be noticed while they talk."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from livekit import rtc
from livekit.agents import (
    AgentSession,
    AgentStateChangedEvent,
    CloseEvent,
    ConversationItemAddedEvent,
    FunctionToolsExecutedEvent,
    UserStateChangedEvent,
    llm,
)
from livekit.agents.voice.events import CloseReason
from livekit.agents.voice.transcription import TranscriptSynchronizer

from dispatch.agent_profile import AgentProfile
from dispatch.calls import Arrival
from telephony.calls import CallKind
from worker.agents import VoiceAgent
from worker.ending import AGENT_FAILED
from worker.keys import KeyInput
from worker.line import Line
from worker.metering import Meter
from worker.pipelines import SpeechModels, room_options
from worker.transcript import CallJournal, tool_arguments, turn_of

logger = logging.getLogger(__name__)

CREDIT_WARNING: Final = "Please note that this call will end in a few seconds."

_TAIL_S: Final = 0.3
"""From the last sample we play until the carrier has it: our send queue, the jitter buffers of
livekit-server and livekit-sip, and the wire."""

_BUSY: Final = frozenset({"thinking", "speaking"})


class Conversation:
    """The running agent of one admitted call.

    Args:
        line: The line to the caller.
        arrival: Who calls.
        profile: The agent.
        session: The agent's session, not started.
        models: Its models.
        journal: Where turns, keys and tools are put on record.
        meter: Told when the call is answered and when somebody speaks.
    """

    def __init__(
        self,
        line: Line,
        arrival: Arrival,
        profile: AgentProfile,
        session: AgentSession[Any],
        models: SpeechModels,
        journal: CallJournal,
        meter: Meter,
    ) -> None:
        self._line = line
        self._arrival = arrival
        self._profile = profile
        self._session = session
        self._models = models
        self._journal = journal
        self._meter = meter
        self._keys = KeyInput(session, journal, line.ending, arrival.caller_identity)
        self._answering_keys: asyncio.Task[None] | None = None
        self._heard_text: TranscriptSynchronizer | None = None

    async def open(self, agent: VoiceAgent, answer_timeout_s: float) -> None:
        """Start the agent, wait for the answer and greet.

        The greeting is made while the call still rings and spoken when the caller can hear it.

        Raises:
            LineDownError: The caller gave up first.
            TimeoutError: The line did not open in time.
        """
        self._listen()
        greeting = asyncio.ensure_future(self._synthesize(self._profile.greeting))
        try:
            await self._session.start(
                agent,
                room=self._line.room,
                room_options=room_options(self._arrival.kind, self._arrival.caller_identity),
                record=False,
                session_host=False,
            )
            self._follow_playout()
            async with asyncio.timeout(answer_timeout_s):
                await self._wait_for_answer()
            self._mark_answered()
            self._greet(await greeting)
        finally:
            greeting.cancel()

    def warn(self) -> None:
        """Tell the caller that the call is about to end."""
        self._session.say(CREDIT_WARNING, allow_interruptions=False)

    async def say_goodbye(self, timeout_s: float) -> None:
        """Speak the goodbye, let it be heard in full, and let the call be over.

        Args:
            timeout_s: After this the call is over even if the goodbye was not.
        """
        try:
            async with asyncio.timeout(timeout_s):
                if self._profile.goodbye:
                    self._interrupt()
                    await self._session.say(self._profile.goodbye, allow_interruptions=False)
                await asyncio.sleep(_TAIL_S)
        except TimeoutError:
            logger.warning("goodbye took too long")
        finally:
            self._line.ending.finish()

    async def hang_up(self) -> None:
        """Let the last audio reach the caller, then let the call be over."""
        try:
            await asyncio.sleep(_TAIL_S)
        finally:
            self._line.ending.finish()

    async def close(self, timeout_s: float) -> None:
        """Stop the agent; what the caller heard of an unfinished turn goes on record."""
        if self._answering_keys is not None:
            self._answering_keys.cancel()
        try:
            async with asyncio.timeout(timeout_s):
                await self._session.aclose()
                if self._heard_text is not None:
                    await self._heard_text.aclose()
        except TimeoutError:
            logger.warning("agent did not stop in time")

    def _listen(self) -> None:
        self._session.on("conversation_item_added", self._on_item)
        self._session.on("function_tools_executed", self._on_tools)
        self._session.on("user_state_changed", self._on_state)
        self._session.on("agent_state_changed", self._on_state)
        self._session.on("close", self._on_close)
        self._line.room.on("sip_dtmf_received", self._keys.press)
        self._answering_keys = asyncio.ensure_future(self._keys.run())

    def _follow_playout(self) -> None:
        """On a telephone, know how much of a turn was heard although no text is published."""
        audio = self._session.output.audio
        if self._arrival.kind is CallKind.SIP and audio is not None:
            self._heard_text = TranscriptSynchronizer(
                next_in_chain_audio=audio, next_in_chain_text=None
            )
            self._session.output.audio = self._heard_text.audio_output
            self._session.output.transcription = self._heard_text.text_output

    async def _wait_for_answer(self) -> None:
        if self._arrival.kind is CallKind.SIP:
            await self._line.wait_for_active(self._arrival.caller_identity)
            return
        subscribed = self._session.room_io.subscribed_fut
        if subscribed is not None:
            await self._line.unless_down(asyncio.shield(subscribed))

    def _mark_answered(self) -> None:
        at = datetime.now(UTC)
        self._line.mark_answered(at)
        self._meter.answered(time.monotonic())
        self._journal.answered(at)

    def _greet(self, frames: Sequence[rtc.AudioFrame]) -> None:
        if self._profile.greeting and not self._line.ending.is_decided:
            self._session.say(self._profile.greeting, audio=_stream(frames))

    async def _synthesize(self, text: str) -> Sequence[rtc.AudioFrame]:
        if not text:
            return []
        async with self._models.tts.synthesize(text) as audio:
            return [piece.frame async for piece in audio]

    def _interrupt(self) -> None:
        try:
            self._session.interrupt()
        except RuntimeError:
            # The agent is saying something that must be heard; the goodbye follows it.
            logger.debug("speech not interrupted")

    def _on_item(self, event: ConversationItemAddedEvent) -> None:
        if isinstance(event.item, llm.ChatMessage):
            turn = turn_of(event.item)
            if turn is not None:
                self._journal.turn(turn)

    def _on_tools(self, event: FunctionToolsExecutedEvent) -> None:
        for call, output in event.zipped():
            self._journal.tool(call.name, tool_arguments(call), output.output)

    def _on_state(self, _event: UserStateChangedEvent | AgentStateChangedEvent) -> None:
        speaking = self._session.user_state == "speaking" or self._session.agent_state in _BUSY
        self._meter.heard(time.monotonic(), speaking=speaking)

    def _on_close(self, event: CloseEvent) -> None:
        if event.reason is CloseReason.ERROR:
            self._line.ending.cut_off(AGENT_FAILED)


async def _stream(frames: Sequence[rtc.AudioFrame]) -> AsyncIterator[rtc.AudioFrame]:
    for frame in frames:
        yield frame
        # The pace of speech is measured frame by frame; playing must not wait for the last one.
        await asyncio.sleep(0)
