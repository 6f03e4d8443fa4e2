"""Whether somebody takes the call: by a key or by a word, however the agent's own models listen."""

import asyncio
from collections.abc import Awaitable
from enum import StrEnum
from typing import Any, Final

from livekit import rtc
from livekit.agents import stt, vad

from worker.builtin import PhraseSTT
from worker.transfers.leg import HumanLeg

_RATE_HZ: Final = 16_000

ACCEPT_KEY: Final = "1"
DECLINE_KEY: Final = "2"

_ACCEPTING: Final = ("yes", "yes please", "accept", "connect me", "put them through", "okay")
_DECLINING: Final = ("no", "no thank you", "decline", "not now", "I am busy")

HOW_TO_ANSWER: Final = "To take the call, press 1 or say yes. To decline, press 2 or say no."


class Decision(StrEnum):
    """What somebody said to being given the call."""

    ACCEPTED = "accepted"
    DECLINED = "declined"
    HUNG_UP = "hung_up"


_BY_KEY: Final = {ACCEPT_KEY: Decision.ACCEPTED, DECLINE_KEY: Decision.DECLINED}


async def wait_for_decision(leg: HumanLeg, detection: vad.VAD) -> tuple[Decision, str]:
    """Return what they decide, and how they said so: `key`, `word` or `hang_up`.

    The words are English and understood here, so they work whatever the agent's models are.

    Args:
        leg: Their answered leg.
        detection: Finds speech in what they say.
    """
    deciding: dict[asyncio.Future[Decision], str] = {
        asyncio.ensure_future(_gone(leg.gone.wait())): "hang_up",
        asyncio.ensure_future(_by_key(leg)): "key",
        asyncio.ensure_future(_by_word(leg, detection)): "word",
    }
    try:
        done, _ = await asyncio.wait(deciding, return_when=asyncio.FIRST_COMPLETED)
        first = next(one for one in deciding if one in done)
        return first.result(), deciding[first]
    finally:
        for one in deciding:
            one.cancel()
        await asyncio.gather(*deciding, return_exceptions=True)


async def _gone(waiting: Awaitable[Any]) -> Decision:
    await waiting
    return Decision.HUNG_UP


async def _by_key(leg: HumanLeg) -> Decision:
    while (key := await leg.keys.get()) not in _BY_KEY:
        pass
    return _BY_KEY[key]


async def _by_word(leg: HumanLeg, detection: vad.VAD) -> Decision:
    track = await asyncio.shield(leg.voice)
    recogniser = stt.StreamAdapter(stt=PhraseSTT(phrases=_ACCEPTING + _DECLINING), vad=detection)
    stream = recogniser.stream()
    audio = rtc.AudioStream.from_track(track=track, sample_rate=_RATE_HZ, num_channels=1)
    feeding = asyncio.ensure_future(_feed(audio, stream))
    try:
        async for event in stream:
            if event.type is stt.SpeechEventType.FINAL_TRANSCRIPT and event.alternatives:
                text = event.alternatives[0].text
                if text in _ACCEPTING:
                    return Decision.ACCEPTED
                if text in _DECLINING:
                    return Decision.DECLINED
        # What they say cannot be heard any more; a key still can.
        await asyncio.Event().wait()
        raise AssertionError("nothing ends this wait")
    finally:
        feeding.cancel()
        await asyncio.gather(feeding, return_exceptions=True)
        await stream.aclose()
        await audio.aclose()


async def _feed(audio: rtc.AudioStream, stream: stt.RecognizeStream) -> None:
    async for event in audio:
        stream.push_frame(event.frame)
