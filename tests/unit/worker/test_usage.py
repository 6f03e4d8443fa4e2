"""What a call's models report, counted once and under the names of the agent's profile."""

from types import SimpleNamespace
from typing import Any, cast

import pytest
from livekit import rtc
from livekit.agents.metrics import LLMMetrics, LLMModelUsage, STTMetrics, TTSMetrics

from dispatch.billing.items import KeySource, Service, Unit, UsageItem
from dispatch.billing.prices import PriceBook
from dispatch.billing.pricing import price_usage
from dispatch.models.choices import AgentModels
from worker.pipelines import Pipeline, SpeechModels
from worker.usage import CallUsage

pytestmark = pytest.mark.unit

COMMON = {"label": "x", "request_id": "r", "timestamp": 0.0, "duration": 0.0}

CLOUD = AgentModels.model_validate(
    {
        "stt": {"provider": "deepgram", "model": "nova-3"},
        "llm": {"provider": "openai", "model": "gpt-4o-mini"},
        "tts": {"provider": "openai", "model": "gpt-4o-mini-tts", "voice": "alloy"},
        "realtime": {"provider": "openai", "model": "gpt-realtime", "voice": "alloy"},
    }
)


def heard(seconds: float) -> STTMetrics:
    return STTMetrics(audio_duration=seconds, streamed=True, **COMMON)


def thought(read: int, cached: int, written: int) -> LLMMetrics:
    return LLMMetrics(
        ttft=0.1,
        cancelled=False,
        prompt_tokens=read,
        prompt_cached_tokens=cached,
        completion_tokens=written,
        total_tokens=read + written,
        tokens_per_second=1.0,
        **COMMON,
    )


def spoken(characters: int) -> TTSMetrics:
    return TTSMetrics(
        ttfb=0.1,
        audio_duration=1.0,
        cancelled=False,
        characters_count=characters,
        streamed=True,
        **COMMON,
    )


class Models:
    """The models of a call, which report when told."""

    def __init__(self, realtime: Any = None) -> None:
        self.stt, self.llm, self.tts = (rtc.EventEmitter[Any]() for _ in range(3))
        pipeline = Pipeline(cast("Any", self.stt), cast("Any", self.llm), cast("Any", self.tts))
        self.models = SpeechModels(pipeline, realtime, cast("Any", None))
        self.session = SimpleNamespace(usage=SimpleNamespace(model_usage=[]))

    def watched_by(self, usage: CallUsage) -> "Models":
        usage.watch(self.models, cast("Any", self.session))
        return self


def quantities(usage: CallUsage) -> dict[tuple[Service, Unit], int]:
    return {(item.service, item.unit): item.quantity for item in usage.items()}


def test_counts_each_model_under_the_name_the_profile_gives_it():
    usage = CallUsage(CLOUD)
    models = Models().watched_by(usage)
    models.stt.emit("metrics_collected", heard(2.5))
    models.llm.emit("metrics_collected", thought(100, 30, 20))
    models.tts.emit("metrics_collected", spoken(42))
    own = KeySource.OWN
    assert set(usage.items()) == {
        UsageItem(Service.STT, "deepgram", "nova-3", Unit.AUDIO_MS, 2_500, own),
        UsageItem(Service.LLM, "openai", "gpt-4o-mini", Unit.INPUT_TOKENS, 70, own),
        UsageItem(Service.LLM, "openai", "gpt-4o-mini", Unit.CACHED_INPUT_TOKENS, 30, own),
        UsageItem(Service.LLM, "openai", "gpt-4o-mini", Unit.OUTPUT_TOKENS, 20, own),
        UsageItem(Service.TTS, "openai", "gpt-4o-mini-tts", Unit.CHARACTERS, 42, own),
    }


def test_a_vendor_that_counts_what_cannot_be_ends_no_call():
    usage = CallUsage(CLOUD)
    models = Models().watched_by(usage)
    models.llm.emit("metrics_collected", thought(10**30, 2 * 10**30, 10**30))
    models.llm.emit("metrics_collected", thought(-7, -5, -3))
    most = 10**8
    assert quantities(usage) == {
        (Service.LLM, Unit.CACHED_INPUT_TOKENS): most,
        (Service.LLM, Unit.OUTPUT_TOKENS): most,
    }


def test_what_is_built_in_needs_nobodys_account():
    usage = CallUsage(AgentModels())
    Models().watched_by(usage).stt.emit("metrics_collected", heard(1.0))
    (item,) = usage.items()
    assert (item.provider, item.keys) == ("builtin", KeySource.PLATFORM)


def test_counts_only_ever_grow_and_short_sounds_add_up():
    usage = CallUsage(CLOUD)
    models = Models().watched_by(usage)
    seen = 0
    for _ in range(100):
        models.stt.emit("metrics_collected", heard(0.0124))
        now = quantities(usage)[Service.STT, Unit.AUDIO_MS]
        assert now >= seen
        seen = now
    assert seen == 1_240


def test_a_realtime_models_tokens_are_each_of_one_kind():
    realtime = SimpleNamespace(provider="api.openai.com", model="gpt-realtime")
    usage = CallUsage(CLOUD)
    models = Models(realtime).watched_by(usage)
    assert usage.items() == ()
    models.session.usage.model_usage = [
        LLMModelUsage(provider="api.openai.com", model="gpt-4o-mini", input_tokens=9_999),
        LLMModelUsage(
            provider="api.openai.com",
            model="gpt-realtime",
            input_tokens=1_000,
            input_audio_tokens=700,
            input_text_tokens=300,
            input_cached_tokens=400,
            input_cached_audio_tokens=300,
            input_cached_text_tokens=100,
            output_tokens=500,
            output_audio_tokens=450,
            output_text_tokens=50,
        ),
    ]
    assert quantities(usage) == {
        (Service.REALTIME, Unit.INPUT_TOKENS): 200,
        (Service.REALTIME, Unit.CACHED_INPUT_TOKENS): 100,
        (Service.REALTIME, Unit.AUDIO_INPUT_TOKENS): 400,
        (Service.REALTIME, Unit.CACHED_AUDIO_INPUT_TOKENS): 300,
        (Service.REALTIME, Unit.OUTPUT_TOKENS): 50,
        (Service.REALTIME, Unit.AUDIO_OUTPUT_TOKENS): 450,
    }
    assert {item.model for item in usage.items()} == {"gpt-realtime"}


def test_a_call_that_never_got_models_used_nothing():
    assert CallUsage(AgentModels()).items() == ()


def test_what_look_ups_took_is_counted_with_the_call():
    usage = CallUsage(AgentModels())
    took = UsageItem(Service.EMBEDDING, "openai", "e", Unit.INPUT_TOKENS, 3, KeySource.OWN)
    usage.count_look_up([took])
    usage.count_look_up([])
    usage.count_look_up([took])
    assert usage.items() == (took, took)
    [part] = price_usage(usage.items(), PriceBook.load().tables[0]).parts
    assert (part.item.quantity, part.cost_microcredits) == (6, 0)
