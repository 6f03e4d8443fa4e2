"""What all vendors' stand-ins share: a port, a key, a brain, a voice and an ear.

They hear with PocketSphinx and speak with espeak-ng, so what arrives there is understood, and what
comes from there can be.
"""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from aiohttp import web
from numpy.typing import NDArray

from telephony.speech import espeak, pocketsphinx
from telephony.speech.resampling import resample

KEY = "key-of-the-tests-0123456789"

SPEECH_RATE_HZ = 24_000
_LOUD = 300
_QUIET_S = 0.5
_SHORTEST_SPEECH_S = 0.2
_WORD_FOR_WORD = re.compile(r"word for word, and nothing else: (.+)", re.DOTALL)

Sound = NDArray[np.int16]


@dataclass(frozen=True)
class Answer:
    """What a model does about a turn: says something, or asks for a tool."""

    text: str = ""
    tool: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass
class Brain:
    """A model that knows a few answers by heart and does as it is told.

    Attributes:
        answers: By what the caller says.
        after_tool: Said about the result of a tool, which stands for `{result}`.
    """

    answers: Mapping[str, Answer]
    after_tool: str = "{result}"
    fallback: str = "I do not know."

    def answer(self, said: str) -> Answer:
        """Return what follows something the caller said."""
        words = re.sub(r"[^a-z ]", "", said.lower()).strip()
        return self.answers.get(words, Answer(self.fallback))

    def obey(self, instructions: str) -> Answer:
        """Return what follows an instruction for one answer."""
        order = _WORD_FOR_WORD.search(instructions)
        return Answer(order[1] if order else self.fallback)

    def report(self, result: str) -> Answer:
        """Return what is said about the result of a tool."""
        return Answer(self.after_tool.format(result=result))


@dataclass
class Vendor:
    """One stand-in: what it knows, and how it misbehaves.

    Attributes:
        brain: Its language model.
        phrases: All that it can understand.
        hanging: Endpoints that take a request and never answer, by their last word.
        asked: Every request: the endpoint's last word and the body or query, in their order.
        host: Where it is, `127.0.0.1:port`.
    """

    brain: Brain
    phrases: Sequence[str]
    hanging: set[str] = field(default_factory=set)
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    host: str = ""

    @property
    def base_url(self) -> str:
        """Up to the protocol's version, as clients are given it."""
        return f"http://{self.host}/v1"

    def requests(self, endpoint: str) -> list[dict[str, Any]]:
        """Return what one endpoint was asked."""
        return [body for name, body in self.asked if name == endpoint]

    async def understand(self, sound: Sound, rate_hz: int) -> str:
        """Return the phrase that was said, or nothing."""
        return (await asyncio.to_thread(pocketsphinx.recognise, sound, rate_hz, self.phrases)).text

    async def speak(self, text: str) -> bytes:
        """Return a text as sound: 16-bit mono at `SPEECH_RATE_HZ`."""
        speech = await asyncio.to_thread(espeak.synthesize, text)
        return resample(speech.pcm, speech.sample_rate_hz, SPEECH_RATE_HZ).tobytes()

    async def hang_if_told(self, endpoint: str) -> None:
        """Keep silent for as long as somebody listens, when that is this endpoint's mood."""
        if endpoint in self.hanging:
            await asyncio.Event().wait()


class Ear:
    """Cuts a stream of sound into utterances by their loudness.

    Args:
        rate_hz: Rate of the 16-bit mono samples.
    """

    def __init__(self, rate_hz: int) -> None:
        self._rate_hz = rate_hz
        self._heard = bytearray()
        self._quiet_s = 0.0
        self._loud_s = 0.0
        self.heard_s = 0.0
        """Sound that came in so far."""

    @property
    def is_listening(self) -> bool:
        """Whether somebody is speaking."""
        return self._loud_s >= _SHORTEST_SPEECH_S

    def listen(self, piece: bytes) -> Sound | None:
        """Take a piece of sound; return the utterance that has just ended, if one has."""
        samples = np.frombuffer(piece, dtype=np.int16)
        duration_s = len(samples) / self._rate_hz
        self.heard_s += duration_s
        if len(samples) and float(np.sqrt(np.mean(samples.astype(np.float64) ** 2))) > _LOUD:
            self._loud_s += duration_s
            self._quiet_s = 0.0
        else:
            self._quiet_s += duration_s
        self._heard += piece
        if self._quiet_s < _QUIET_S:
            return None
        utterance = np.frombuffer(bytes(self._heard), dtype=np.int16)
        was_speech, self._loud_s = self.is_listening, 0.0
        # What was quiet before an utterance is kept a little, for its first sound is quiet, too.
        self._heard = bytearray() if was_speech else self._heard[-self._rate_hz // 2 * 2 :]
        return utterance if was_speech else None


@asynccontextmanager
async def served(vendor: Vendor, app: web.Application) -> AsyncIterator[Vendor]:
    """Serve a vendor on a free port for the length of the block."""
    runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    vendor.host = f"127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield vendor
    finally:
        await runner.cleanup()


async def send(socket: web.WebSocketResponse, **event: Any) -> None:
    """Send a JSON event."""
    await socket.send_str(json.dumps(event))
