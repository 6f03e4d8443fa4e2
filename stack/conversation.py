"""A caller made of a softphone, a voice and an ear; it notes what it hears."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Literal

from telephony.softphone.call import PhoneCall
from telephony.softphone.errors import CallIsOver, NothingHeard
from telephony.softphone.g711 import SAMPLE_RATE_HZ, Pcm
from telephony.softphone.phone import Softphone
from telephony.speech.espeak import CALLER_VOICE, CALLER_WORDS_PER_MINUTE, synthesize
from telephony.speech.pocketsphinx import recognise
from telephony.speech.resampling import resample

QUIET_S = 0.5
"""Silence that ends what the agent says; longer than its pauses between two sentences."""

PAUSE_S = 1.5
"""How much longer what was not understood is listened to: a machine at its limit stutters, and a
sentence with a gap in it is no less a sentence."""

ANSWER_TIMEOUT_S = 20.0
LONGEST_SPEECH_S = 60.0
MARGIN_S = 0.15
"""Sound kept around an utterance for the recogniser."""

HANG_UP_WAIT_S = 1.0
"""After its last words the caller waits this long for the agent to end the call itself."""

MOST_TRIES = 3
"""How often the caller says something that is not understood."""

Who = Literal["caller", "agent", "desk"]
"""`desk` is somebody the call is passed to."""


@dataclass(frozen=True)
class Say:
    """The caller says a text."""

    text: str


@dataclass(frozen=True)
class Press:
    """The caller presses keys."""

    keys: str


Action = Say | Press


@dataclass(frozen=True)
class Line:
    """Something said or pressed.

    Attributes:
        at_s: Seconds since the call was placed.
        who: Who said it.
        text: The words, or what is known of them.
        after_s: For the agent: seconds from the end of the caller's turn to the first sound.
    """

    at_s: float
    who: Who
    text: str
    after_s: float | None = None


@dataclass
class Conversation:
    """What happened in one call.

    Attributes:
        lines: What was said, in order.
        answered_after_s: Seconds from INVITE to 200 OK.
        first_audio_after_s: Seconds from INVITE to the agent's first sound; None without any.
        ended_by_agent: Whether the far end hung up.
        duration_s: Seconds from answer to end.
    """

    answered_after_s: float = 0.0
    first_audio_after_s: float | None = None
    ended_by_agent: bool = False
    duration_s: float = 0.0
    lines: list[Line] = field(default_factory=list)


class Caller:
    """Holds a conversation on an answered call."""

    def __init__(
        self,
        call: PhoneCall,
        sentences: Sequence[str],
        on_line: Callable[[Line], None],
        *,
        puzzled: str | None = None,
    ) -> None:
        """Take over a call.

        Args:
            call: The answered call.
            sentences: What the far end may say; only these are recognised.
            on_line: Told every line as it is said.
            puzzled: What the far end says to what it did not understand: it is said again.
        """
        self._call = call
        self._sentences = sentences
        self._on_line = on_line
        self._puzzled = puzzled
        self._invited_s = call.timings.invited_at.monotonic_s
        self._heard_until_s = self._invited_s
        self.conversation = Conversation()

    async def converse(
        self, actions: Sequence[Action], *, stays_s: float = HANG_UP_WAIT_S
    ) -> Conversation:
        """Hear the greeting, then act and hear the reply, one action after the other; hang up.

        Args:
            actions: What to say and press.
            stays_s: How long the far end may take to end the call itself, after its last words.
        """
        timings = self._call.timings
        if timings.answered_at:
            self.conversation.answered_after_s = timings.answered_at.monotonic_s - self._invited_s
        try:
            await self.listen()
            for action in actions:
                await self._act_until_understood(action)
        except CallIsOver:
            # The agent ended the call before everything was said; what was said is noted.
            pass
        await self.finish(stays_s)
        return self.conversation

    async def _act_until_understood(self, action: Action) -> None:
        for _ in range(MOST_TRIES if isinstance(action, Say) and self._puzzled else 1):
            await self.listen(after_s=await self.act(action))
            if self.conversation.lines[-1].text != self._puzzled:
                return

    async def act(self, action: Action) -> float:
        """Say or press something; return the monotonic seconds from which a reply may come.

        That is the end of what is said, but the beginning of a key: its first packet tells all.
        """
        if isinstance(action, Press):
            pressed_s = time.monotonic()
            self._note("caller", f"[presses {action.keys}]", pressed_s)
            await self._call.send_dtmf(action.keys)
            return pressed_s
        sound = await asyncio.to_thread(speak, action.text)
        self._note("caller", action.text, time.monotonic())
        await self._call.play(sound)
        return time.monotonic()

    async def listen(self, after_s: float | None = None) -> None:
        """Hear one utterance of the agent to its end and note it; silence is noted too.

        Args:
            after_s: Monotonic seconds from which the reply is awaited.
        """
        call = self._call
        try:
            first = await call.wait_for_audio(
                timeout_s=ANSWER_TIMEOUT_S, since_s=self._heard_until_s
            )
        except NothingHeard:
            self._note("agent", f"[nothing for {ANSWER_TIMEOUT_S:g} s]", time.monotonic())
            return
        if self.conversation.first_audio_after_s is None:
            self.conversation.first_audio_after_s = first.arrived_s - self._invited_s
        text = await self._hear_out(first.arrived_s)
        delay_s = None if after_s is None else first.arrived_s - after_s
        self._note("agent", text, first.arrived_s, delay_s)

    async def _hear_out(self, first_s: float) -> str:
        """Return what was said from a moment on, once it is understood or nothing more follows."""
        call = self._call
        while True:
            try:
                last_s = await call.wait_for_quiet(quiet_s=QUIET_S, timeout_s=LONGEST_SPEECH_S)
            except (CallIsOver, NothingHeard):
                last_s = time.monotonic()
            self._heard_until_s = time.monotonic()
            pcm = call.heard.between(first_s - MARGIN_S, last_s + MARGIN_S)
            text = await asyncio.to_thread(understand, pcm, self._sentences)
            if text in self._sentences or not self._sentences:
                return text
            try:
                await call.wait_for_audio(timeout_s=PAUSE_S, since_s=self._heard_until_s)
            except (CallIsOver, NothingHeard):
                return text

    async def finish(self, stays_s: float = HANG_UP_WAIT_S) -> None:
        """Give the agent the chance to end the call, then hang up."""
        await asyncio.wait({self._call.ended}, timeout=stays_s)
        self.conversation.ended_by_agent = self._call.is_over
        end = await self._call.hang_up()
        if answered := self._call.timings.answered_at:
            self.conversation.duration_s = end.at.monotonic_s - answered.monotonic_s

    def _note(self, who: Who, text: str, at_s: float, after_s: float | None = None) -> None:
        line = Line(at_s - self._invited_s, who, text, after_s)
        self.conversation.lines.append(line)
        self._on_line(line)


@asynccontextmanager
async def dialled(
    sip_address: str, number: str, *, from_number: str, ring_timeout_s: float = 20.0
) -> AsyncIterator[PhoneCall]:
    """Call a number and yield the answered call.

    Raises:
        telephony.softphone.errors.CallFailed: It was refused or not answered.
    """
    async with Softphone() as phone:
        yield await phone.call(
            f"sip:{number}@{sip_address}", from_user=from_number, ring_timeout_s=ring_timeout_s
        )


def speak(text: str) -> Pcm:
    """Return a text as the caller says it: int16, mono, 8000 Hz."""
    speech = synthesize(text, voice=CALLER_VOICE, words_per_minute=CALLER_WORDS_PER_MINUTE)
    return resample(speech.pcm, speech.sample_rate_hz, SAMPLE_RATE_HZ)


def understand(pcm: Pcm, sentences: Sequence[str]) -> str:
    """Return which of the sentences a stretch of sound is, or how long it lasted."""
    duration = f"[speech, {len(pcm) / SAMPLE_RATE_HZ:.1f} s, not recognised]"
    if not sentences:
        return duration
    heard = recognise(pcm, SAMPLE_RATE_HZ, sentences)
    return heard.text if heard.is_match else duration
