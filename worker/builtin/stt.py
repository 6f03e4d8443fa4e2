"""PocketSphinx as a speech-to-text plugin of livekit-agents: it understands known phrases."""

import asyncio
from collections.abc import Iterable
from typing import Final, Literal

import numpy as np
from livekit.agents import APIConnectOptions, APIError, LanguageCode, stt, utils
from livekit.agents.types import NOT_GIVEN, NotGivenOr

from dispatch.script import NOT_UNDERSTOOD
from telephony.speech import pocketsphinx
from telephony.speech.errors import SpeechError

PROVIDER: Final = "builtin"
MODEL: Final = "pocketsphinx-en-us"


class PhraseSTT(stt.STT[Literal["metrics_collected"]]):
    """Recognises one utterance at a time as one of the phrases; the framework's VAD cuts them.

    Speech that is none of the phrases becomes the text ``(not understood)``: an empty transcript
    would be no turn at all for the framework, and the caller would wait in silence. A sound too
    short to be speech stays empty and is no turn.

    Args:
        phrases: All that can be understood, in English; see ``Script.phrases``.
    """

    def __init__(self, *, phrases: Iterable[str]) -> None:
        super().__init__(capabilities=stt.STTCapabilities(streaming=False, interim_results=False))
        self._phrases = tuple(phrases)

    @property
    def model(self) -> str:
        """The engine's name, for metrics."""
        return MODEL

    @property
    def provider(self) -> str:
        """The provider's name, for metrics."""
        return PROVIDER

    async def _recognize_impl(
        self,
        buffer: utils.AudioBuffer,
        *,
        language: NotGivenOr[str] = NOT_GIVEN,  # noqa: ARG002  (the model knows only English)
        conn_options: APIConnectOptions,  # noqa: ARG002  (there is no connection)
    ) -> stt.SpeechEvent:
        frame = utils.merge_frames(buffer)
        samples = np.frombuffer(frame.data, dtype=np.int16)
        if frame.num_channels > 1:
            mixed = samples.reshape(-1, frame.num_channels).mean(axis=1)
            samples = mixed.astype(np.int16)
        try:
            found = await asyncio.to_thread(
                pocketsphinx.recognise, samples, frame.sample_rate, self._phrases
            )
        except SpeechError as exc:
            raise APIError(f"PocketSphinx: {exc}", retryable=False) from exc
        return stt.SpeechEvent(
            type=stt.SpeechEventType.FINAL_TRANSCRIPT,
            request_id=utils.shortuuid("pocketsphinx_"),
            alternatives=[
                stt.SpeechData(
                    language=LanguageCode("en"), text=_text(found), confidence=found.confidence
                )
            ],
        )


def _text(found: pocketsphinx.Recognition) -> str:
    if found.is_match:
        return found.text
    return NOT_UNDERSTOOD if found.is_speech else ""
