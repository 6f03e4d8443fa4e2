"""One call by the softphone, and what its caller's ear measured."""

import asyncio
import time
from dataclasses import dataclass

import numpy as np

from bench.agent import GREETING, QUESTION, REPLY
from telephony.softphone.errors import CallFailed, CallIsOver, NothingHeard
from telephony.softphone.g711 import SAMPLE_RATE_HZ, Pcm
from telephony.softphone.phone import Softphone
from telephony.speech.espeak import CALLER_VOICE, CALLER_WORDS_PER_MINUTE, synthesize
from telephony.speech.pocketsphinx import recognise
from telephony.speech.resampling import resample

_ENDING_QUIET_S = 0.8
"""Longer than the pause between two sentences of the greeting."""
_WAIT_S = 20.0
_MARGIN_S = 0.15


@dataclass(slots=True)
class CallFigures:
    """One call, in seconds, as its caller met it.

    `fault` says in words why the call does not count; a run with faults is void.
    """

    answer_s: float = 0.0
    """INVITE to 200 OK."""
    greeting_s: float = 0.0
    """INVITE to the first sound of the agent."""
    turn_s: float = 0.0
    """End of the caller's speech to the first sound of the reply."""
    fault: str | None = None
    misheard: bool = False
    """The words that arrived could not be understood: excusable on a saturated machine only."""


def question_sound() -> Pcm:
    """Return the caller's question, int16 mono at 8000 Hz, cut to the end of its speech."""
    speech = synthesize(QUESTION, voice=CALLER_VOICE, words_per_minute=CALLER_WORDS_PER_MINUTE)
    pcm = resample(speech.pcm, speech.sample_rate_hz, SAMPLE_RATE_HZ)
    loud = abs(pcm.astype("int32")) > 200
    return pcm[: len(pcm) - int(loud[::-1].argmax())]


async def place_call(
    sip_address: str, number: str, question: Pcm, talking: asyncio.Barrier
) -> tuple[CallFigures, Pcm, Pcm]:
    """Call, hear the greeting, ask, hear the reply, hang up.

    Args:
        sip_address: Where livekit-sip listens, `host:port`.
        number: The number to call.
        question: What to ask.
        talking: Passed when every caller of the round has heard the greeting, so that all talk at
            once and memory can be read meanwhile.

    Returns:
        The figures, and what was heard of greeting and reply for a check afterwards, when
        recognising them takes no processor from a call.
    """
    figures = CallFigures()
    greeting = reply = np.zeros(0, np.int16)
    async with Softphone() as phone:
        try:
            call = await phone.call(
                f"sip:{number}@{sip_address}", from_user="+12015550123", ring_timeout_s=_WAIT_S
            )
            invited_s = call.timings.invited_at.monotonic_s
            answered = call.timings.answered_at
            figures.answer_s = (answered.monotonic_s if answered else time.monotonic()) - invited_s
            first = await call.wait_for_audio(timeout_s=_WAIT_S, since_s=invited_s)
            figures.greeting_s = first.arrived_s - invited_s
            last_s = await call.wait_for_quiet(quiet_s=_ENDING_QUIET_S, timeout_s=_WAIT_S)
            greeting = call.heard.between(first.arrived_s - _MARGIN_S, last_s + _MARGIN_S)
            await asyncio.wait_for(talking.wait(), _WAIT_S)
            await call.play(question)
            asked_s = time.monotonic()
            first = await call.wait_for_audio(timeout_s=_WAIT_S, since_s=asked_s)
            figures.turn_s = first.arrived_s - asked_s
            last_s = await call.wait_for_quiet(quiet_s=_ENDING_QUIET_S, timeout_s=_WAIT_S)
            reply = call.heard.between(first.arrived_s - _MARGIN_S, last_s + _MARGIN_S)
            await call.hang_up()
        except (
            CallFailed,
            CallIsOver,
            NothingHeard,
            TimeoutError,
            asyncio.BrokenBarrierError,
        ) as e:
            figures.fault = f"{type(e).__name__}: {e}"
            await talking.abort()
    return figures, greeting, reply


def check_words(figures: CallFigures, greeting: Pcm, reply: Pcm) -> None:
    """Mark a call whose greeting or reply cannot be understood."""
    for heard, expected in ((greeting, GREETING), (reply, REPLY)):
        if (
            figures.fault is None
            and recognise(heard, SAMPLE_RATE_HZ, [GREETING, REPLY, "something else entirely"]).text
            != expected
        ):
            figures.misheard = True
