"""Counts what a call's models use, from the metrics they report about themselves."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Final

from livekit.agents import AgentSession, llm
from livekit.agents.metrics import LLMMetrics, LLMModelUsage, STTMetrics, TTSMetrics

from dispatch.billing.items import KeySource, Service, Unit, UsageItem, told_quantity
from dispatch.models.choices import AgentModels, ModelChoice
from worker.pipelines import SpeechModels

_BUILTIN: Final = "builtin"


class CallUsage:
    """What one call used by now, named as its agent's profile names the models.

    A pipeline's models are listened to directly, so that what they do before the session starts
    (the greeting) counts, too. A realtime model reports to the session only.

    A vendor tells how much an answer took when it is complete: of an answer that the caller cut off
    nothing is known, and nothing counted.

    Args:
        models: The agent's choices.
    """

    def __init__(self, models: AgentModels) -> None:
        self._models = models
        self._counts: Counter[tuple[Service, Unit]] = Counter()
        self._heard_s = 0.0
        self._session: AgentSession[Any] | None = None
        self._realtime: llm.RealtimeModel | None = None
        self._legs_s: Callable[[], int] = int
        self._looked_up: list[UsageItem] = []

    def watch(self, models: SpeechModels, session: AgentSession[Any]) -> None:
        """Count from now on."""
        self._session, self._realtime = session, models.realtime
        if models.pipeline is not None:
            models.pipeline.stt.on("metrics_collected", self._on_heard)
            models.pipeline.llm.on("metrics_collected", self._on_thought)
            models.pipeline.tts.on("metrics_collected", self._on_spoken)

    def count_legs(self, seconds: Callable[[], int]) -> None:
        """Count the time of the legs that the call placed, too.

        Args:
            seconds: Returns their started seconds on the line by now, all together.
        """
        self._legs_s = seconds

    def count_look_up(self, used: Sequence[UsageItem]) -> None:
        """Count what a look-up in the agent's knowledge took."""
        self._looked_up.extend(used)

    def items(self) -> tuple[UsageItem, ...]:
        """Return all that was used by now; no quantity is ever smaller than before."""
        counts = Counter(self._counts)
        counts[Service.STT, Unit.AUDIO_MS] = round(self._heard_s * 1_000)
        counts.update(self._realtime_counts())
        used = tuple(
            _item(self._choice(service), service, unit, quantity)
            for (service, unit), quantity in counts.items()
            if quantity > 0
        )
        return (*used, *self._looked_up, *_legs(self._legs_s()))

    def _on_heard(self, metrics: STTMetrics) -> None:
        self._heard_s += max(0.0, metrics.audio_duration)

    def _on_thought(self, metrics: LLMMetrics) -> None:
        read = told_quantity(metrics.prompt_tokens)
        cached = min(told_quantity(metrics.prompt_cached_tokens), read)
        self._counts[Service.LLM, Unit.INPUT_TOKENS] += read - cached
        self._counts[Service.LLM, Unit.CACHED_INPUT_TOKENS] += cached
        self._counts[Service.LLM, Unit.OUTPUT_TOKENS] += told_quantity(metrics.completion_tokens)

    def _on_spoken(self, metrics: TTSMetrics) -> None:
        self._counts[Service.TTS, Unit.CHARACTERS] += metrics.characters_count

    def _realtime_counts(self) -> dict[tuple[Service, Unit], int]:
        model = self._realtime
        if self._session is None or model is None:
            return {}
        for used in self._session.usage.model_usage:
            if (
                isinstance(used, LLMModelUsage)
                and used.provider == model.provider
                and used.model == model.model
            ):
                return _of_realtime(used)
        return {}

    def _choice(self, service: Service) -> ModelChoice:
        match service:
            case Service.STT:
                return self._models.stt
            case Service.TTS:
                return self._models.tts
            case Service.REALTIME if self._models.realtime is not None:
                return self._models.realtime
            case _:
                return self._models.llm


def _of_realtime(used: LLMModelUsage) -> dict[tuple[Service, Unit], int]:
    """Return a realtime model's counts, each token in one of them.

    The vendor's totals include what came from its cache, and its text tokens are what is not
    audio.

    Source: OpenAI's `response.done` event, usage.input_token_details.
    """
    cached_audio = used.input_cached_audio_tokens
    cached_text = max(0, used.input_cached_tokens - cached_audio)
    counts = {
        Unit.INPUT_TOKENS: used.input_tokens - used.input_audio_tokens - cached_text,
        Unit.CACHED_INPUT_TOKENS: cached_text,
        Unit.OUTPUT_TOKENS: used.output_tokens - used.output_audio_tokens,
        Unit.AUDIO_INPUT_TOKENS: used.input_audio_tokens - cached_audio,
        Unit.CACHED_AUDIO_INPUT_TOKENS: cached_audio,
        Unit.AUDIO_OUTPUT_TOKENS: used.output_audio_tokens,
    }
    return {(Service.REALTIME, unit): told_quantity(count) for unit, count in counts.items()}


def _item(choice: ModelChoice, service: Service, unit: Unit, quantity: int) -> UsageItem:
    # Vendors are reached with the tenant's own keys only.
    keys = KeySource.PLATFORM if choice.provider == _BUILTIN else KeySource.OWN
    return UsageItem(service, choice.provider, choice.model, unit, quantity, keys)


def _legs(seconds: int) -> tuple[UsageItem, ...]:
    """Return the time of placed legs: a part of the bill beside the caller's own time."""
    if not seconds:
        return ()
    return (UsageItem(Service.TELEPHONY, "sip", "outbound_leg", Unit.SECONDS, seconds),)
