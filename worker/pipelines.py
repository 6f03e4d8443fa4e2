"""From an agent's profile to a running pipeline: who listens, thinks and speaks."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Protocol

from livekit import rtc
from livekit.agents import (
    NOT_GIVEN,
    AgentSession,
    APIConnectOptions,
    inference,
    llm,
    room_io,
    stt,
    tts,
    vad,
)
from livekit.agents.voice.agent_session import SessionConnectOptions
from livekit.agents.voice.turn import TurnHandlingOptions

from dispatch.agent_profile import AgentProfile, PipelineMode
from dispatch.models.choices import LlmChoice, RealtimeChoice, SttChoice, TtsChoice
from telephony.calls import CallKind
from worker.builtin import EspeakTTS, PhraseSTT, ScriptLLM, prewarm
from worker.turn_taking import realtime_turn_handling, turn_handling
from worker.vendors.account import Realtime

_CALLER_RATE_HZ = 16_000
"""What voice activity detection and PocketSphinx want; telephone audio holds less."""

_AGENT_RATE_HZ = {CallKind.SIP: 16_000, CallKind.WEB: 24_000}

_LAST_WORDS_TIMEOUT_S = 0.3
"""How long the end of a call waits for the words the caller was just saying."""

_UNHEARD_AFTER_S = 5.0
"""How long after the caller spoke the words may take to arrive before that is noted."""

CONN_OPTIONS: Final = APIConnectOptions(max_retry=1, retry_interval=0.5, timeout=5.0)
"""How patient a call is with a vendor: the framework's own (three repetitions of ten seconds each)
would leave the caller in silence for more than half a minute."""


@dataclass(frozen=True, slots=True)
class WarmModels:
    """Models that are loaded once and serve every call of a process, one after another."""

    vad: vad.VAD


def warm_models() -> WarmModels:
    """Load what every call needs; blocks for a few tens of milliseconds."""
    prewarm()
    return WarmModels(vad=inference.VAD(model="silero"))


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Three models in a row."""

    stt: stt.STT[Any]
    llm: llm.LLM[Any]
    tts: tts.TTS[Any]


@dataclass(frozen=True, slots=True)
class SpeechModels:
    """The models of one call: a pipeline, a realtime model, or both (`hybrid`)."""

    pipeline: Pipeline | None
    realtime: llm.RealtimeModel | None
    own_voice: EspeakTTS
    """Speaks when no vendor does, so that no caller is left in silence."""
    realtime_answered: asyncio.Event | None = None
    """Set once the realtime model's server has said anything."""

    @property
    def tts(self) -> tts.TTS[Any] | None:
        """What speaks word for word from the first moment on; None where a model speaks freely."""
        return self.pipeline.tts if self.pipeline is not None and self.realtime is None else None


class VendorModels(Protocol):
    """Where models of vendors come from: `worker.vendors.vendors.Vendors`."""

    async def build_stt(self, choice: SttChoice, language: str) -> stt.STT[Any]:
        """Return a recognition."""
        ...

    async def build_llm(self, choice: LlmChoice) -> llm.LLM[Any]:
        """Return a language model."""
        ...

    async def build_tts(self, choice: TtsChoice) -> tts.TTS[Any]:
        """Return a speech."""
        ...

    async def build_realtime(
        self, choice: RealtimeChoice, conn_options: APIConnectOptions
    ) -> Realtime:
        """Return a model for all three."""
        ...


