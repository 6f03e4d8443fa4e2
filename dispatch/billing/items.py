"""What can be used and is counted: plain data, in whole units."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Service(StrEnum):
    """What kind of work was done."""

    TELEPHONY = "telephony"
    """A telephone call's time on the line: from answer to hang-up, by the started second."""
    WEB = "web"
    """A web session's time on the line, likewise."""
    STT = "stt"
    LLM = "llm"
    TTS = "tts"
    REALTIME = "realtime"
    """Speech to speech by one model."""
    EMBEDDING = "embedding"
    CHAT = "chat"
    """A message of a written conversation that an agent answered."""


class Unit(StrEnum):
    """What is counted. Units of one service never overlap: a token is counted as one of them."""

    SECONDS = "seconds"
    AUDIO_MS = "audio_ms"
    """Milliseconds of audio heard by speech recognition."""
    CHARACTERS = "characters"
    """Characters spoken by speech synthesis."""
    INPUT_TOKENS = "input_tokens"
    """Tokens of text (or image) read, without those from the vendor's cache."""
    CACHED_INPUT_TOKENS = "cached_input_tokens"
    OUTPUT_TOKENS = "output_tokens"
    """Tokens of text written, hidden reasoning included."""
    AUDIO_INPUT_TOKENS = "audio_input_tokens"
    """Tokens of audio heard, without those from the vendor's cache."""
    CACHED_AUDIO_INPUT_TOKENS = "cached_audio_input_tokens"
    AUDIO_OUTPUT_TOKENS = "audio_output_tokens"
    MESSAGES = "messages"


_TEXT_TOKENS = (Unit.INPUT_TOKENS, Unit.CACHED_INPUT_TOKENS, Unit.OUTPUT_TOKENS)
_AUDIO_TOKENS = (
    Unit.AUDIO_INPUT_TOKENS,
    Unit.CACHED_AUDIO_INPUT_TOKENS,
    Unit.AUDIO_OUTPUT_TOKENS,
)

UNITS_OF: dict[Service, tuple[Unit, ...]] = {
    Service.TELEPHONY: (Unit.SECONDS,),
    Service.WEB: (Unit.SECONDS,),
    Service.STT: (Unit.AUDIO_MS,),
    Service.LLM: _TEXT_TOKENS,
    Service.TTS: (Unit.CHARACTERS,),
    Service.REALTIME: (*_TEXT_TOKENS, *_AUDIO_TOKENS),
    Service.EMBEDDING: (Unit.INPUT_TOKENS,),
    Service.CHAT: (Unit.MESSAGES,),
}
"""The units in which each service is counted."""

MOST_TOLD: Final = 10**8
"""Units that one report of a vendor may tell of, in which a day of talk has room many times."""


def told_quantity(value: object) -> int:
    """Return a quantity as a vendor's server told it: whole, from 0 to `MOST_TOLD`.

    Tenants name their servers themselves, and those may tell anything: less than nothing, more
    than any record can hold, or no number at all, which counts as nothing.
    """
    return int(min(value, MOST_TOLD)) if isinstance(value, int | float) and value > 0 else 0


class KeySource(StrEnum):
    """Whose account at the vendor was used, which decides what we charge for it."""

    PLATFORM = "platform"
    """The installation's, or nobody's (`builtin`)."""
    OWN = "own"
    """The tenant's own, from its secrets: the vendor bills the tenant."""


@dataclass(frozen=True, slots=True)
class UsageItem:
    """How much of one thing was used.

    A stream of usage is cumulative: each item counts from the beginning, and never shrinks.
    """

    service: Service
    provider: str
    """The vendor in lower case, for example `openai`; `builtin` for ours."""
    model: str
    unit: Unit
    quantity: int
    """Whole units, from 0."""
    keys: KeySource = KeySource.PLATFORM

    def __post_init__(self) -> None:
        if self.quantity < 0:
            raise ValueError("A quantity of usage is 0 or more.")
        if self.unit not in UNITS_OF[self.service]:
            raise ValueError(f"{self.service} is not counted in {self.unit}.")
