"""`voiceParams` and the parameters of voice models, as Agntix's clients write them.

What Dialplane gives a meaning is said in `gateway.faces.agntix.agent_fields`; all the rest is
checked for its shape, kept word for word and returned.

Source: the OpenAPI description of Agntix's gateway, 2026-06-30.
"""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, JsonValue, StrictBool, StrictInt, StringConstraints

from dispatch.agent_profile import AgentDraft, TurnTaking
from gateway.faces.agntix.schemas.limits import limited_like
from gateway.schemas.base import RequestBody
from gateway.schemas.numbers import PhoneNumber

_Text = Annotated[str, StringConstraints(max_length=1_000)]
_Seconds = Annotated[float, Field(strict=True, ge=0, allow_inf_nan=False)]
_Share = Annotated[float, Field(strict=True, ge=0, le=1)]

WelcomeMode = Literal["aiInitiatesStatic", "aiInitiatesDynamic", "userInitiatesWait"]


class _Kept(RequestBody):
    """An object that is kept as it was sent."""


class VadConfigs(_Kept):
    """When sound is speech."""

    min_speech_duration: Annotated[float, Field(strict=True, ge=0.02, le=5)] | None = None
    activation_threshold: _Share | None = None
    prefix_padding_duration: Annotated[float, Field(strict=True, ge=0, le=5)] | None = None
    min_silence_duration: Annotated[float, Field(strict=True, ge=0.02, le=5)] | None = None
    max_buffered_speech: Annotated[float, Field(strict=True, ge=20, le=360)] | None = None
    sample_rate: Literal[8000, 16000] | None = None


class BackgroundNoise(_Kept):
    """Noise behind the agent."""

    enabled: StrictBool | None = None
    volume: Annotated[float, Field(strict=True, ge=0)] | None = None
    custom_url: _Text | None = None


class SmartTurn(_Kept):
    """When a turn is over, by a model."""

    threshold: _Share | None = None
    min_silence_duration: _Seconds | None = None


class EndCall(_Kept):
    """How the agent hangs up."""

    enabled: StrictBool | None = None
    custom_message: _Text | None = None
    message_max_words: StrictInt | None = Field(default=None, ge=1, le=1_000)
    delay_before_hangup: _Seconds | None = None


class TransferCall(_Kept):
    """Where the agent hands calls to."""

    enabled: StrictBool | None = None
    phone_number: PhoneNumber | None = None
    custom_message: _Text | None = None
    error_message: _Text | None = None


class Voicemail(_Kept):
    """What the agent leaves on an answering machine."""

    enabled: StrictBool | None = None
    custom_message: _Text | None = None
    message_max_words: StrictInt | None = Field(default=None, ge=1, le=1_000)
    delay_after_message: _Seconds | None = None


class TransferRouting(_Kept):
    """Where the agent hands calls to, by a prompt."""

    enabled: StrictBool | None = None
    prompt: _Text | None = None


class FunctionTools(_Kept):
    """What the agent can do with the call itself."""

    end_call_config: EndCall | None = None
    transfer_call_config: TransferCall | None = None
    voicemail_config: Voicemail | None = None
    transfer_dynamic_routing_config: TransferRouting | None = None


class VoiceParams(RequestBody):
    """How the agent behaves in a call."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "welcomeText": "Hello, this is the bakery.",
                    "welcomeMode": "aiInitiatesStatic",
                    "maxDurationInSeconds": 600,
                    "idleTimeoutInSeconds": 30,
                    "allowInterruptions": True,
                }
            ]
        }
    )

    welcome_text: str | None = limited_like(
        AgentDraft, "greeting", description="Spoken first, word for word (aiInitiatesStatic)."
    )
    welcome_mode: WelcomeMode | None = None
    welcome_prompt: str | None = limited_like(
        AgentDraft, "greeting", description="What the first words are about (aiInitiatesDynamic)."
    )
    max_duration_in_seconds: StrictInt | None = limited_like(AgentDraft, "max_duration_s")
    max_active_sessions: StrictInt | None = Field(default=None, ge=1, le=2**31 - 1)
    idle_timeout_in_seconds: StrictInt | None = limited_like(AgentDraft, "silence_timeout_s")
    allow_interruptions: StrictBool | None = None
    interrupt_speech_duration: float | None = limited_like(
        TurnTaking, "barge_in_min_speech_s", strict=True, description="Seconds."
    )
    interrupt_min_words: StrictInt | None = limited_like(TurnTaking, "barge_in_min_words")
    min_endpointing_delay: float | None = limited_like(
        TurnTaking, "endpointing_min_delay_s", strict=True, description="Seconds."
    )
    preemptive_synthesis: StrictBool | None = None
    end_of_turn_detection: (
        Literal["baseline", "eou_english", "eou_multilingual", "smart_turn", "stt_endpointing"]
        | None
    ) = None
    background_noise_config: BackgroundNoise | None = None
    multi_speaker: JsonValue = None
    smart_turn: SmartTurn | None = None
    inactivity_config: list[JsonValue] | None = Field(default=None, max_length=20)
    dynamic_transfer_enabled: StrictBool | None = None
    vad_configs: VadConfigs | None = None
    function_tools_config: FunctionTools | None = None


class _ModelParams(RequestBody):
    """Parameters of a model; what a vendor has beyond them is kept and not used."""

    model_config = ConfigDict(extra="allow")


class SttModelParams(_ModelParams):
    """How the agent listens. It listens in the agent's own language."""

    language: _Text | None = None
    detect_language: StrictBool | None = None
    interim_results: StrictBool | None = None
    punctuate: StrictBool | None = None
    sample_rate: Literal[8000, 16000] | None = None
    endpointing_ms: StrictInt | None = Field(default=None, ge=0, le=5_000)
    key_terms: list[Annotated[str, StringConstraints(min_length=1, max_length=100)]] | None = Field(
        default=None, max_length=100
    )


class TtsModelParams(_ModelParams):
    """How the agent speaks."""

    voice: Annotated[str, StringConstraints(min_length=1, max_length=100)] | None = Field(
        default=None, description="Its id, of `GET /v1/voice/voices`."
    )
    speed: Annotated[float, Field(strict=True, gt=0)] | None = None
    volume: JsonValue = None
    language: _Text | None = None
    emotion: JsonValue = None
    pitch: JsonValue = None
    stability: JsonValue = None
    similarity_boost: JsonValue = None


class StsModelParams(_ModelParams):
    """How a speech-to-speech model speaks."""

    voice: Annotated[str, StringConstraints(min_length=1, max_length=100)] | None = Field(
        default=None, description="Its id, of `GET /v1/voice/voices`."
    )
    language: _Text | None = None


def as_sent(body: RequestBody | None) -> dict[str, Any] | None:
    """Return a body as the client wrote it."""
    return None if body is None else body.model_dump(by_alias=True, exclude_unset=True, mode="json")