async def build_models(
    profile: AgentProfile, variables: Mapping[str, str], vendors: VendorModels
) -> SpeechModels:
    """Return the models a profile asks for; a script's replies name the call's variables.

    This is the place for a chain of models that stand in for each other: each of the three, and
    the realtime model, is built in one line of its own.

    Raises:
        UnknownVoiceError: The profile's voice does not exist.
        ModelUnavailableError: A vendor's key is missing, or its server may not be reached.
    """
    mode, models = profile.voice_pipeline_mode, profile.models
    realtime = None
    if mode in {PipelineMode.STS, PipelineMode.HYBRID} and models.realtime is not None:
        realtime = await vendors.build_realtime(models.realtime, CONN_OPTIONS)
    pipeline = None
    if mode is not PipelineMode.STS:
        pipeline = Pipeline(
            stt=PhraseSTT(phrases=profile.script.phrases)
            if models.stt.provider == "builtin"
            else await vendors.build_stt(models.stt, profile.language),
            llm=ScriptLLM(profile.script, partial(profile.filled, variables=variables))
            if models.llm.provider == "builtin"
            else await vendors.build_llm(models.llm),
            tts=_espeak(models.tts)
            if models.tts.provider == "builtin"
            else await vendors.build_tts(models.tts),
        )
    return SpeechModels(
        pipeline,
        realtime.model if realtime else None,
        _espeak(models.tts),
        realtime.answered if realtime else None,
    )


def _espeak(choice: TtsChoice) -> EspeakTTS:
    if choice.provider != "builtin":
        return EspeakTTS()
    return EspeakTTS(voice=choice.voice, words_per_minute=choice.words_per_minute)


def build_agent_session(
    profile: AgentProfile, models: SpeechModels, warm: WarmModels
) -> AgentSession[Any]:
    """Return the session that will hold the conversation, not started yet."""
    pipeline = models.pipeline
    return AgentSession(
        stt=NOT_GIVEN if pipeline is None else pipeline.stt,
        llm=_first_llm(models),
        tts=NOT_GIVEN if pipeline is None else pipeline.tts,
        vad=warm.vad,
        turn_handling=_turn_handling_of(profile, models),
        # The default forbids the caller to interrupt the first three seconds.
        aec_warmup_duration=None,
        # Silence is counted by the meter, which knows the agent's own limit.
        user_away_timeout=None,
        session_close_transcript_timeout=_LAST_WORDS_TIMEOUT_S,
        transcription_timeout=_UNHEARD_AFTER_S,
        conn_options=SessionConnectOptions(
            stt_conn_options=CONN_OPTIONS,
            llm_conn_options=CONN_OPTIONS,
            tts_conn_options=CONN_OPTIONS,
        ),
    )


def _first_llm(models: SpeechModels) -> llm.LLM[Any] | llm.RealtimeModel:
    if models.pipeline is not None:
        return models.pipeline.llm
    if models.realtime is None:
        raise AssertionError("An agent for calls has a pipeline or a realtime model.")
    return models.realtime


def _turn_handling_of(profile: AgentProfile, models: SpeechModels) -> TurnHandlingOptions:
    if models.pipeline is None:
        return realtime_turn_handling(profile.turn_taking)
    if isinstance(models.pipeline.stt, PhraseSTT):
        # The end of a phrase from a known grammar is found by its silence alone: a model that
        # judges sentences would only add delay.
        return turn_handling(profile.turn_taking, "vad", speaks_ahead=True)
    # The small model runs here; the large one would ask a cloud service.
    detector = inference.TurnDetector(version="v1-mini")
    return turn_handling(profile.turn_taking, detector, speaks_ahead=False)


def room_options(kind: CallKind, caller_identity: str) -> room_io.RoomOptions:
    """Return how the session is tied to the caller's room.

    The caller alone is listened to, whoever else joins. Leaving is watched by the call itself,
    because the framework overlooks lost media, lost signalling and removal.
    """
    return room_io.RoomOptions(
        participant_identity=caller_identity,
        participant_kinds=[
            rtc.ParticipantKind.PARTICIPANT_KIND_SIP,
            rtc.ParticipantKind.PARTICIPANT_KIND_STANDARD,
        ],
        audio_input=room_io.AudioInputOptions(
            sample_rate=_CALLER_RATE_HZ,
            auto_gain_control=False,
            pre_connect_audio=kind is CallKind.WEB,
        ),
        audio_output=room_io.AudioOutputOptions(sample_rate=_AGENT_RATE_HZ[kind]),
        text_input=kind is CallKind.WEB,
        # A telephone shows no text; in a browser it is published for the page.
        text_output=kind is CallKind.WEB,
        close_on_disconnect=False,
    )
