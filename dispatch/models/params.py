"""What can be set of each provider's models: the vendor's own names, types and limits.

Sources: developers.deepgram.com/reference (listen, speak), the OpenAI API reference as typed in
the package openai 3.52, and the arguments of the livekit-plugins 1.8.9, which have these names.
"""

from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from dispatch.models.catalogue import ModelKind
from telephony.speech.espeak import DEFAULT_WORDS_PER_MINUTE

_Term = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]


class Params(BaseModel):
    """Parameters of a model. What is not set is left to the vendor."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class NoParams(Params):
    """A model of which nothing can be set."""


class BuiltinSpeechParams(Params):
    """espeak-ng."""

    words_per_minute: int = Field(default=DEFAULT_WORDS_PER_MINUTE, ge=80, le=300)


class DeepgramSttParams(Params):
    """Deepgram's streaming recognition."""

    smart_format: bool = False
    punctuate: bool = True
    numerals: bool = False
    filler_words: bool = True
    profanity_filter: bool = False
    mip_opt_out: bool = False
    """Keep this audio out of Deepgram's model improvement programme."""
    endpointing_ms: int = Field(default=25, ge=0, le=5_000)
    keyterm: list[_Term] = Field(default=[], max_length=100)
    """Words to expect; of the nova-3 models."""


class DeepgramTtsParams(Params):
    """Deepgram's streaming speech."""

    speed: float = Field(default=1.0, ge=0.7, le=1.5)
    mip_opt_out: bool = False


class OpenAISttParams(Params):
    """OpenAI's transcription of one utterance at a time."""

    prompt: str = Field(default="", max_length=2_000)
    temperature: float = Field(default=0.0, ge=0, le=1)
    detect_language: bool = False
    """Find the language out instead of being told the agent's."""


class OpenAILlmParams(Params):
    """OpenAI's chat completions, and every server that offers them."""

    temperature: float = Field(default=1.0, ge=0, le=2)
    top_p: float = Field(default=1.0, ge=0, le=1)
    max_completion_tokens: int = Field(default=1_024, ge=1, le=32_768)
    reasoning_effort: Literal["none", "minimal", "low", "medium", "high"] = "minimal"
    parallel_tool_calls: bool = True


class OpenAITtsParams(Params):
    """OpenAI's speech."""

    speed: float = Field(default=1.0, ge=0.25, le=4)
    instructions: str = Field(default="", max_length=4_000)
    """How to speak; not for tts-1 and tts-1-hd."""


class OpenAIRealtimeParams(Params):
    """OpenAI's speech to speech."""

    speed: float = Field(default=1.0, ge=0.25, le=1.5)


PARAMS: Final[dict[tuple[str, ModelKind], type[Params]]] = {
    ("builtin", ModelKind.STT): NoParams,
    ("builtin", ModelKind.LLM): NoParams,
    ("builtin", ModelKind.TTS): BuiltinSpeechParams,
    ("deepgram", ModelKind.STT): DeepgramSttParams,
    ("deepgram", ModelKind.TTS): DeepgramTtsParams,
    ("openai", ModelKind.STT): OpenAISttParams,
    ("openai", ModelKind.LLM): OpenAILlmParams,
    ("openai", ModelKind.TTS): OpenAITtsParams,
    ("openai", ModelKind.STS): OpenAIRealtimeParams,
}
"""By provider and kind; every pair that an agent can choose has an entry."""
