"""A spoken conversation through the real pipeline: voice activity, recognition, script, speech.

No server takes part: a caller's line in real time is put in place of the room's audio.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from time import time
from typing import Any

import numpy as np
import pytest
from livekit import rtc
from livekit.agents import Agent, AgentSession, RunContext, StopResponse, function_tool, inference
from livekit.agents.voice import io
from numpy.typing import NDArray

from dispatch.script import NOT_UNDERSTOOD, Script
from telephony.speech import espeak, pocketsphinx
from telephony.speech.resampling import resample
from tests.waiting import until
from worker.builtin import EspeakTTS, PhraseSTT, ScriptLLM, prewarm

pytestmark = pytest.mark.integration

RATE_HZ = 16_000
FRAME_S = 0.02
FRAME = int(RATE_HZ * FRAME_S)

SCRIPT = Script.model_validate(
    {
        "steps": [
            {"phrases": ["What are your opening hours?"], "reply": "We are open until six."},
            {"phrases": ["Book an appointment"], "reply": "Which day suits you best?"},
            {
                "phrases": ["Goodbye"],
                "reply": "Goodbye, and thank you for calling.",
                "action": {"end_call": {}},
            },
        ]
    }
)
REPLIES = (*(step.reply for step in SCRIPT.steps), SCRIPT.fallback)
LONG_GREETING = "Welcome. " + "There are a great many things to tell you before you ask. " * 4


class CallerLine(io.AudioInput):
    """What the caller says, in real time, on a line with a little noise."""

    def __init__(self) -> None:
        super().__init__(label="caller")
        self._waiting = np.zeros(0, np.int16)
        self._noise = np.random.default_rng(1)
        self._frames = 0
        self._started_at_s: float | None = None
        self.silent_since_s = 0.0

    def say(self, text: str) -> None:
        speech = espeak.synthesize(
            text,
            voice=espeak.CALLER_VOICE,
            words_per_minute=espeak.CALLER_WORDS_PER_MINUTE,
        )
        narrow = resample(speech.pcm, speech.sample_rate_hz, 8_000)
        loud = np.flatnonzero(np.abs(narrow) > 300)
        self._waiting = resample(narrow[loud[0] : loud[-1]], 8_000, RATE_HZ)

    async def __anext__(self) -> rtc.AudioFrame:
        now_s = asyncio.get_running_loop().time()
        if self._started_at_s is None:
            self._started_at_s = now_s
        self._frames += 1
        await asyncio.sleep(max(0.0, self._started_at_s + self._frames * FRAME_S - now_s))
        sound, self._waiting = self._waiting[:FRAME], self._waiting[FRAME:]
        if len(sound):
            self.silent_since_s = asyncio.get_running_loop().time()
        sound = np.pad(sound, (0, FRAME - len(sound))) + self._noise.normal(0, 8, FRAME)
        return rtc.AudioFrame(sound.astype(np.int16).tobytes(), RATE_HZ, 1, FRAME)


@dataclass
class Utterance:
    """Something the agent said, as the caller heard it."""

    started_at_s: float
    frames: list[NDArray[np.int16]] = field(default_factory=list)
    ended_at_s: float | None = None
    was_interrupted: bool = False

    @property
    def text(self) -> str:
        heard = np.concatenate(self.frames)
        return pocketsphinx.recognise(heard, RATE_HZ, REPLIES).text


class AgentLine(io.AudioOutput):
    """What the agent says, played in real time."""

    def __init__(self) -> None:
        super().__init__(
            label="agent",
            capabilities=io.AudioOutputCapabilities(pause=False),
            sample_rate=RATE_HZ,
        )
        self.heard: list[Utterance] = []
        self._playing: Utterance | None = None
        self._end: asyncio.TimerHandle | None = None

    async def capture_frame(self, frame: rtc.AudioFrame) -> None:
        await super().capture_frame(frame)
        if self._playing is None:
            self._playing = Utterance(asyncio.get_running_loop().time())
            self.heard.append(self._playing)
            self.on_playback_started(created_at=time())
        self._playing.frames.append(np.frombuffer(frame.data, np.int16))

    def flush(self) -> None:
        super().flush()
        if self._playing is not None:
            length_s = sum(map(len, self._playing.frames)) / RATE_HZ
            end_s = self._playing.started_at_s + length_s
            self._end = asyncio.get_running_loop().call_at(end_s, self._finish)

    def clear_buffer(self) -> None:
        if self._playing is not None:
            self._finish(was_interrupted=True)

    def _finish(self, *, was_interrupted: bool = False) -> None:
        utterance, self._playing = self._playing, None
        assert utterance is not None
        if self._end is not None:
            self._end.cancel()
            self._end = None
        utterance.ended_at_s = asyncio.get_running_loop().time()
        utterance.was_interrupted = was_interrupted
        self.on_playback_finished(
            playback_position=utterance.ended_at_s - utterance.started_at_s,
            interrupted=was_interrupted,
        )


@dataclass
class Call:
    """A conversation and both its ends."""

    agent_session: AgentSession[Any]
    caller: CallerLine
    agent: AgentLine
    understood: list[str] = field(default_factory=list)
    hung_up_at_s: list[float] = field(default_factory=list)
    listened_to: int = 0

    async def reply(self) -> Utterance:
        """The next thing the agent says that was not listened to, once it is finished."""
        number = self.listened_to
        self.listened_to += 1
        await until(lambda: len(self.agent.heard) > number)
        await until(lambda: self.agent.heard[number].ended_at_s is not None)
        return self.agent.heard[number]


@pytest.fixture
async def call() -> AsyncIterator[Call]:
    prewarm()
    agent_session = AgentSession[Any](
        stt=PhraseSTT(phrases=SCRIPT.phrases),
        llm=ScriptLLM(SCRIPT),
        tts=EspeakTTS(),
        vad=inference.VAD(model="silero"),
        turn_handling={
            "turn_detection": "stt",
            "endpointing": {"min_delay": 0.0, "max_delay": 20.0},
            "interruption": {"mode": "vad", "min_duration": 0.3},
        },
        aec_warmup_duration=None,
        session_close_transcript_timeout=0.1,
    )
    call = Call(agent_session, CallerLine(), AgentLine())
    agent_session.input.audio = call.caller
    agent_session.output.audio = call.agent
    agent_session.on(
        "user_input_transcribed", lambda event: call.understood.append(event.transcript)
    )

    @function_tool(name="end_call", description="Hang up.")
    async def end_call(context: RunContext[Any]) -> None:
        await context.wait_for_playout()
        call.hung_up_at_s.append(asyncio.get_running_loop().time())
        raise StopResponse

    await agent_session.start(Agent(instructions="", tools=[end_call]))
    yield call
    await agent_session.aclose()


async def test_a_question_gets_its_answer_soon_and_a_goodbye_is_heard_in_full(call: Call) -> None:
    call.caller.say("What are your opening hours?")
    answer = await call.reply()
    assert call.understood == ["What are your opening hours?"]
    assert answer.text == "We are open until six."
    # About 0.35 s on an idle machine; whoever lost the turn detection would wait for 20 s. After a
    # moment in which the machine stood still, the silence has been heard as soon as it began.
    assert 0 < answer.started_at_s - call.caller.silent_since_s < 15

    call.caller.say("Goodbye")
    goodbye = await call.reply()
    assert goodbye.text == "Goodbye, and thank you for calling."
    await until(lambda: bool(call.hung_up_at_s))
    assert goodbye.ended_at_s is not None
    assert call.hung_up_at_s[0] >= goodbye.ended_at_s
    assert not goodbye.was_interrupted


async def test_the_caller_can_talk_over_the_agent_and_is_answered(call: Call) -> None:
    call.agent_session.say(LONG_GREETING)
    await until(lambda: bool(call.agent.heard))
    call.caller.say("Book an appointment")
    assert (await call.reply()).was_interrupted
    assert (await call.reply()).text == "Which day suits you best?"


async def test_what_was_not_understood_is_answered_too(call: Call) -> None:
    call.caller.say("My dog ate seven sandwiches")
    assert (await call.reply()).text == SCRIPT.fallback
    assert call.understood == [NOT_UNDERSTOOD]
