"""espeak-ng as a text-to-speech plugin of livekit-agents."""

import asyncio
from typing import Final, Literal

from livekit.agents import APIConnectOptions, APIError, tts, utils
from livekit.agents.types import DEFAULT_API_CONNECT_OPTIONS

from telephony.speech import espeak
from telephony.speech.errors import SpeechError

PROVIDER: Final = "builtin"
MODEL: Final = "espeak-ng"

_SILENCE = bytes(espeak.SAMPLE_RATE_HZ // 50 * 2)


class EspeakTTS(tts.TTS[Literal["metrics_collected"]]):
    """Speaks with espeak-ng; the framework feeds it sentence by sentence.

    Args:
        voice: A language with or without a variant, such as ``en-us+f3``.
        words_per_minute: Speed, 80 to 450.

    Raises:
        UnknownVoiceError: The voice does not exist.
        ValueError: The speed is out of range.
    """

    def __init__(
        self,
        *,
        voice: str = espeak.DEFAULT_VOICE,
        words_per_minute: int = espeak.DEFAULT_WORDS_PER_MINUTE,
    ) -> None:
        super().__init__(
            capabilities=tts.TTSCapabilities(streaming=False),
            sample_rate=espeak.SAMPLE_RATE_HZ,
            num_channels=1,
        )
        # Checked now, because a call that is already answered is too late to find out.
        espeak.check_voice(voice)
        espeak.check_speed(words_per_minute)
        self._voice = voice
        self._words_per_minute = words_per_minute

    @property
    def model(self) -> str:
        """The engine's name, for metrics."""
        return MODEL

    @property
    def provider(self) -> str:
        """The provider's name, for metrics."""
        return PROVIDER

    def synthesize(
        self, text: str, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS
    ) -> tts.ChunkedStream:
        """Speak one piece of text."""
        return _EspeakStream(
            engine=self,
            text=text,
            voice=self._voice,
            words_per_minute=self._words_per_minute,
            conn_options=conn_options,
        )


class _EspeakStream(tts.ChunkedStream):
    """One piece of text on its way to audio, handed over while it is made."""

    def __init__(
        self,
        *,
        engine: EspeakTTS,
        text: str,
        voice: str,
        words_per_minute: int,
        conn_options: APIConnectOptions,
    ) -> None:
        super().__init__(tts=engine, input_text=text, conn_options=conn_options)
        self._voice = voice
        self._words_per_minute = words_per_minute
        self._is_stopped = False

    async def _run(self, output_emitter: tts.AudioEmitter) -> None:
        output_emitter.initialize(
            request_id=utils.shortuuid("espeak_"),
            sample_rate=espeak.SAMPLE_RATE_HZ,
            num_channels=1,
            mime_type="audio/pcm",
        )
        loop = asyncio.get_running_loop()
        chunks: asyncio.Queue[bytes | None] = asyncio.Queue()
        speaking = asyncio.create_task(asyncio.to_thread(self._speak, loop, chunks))
        try:
            while (chunk := await chunks.get()) is not None:
                output_emitter.push(chunk)
            await speaking
        except SpeechError as exc:
            # The same text fails the same way again, so the framework must not retry.
            raise APIError(f"espeak-ng: {exc}", retryable=False) from exc
        finally:
            # Ends the thread at its next chunk, when this task was cancelled by a barge-in.
            self._is_stopped = True
        output_emitter.flush()

    def _speak(self, loop: asyncio.AbstractEventLoop, chunks: asyncio.Queue[bytes | None]) -> None:
        """Speak in a thread; the queue ends with None whatever happens."""
        is_silent = True

        def hand_over(chunk: bytes) -> bool:
            nonlocal is_silent
            is_silent = False
            if not self._is_stopped:
                loop.call_soon_threadsafe(chunks.put_nowait, chunk)
            return not self._is_stopped

        try:
            espeak.speak(
                self.input_text,
                hand_over,
                voice=self._voice,
                words_per_minute=self._words_per_minute,
            )
            if is_silent:
                # The framework takes no audio at all for a failure, but "..." is nothing to say.
                hand_over(_SILENCE)
        finally:
            if not self._is_stopped:
                loop.call_soon_threadsafe(chunks.put_nowait, None)
