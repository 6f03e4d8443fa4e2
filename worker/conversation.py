"""One conversation: the caller, the agent, and everything that must be noticed while they talk."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from livekit import rtc
from livekit.agents import (
    AgentSession,
    AgentStateChangedEvent,
    APIError,
    CloseEvent,
    ConversationItemAddedEvent,
    FunctionToolsExecutedEvent,
    UserStateChangedEvent,
    llm,
)
from livekit.agents.voice.events import CloseReason
from livekit.agents.voice.transcription import TranscriptSynchronizer

from dispatch.agent_profile import AgentProfile
from dispatch.calls import Arrival, ProviderFailure
from telephony.calls import CallKind
from worker.agents import RealtimeAgent, VoiceAgent
from worker.call_errors import NotNow
from worker.ending import AGENT_FAILED, PROVIDER_FAILED
from worker.gather import Gathered, GatherPlan, KeyGatherer
from worker.keys import KeyInput
from worker.line import Line
from worker.metering import Meter
from worker.pipelines import Pipeline, SpeechModels, room_options
from worker.provider_watch import ProviderWatch
from worker.speaker import Speaker
from worker.transcript import CallJournal, tool_arguments, turn_of
from worker.turn_taking import realtime_turn_handling

logger = logging.getLogger(__name__)

_TAIL_S: Final = 0.3
"""From the last sample we play until the carrier has it: our send queue, the jitter buffers of
livekit-server and livekit-sip, and the wire."""

_EXCUSE_TIMEOUT_S: Final = 15.0

_BUSY: Final = frozenset({"thinking", "speaking"})


class Conversation:
    """The running agent of one admitted call.

    Args:
        line: The line to the caller.
        arrival: Who calls.
        profile: The agent.
        session: The agent's session, not started.
        models: Its models.
        variables: What the call fills into the agent's texts.
        journal: Where turns, keys, tools and failures are put on record.
        meter: Told when the call is answered and when somebody speaks.
    """

    def __init__(
        self,
        line: Line,
        arrival: Arrival,
        profile: AgentProfile,
        session: AgentSession[Any],
        models: SpeechModels,
        variables: Mapping[str, str],
        journal: CallJournal,
        meter: Meter,
    ) -> None:
        self._line = line
        self._arrival = arrival
        self._profile = profile
        self._session = session
        self._models = models
        self._variables = variables
        self._journal = journal
        self._meter = meter
        self._speaker = Speaker(session, models, profile, variables)
        self._providers = ProviderWatch(profile, self._on_failure)
        self._keys = KeyInput(session, journal, line.ending, arrival.caller_identity)
        self._tools: Sequence[llm.Tool | llm.Toolset] = ()
        self._working: set[asyncio.Future[None]] = set()
        self._heard_text: TranscriptSynchronizer | None = None
        self.before_goodbye: Callable[[], Awaitable[None]] | None = None
        """Lets everybody hear the agent again, whoever the caller talks with."""
        self.place: Callable[[], Awaitable[None]] | None = None
        """Rings whoever an outbound call goes to; returns when they answered."""
        self.pass_on: Callable[[], Awaitable[bool]] | None = None
        """Gives the caller to somebody else, for an agent that fails; whether they were taken."""
        self._answered = asyncio.Event()
        self._is_passed_on = False

    async def open(self, tools: Sequence[llm.Tool | llm.Toolset], answer_timeout_s: float) -> None:
        """Start the agent, wait for the answer and greet.

        The greeting is made while the call still rings and spoken when the caller can hear it.

        Args:
            tools: What the agent may do.
            answer_timeout_s: How long the line may take to open.

        Raises:
            LineDownError: The caller gave up first, or the agent's models failed.
            TimeoutError: The line did not open in time.
        """
        self._tools = tools
        self._listen()
        started = asyncio.Event()
        greeting = asyncio.ensure_future(self._speaker.prepare(started))
        try:
            await self._session.start(
                self._first_agent(),
                room=self._line.room,
                room_options=room_options(self._arrival.kind, self._arrival.caller_identity),
                record=False,
                session_host=False,
            )
            started.set()
            self._follow_playout()
            if self._models.realtime_answered is not None:
                self._work_on(self._providers.expect(self._models.realtime_answered))
            async with asyncio.timeout(answer_timeout_s):
                await self._wait_for_answer()
            self._mark_answered()
            await self._greet(greeting)
        finally:
            greeting.cancel()

    def warn(self) -> None:
        """Tell the caller that the call is about to end, if it is the agent they talk with."""
        if self._keys.is_for_agent:
            self._speaker.warn()

    def stand_aside(self) -> None:
        """Leave the caller to the music or to somebody else: fall silent, hear nothing.

        Keys are not the agent's any more, and silence does not end the call.
        """
        self._speaker.interrupt()
        self._session.input.set_audio_enabled(False)
        self._session.clear_user_turn()
        self._keys.is_for_agent = False
        self._meter.count_silence(time.monotonic(), counts=False)

    def come_back(self) -> None:
        """Talk with the caller again."""
        self._session.input.set_audio_enabled(True)
        self._keys.is_for_agent = True
        self._meter.count_silence(time.monotonic(), counts=True)

    async def say_aside(self, text: str) -> None:
        """Speak to somebody who is not the caller; cancelled, fall silent.

        Raises:
            APIError: The agent's voice failed.
            RuntimeError: The session is over.
        """
        await self._speaker.say_aside(text)

    async def say(self, text: str) -> None:
        """Say something to the caller, as part of the conversation.

        Raises:
            RuntimeError: The session is over.
        """
        await self._speaker.say(text)

    async def announce(self, text: str) -> None:
        """Say something to the caller even if the agent's own voice fails.

        Raises:
            RuntimeError: The session is over.
        """
        failure = await self._speaker.announce(text)
        if failure is not None:
            self._providers.failed("tts", failure)

    async def be_told(self, text: str) -> None:
        """Tell the agent something that the caller does not hear; it holds from its next answer on.

        Raises:
            NotNow: The agent follows a script.
            RuntimeError: The session is over.
        """
        by_script = self._profile.models.llm.provider == "builtin"
        if self._models.realtime is None and by_script:
            raise NotNow("This agent follows a script: there is no model that could be told.")
        agent = self._session.current_agent
        context = agent.chat_ctx.copy()
        context.add_message(role="system", content=text)
        await agent.update_chat_ctx(context)

    async def gather(self, plan: GatherPlan) -> Gathered:
        """Ask the caller for keys.

        Raises:
            CallOver: The call ended first.
            NotNow: The caller does not talk with the agent, or is being asked already.
        """
        gatherer = KeyGatherer(
            self._session, self._keys, self._line, self._journal, self._speaker.speak
        )
        return await gatherer.gather(plan)

    async def say_goodbye(self, timeout_s: float) -> None:
        """Speak the goodbye, let it be heard in full, and let the call be over.

        Args:
            timeout_s: After this the call is over even if the goodbye was not.
        """
        try:
            async with asyncio.timeout(timeout_s):
                if self.before_goodbye is not None:
                    await self.before_goodbye()
                await self._speaker.say_goodbye()
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
        for work in self._working:
            work.cancel()
        try:
            async with asyncio.timeout(timeout_s):
                await self._session.aclose()
                if self._heard_text is not None:
                    await self._heard_text.aclose()
        except TimeoutError:
            logger.warning("agent did not stop in time")
        except APIError:
            # The bill must be settled however a vendor takes its leave.
            logger.warning("agent did not stop in order", exc_info=True)

    def _listen(self) -> None:
        self._session.on("conversation_item_added", self._on_item)
        self._session.on("function_tools_executed", self._on_tools)
        self._session.on("user_state_changed", self._on_state)
        self._session.on("agent_state_changed", self._on_state)
        self._session.on("close", self._on_close)
        self._line.room.on("sip_dtmf_received", self._keys.press)
        self._providers.listen(self._session)
        self._work_on(self._keys.run())

    def _work_on(self, work: Coroutine[Any, Any, None]) -> None:
        doing = asyncio.ensure_future(work)
        self._working.add(doing)
        doing.add_done_callback(self._working.discard)

    def _first_agent(self) -> VoiceAgent | RealtimeAgent:
        realtime = self._models.realtime
        if realtime is None:
            return self._pipeline_agent()
        turns = realtime_turn_handling(self._profile.turn_taking)
        return RealtimeAgent(self._profile, self._variables, self._tools, realtime, turns)

    def _pipeline_agent(
        self,
        chat_ctx: llm.ChatContext | None = None,
        on_start: Callable[[], None] | None = None,
    ) -> VoiceAgent:
        return VoiceAgent(
            self._profile,
            self._variables,
            self._tools,
            on_silence=lambda: self._providers.silent("tts"),
            chat_ctx=chat_ctx,
            on_start=on_start,
        )

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
        if self.place is not None:
            await self.place()
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
        self._answered.set()

    async def _greet(self, greeting: asyncio.Future[Sequence[rtc.AudioFrame]]) -> None:
        try:
            frames = await greeting
        except (APIError, TimeoutError) as exc:
            self._providers.failed("tts", exc)
        else:
            if not self._line.ending.is_decided and not self._is_passed_on:
                self._speaker.greet(frames)

    def _on_failure(self, failure: ProviderFailure) -> None:
        """Put a provider's failure on record, and go on without it or end the call politely."""
        ending = self._line.ending
        if ending.is_decided or self._is_passed_on:
            return
        logger.warning(
            "provider failed", extra={"service": failure.service, "provider": failure.provider}
        )
        self._journal.provider_failed(failure)
        if not self._keys.is_for_agent:
            # Nobody talks with the agent just now; whether it can go on shows when somebody does.
            return
        if failure.service == "realtime" and self._models.pipeline is not None:
            self._go_on_with(self._models.pipeline)
        elif self.pass_on is not None:
            self._is_passed_on = True
            self._work_on(self._pass_on(self.pass_on))
        elif ending.decide(PROVIDER_FAILED):
            if self._line.answered_at is None:
                ending.finish()
            else:
                self._work_on(self._excuse())

    def _go_on_with(self, pipeline: Pipeline) -> None:
        """Hand a hybrid agent's conversation to its other models; they know what was said.

        This is the place for every later switch between the two.
        """
        history = self._session.history.copy(exclude_instructions=True)
        self._speaker.use(pipeline.tts)
        self._session.update_agent(self._pipeline_agent(history, self._take_up))

    def _take_up(self) -> None:
        """Go on where the model that failed stopped: with the greeting, or with its answer."""
        turns = [turn for message in self._session.history.messages() if (turn := turn_of(message))]
        if self._line.answered_at is None or self._line.ending.is_decided:
            return
        if not turns:
            self._speaker.greet([])
        elif turns[-1].speaker == "caller":
            self._session.generate_reply()

    async def _pass_on(self, pass_on: Callable[[], Awaitable[bool]]) -> None:
        """Give the caller to somebody else; when nobody takes them, say that it cannot go on."""
        await self._answered.wait()
        is_taken = await pass_on()
        if not is_taken and self._line.ending.decide(PROVIDER_FAILED):
            await self._excuse()

    async def _excuse(self) -> None:
        """Tell the caller that the call cannot go on, and let it be over."""
        try:
            async with asyncio.timeout(_EXCUSE_TIMEOUT_S):
                await self._speaker.excuse()
                await asyncio.sleep(_TAIL_S)
        except TimeoutError:
            logger.warning("excuse took too long")
        except RuntimeError:
            logger.warning("excuse not heard, the session is over", exc_info=True)
        finally:
            self._line.ending.finish()

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
