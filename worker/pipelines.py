"""From an agent's profile to a running pipeline: who listens, thinks and speaks."""

from dataclasses import dataclass
from typing import Any

from livekit import rtc
from livekit.agents import AgentSession, inference, llm, room_io, stt, tts, vad

from dispatch.agent_profile import AgentProfile
from telephony.calls import CallKind
from worker.builtin import EspeakTTS, PhraseSTT, ScriptLLM, prewarm
from worker.turn_taking import turn_handling

_CALLER_RATE_HZ = 16_000
"""What voice activity detection and PocketSphinx want; telephone audio holds less."""

_AGENT_RATE_HZ = {CallKind.SIP: 16_000, CallKind.WEB: 24_000}

_LAST_WORDS_TIMEOUT_S = 0.3
"""How long the end of a call waits for the words the caller was just saying."""


@dataclass(frozen=True, slots=True)
class WarmModels:
    """Models that are loaded once and serve every call of a process, one after another."""

    vad: vad.VAD


def warm_models() -> WarmModels:
    """Load what every call needs; blocks for a few tens of milliseconds."""
    prewarm()
    return WarmModels(vad=inference.VAD(model="silero"))


@dataclass(frozen=True, slots=True)
class SpeechModels:
    """The three models of one call's pipeline."""

    stt: stt.STT[Any]
    llm: llm.LLM[Any]
    tts: tts.TTS[Any]


def build_models(profile: AgentProfile) -> SpeechModels:
    """Return the models a profile asks for.

    Raises:
        UnknownVoiceError: The profile's voice does not exist.
    """
    return SpeechModels(
        stt=PhraseSTT(phrases=profile.script.phrases),
        llm=ScriptLLM(profile.script),
        tts=EspeakTTS(
            voice=profile.models.tts.voice,
            words_per_minute=profile.models.tts.words_per_minute,
        ),
    )


def build_agent_session(
    profile: AgentProfile, models: SpeechModels, warm: WarmModels
) -> AgentSession[Any]:
    """Return the session that will hold the conversation, not started yet."""
    return AgentSession(
        stt=models.stt,
        llm=models.llm,
        tts=models.tts,
        vad=warm.vad,
        # The end of a phrase from a known grammar is found by its silence alone: a model that
        # judges sentences would only add delay.
        turn_handling=turn_handling(profile.turn_taking, "vad"),
        # The default forbids the caller to interrupt the first three seconds.
        aec_warmup_duration=None,
        # Silence is counted by the meter, which knows the agent's own limit.
        user_away_timeout=None,
        session_close_transcript_timeout=_LAST_WORDS_TIMEOUT_S,
    )


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
