"""Which models an agent may name."""

from typing import Any

import pytest

from dispatch.agent_profile import AgentDraft
from dispatch.agents import check_draft, draft_of
from dispatch.errors import InvalidField

pytestmark = pytest.mark.unit

OPENAI_LLM = {"provider": "openai", "model": "gpt-4.1"}
OPENAI_STT = {"provider": "openai"}
LOCAL = "http://127.0.0.1:8000/v1"


def draft(**changes: Any) -> AgentDraft:
    return AgentDraft.model_validate({"name": "Reception"} | changes)


def test_an_agent_without_models_speaks_with_the_builtin_ones():
    models = draft().models
    assert [choice.provider for choice in models.pipeline] == ["builtin"] * 3
    assert (models.stt.model, models.llm.model) == ("pocketsphinx-en-us", "script")
    check_draft(draft())


def test_a_provider_alone_gets_its_usual_model_and_voice_written_down():
    models = draft(
        models={
            "stt": {"provider": "deepgram"},
            "tts": {"provider": "deepgram"},
            "realtime": {},
        }
    ).models
    assert models.stt.model == "nova-3"
    assert (models.tts.model, models.tts.voice) == ("aura-2", "aura-2-thalia-en")
    assert models.realtime is not None
    assert (models.realtime.provider, models.realtime.model) == ("openai", "gpt-realtime")
    assert models.realtime.voice == "marin"


@pytest.mark.parametrize(
    "changes",
    [
        {"models": {"stt": {"provider": "deepgram"}, "llm": OPENAI_LLM, "tts": OPENAI_STT}},
        {"models": {"stt": {"provider": "deepgram"}}},
        {"models": {"llm": OPENAI_LLM}, "script": {"steps": [{"phrases": ["hi"], "reply": "Hi"}]}},
        {"models": {"llm": OPENAI_LLM}, "voice_enabled": False},
        {"models": {"realtime": {}}, "voice_pipeline_mode": "sts"},
        {"models": {"realtime": {}}, "voice_pipeline_mode": "hybrid"},
        {
            "models": {
                "stt": OPENAI_STT,
                "llm": {"provider": "openai", "model": "qwen3", "base_url": LOCAL},
                "tts": {"provider": "openai", "model": "kokoro", "voice": "x", "base_url": LOCAL},
            }
        },
    ],
)
def test_any_mixture_that_can_hear_think_and_speak_is_accepted(changes: dict[str, Any]):
    check_draft(draft(**changes))


@pytest.mark.parametrize(
    ("changes", "field", "said"),
    [
        (
            {"models": {"stt": {"provider": "acme", "model": "x"}}},
            "models.stt.provider",
            "'acme' is none of builtin, deepgram, openai",
        ),
        (
            {"models": {"llm": {"provider": "deepgram", "model": "x"}}},
            "models.llm.provider",
            "'deepgram' is none of builtin, openai",
        ),
        (
            {"models": {"tts": {"provider": "openai", "model": "tts-9"}}},
            "models.tts.voice",
            "Field required",
        ),
        (
            {"models": {"tts": {"provider": "openai", "model": "tts-9", "voice": "alloy"}}},
            "models.tts.model",
            "'tts-9', but gpt-4o-mini-tts, tts-1, tts-1-hd; a model that is not listed needs",
        ),
        (
            {"models": {"tts": {"provider": "openai", "model": "tts-1", "voice": "marin"}}},
            "models.tts.voice",
            "no voice 'marin', but alloy, ash, coral, echo, fable, nova, onyx, sage, shimmer",
        ),
        (
            {"models": {"tts": {"voice": "xx-klingon"}}},
            "models.tts.voice",
            "there is no language 'xx-klingon'",
        ),
        (
            {"models": {"tts": {"base_url": LOCAL}}},
            "models.tts.base_url",
            "builtin runs here and has no base URL",
        ),
        (
            {"models": {"stt": {"provider": "deepgram", "model": "nova-2-phonecall"}}}
            | {"language": "de-DE"},
            "models.stt.model",
            "nova-2-phonecall knows only en, and the agent's language is de-DE",
        ),
        (
            {"models": {"tts": {"provider": "openai", "params": {"speed": "fast"}}}},
            "models.tts.params.speed",
            "Input should be a valid number",
        ),
        (
            {"models": {"tts": {"provider": "openai", "params": {"pitch": 2}}}},
            "models.tts.params.pitch",
            "not a parameter of this model, which has speed, instructions",
        ),
        (
            {
                "models": {
                    "stt": {
                        "provider": "deepgram",
                        "model": "nova-2-general",
                        "params": {"keyterm": ["Dialplane"]},
                    }
                }
            },
            "models.stt.params.keyterm",
            "only the nova-3 models take key terms",
        ),
        (
            {"models": {"llm": {"provider": "openai", "base_url": "http://host:99999/v1"}}},
            "models.llm.base_url",
            "host or port cannot be",
        ),
        ({"greeting_mode": "generate"}, "greeting_mode", "a script makes nothing up"),
        ({"voice_pipeline_mode": "sts"}, "models.realtime", "needed in the modes sts and hybrid"),
        (
            {"models": {"llm": OPENAI_LLM}},
            "models.stt",
            "understands only the phrases of the script, and the script has none",
        ),
    ],
)
def test_what_does_not_exist_or_fit_is_named_with_what_is_allowed(
    changes: dict[str, Any], field: str, said: str
):
    with pytest.raises(InvalidField) as refused:
        check_draft(draft_of({"name": "Reception"} | changes))
    assert refused.value.field == field
    assert said in refused.value.message
