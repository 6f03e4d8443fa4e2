"""Models of an agent by Agntix's ids and parameters, onto the core's choices and back."""

import uuid
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from pydantic import JsonValue
from pydantic.alias_generators import to_camel

from dispatch.agent_profile import PipelineMode
from dispatch.errors import InvalidField
from dispatch.models.catalogue import Model, ModelKind, catalogue
from dispatch.models.choices import AgentModels, ModelChoice


class ModelField(NamedTuple):
    """Where a kind of model stands in the core and here."""

    core: str
    """Field of `AgentModels`."""
    kind: ModelKind
    id_name: str
    """Field of the body with the model's id."""
    params_name: str | None
    """Field of the body with its parameters."""


MODEL_FIELDS: Final = (
    ModelField("llm", ModelKind.LLM, "model_id", None),
    ModelField("stt", ModelKind.STT, "stt_model_id", "stt_model_params"),
    ModelField("tts", ModelKind.TTS, "tts_model_id", "tts_model_params"),
    ModelField("realtime", ModelKind.STS, "sts_model_id", "sts_model_params"),
)

PARAM_NAMES: Final[Mapping[tuple[str, ModelKind], Mapping[str, str]]] = {
    ("deepgram", ModelKind.STT): {
        "punctuate": "punctuate",
        "endpointingMs": "endpointing_ms",
        "keyTerms": "keyterm",
    },
    ("openai", ModelKind.STT): {"detectLanguage": "detect_language"},
    ("deepgram", ModelKind.TTS): {"speed": "speed"},
    ("openai", ModelKind.TTS): {"speed": "speed"},
}
"""Agntix's parameters that a vendor has too, by the vendor's names."""

_WITH_REALTIME: Final = {PipelineMode.STS, PipelineMode.HYBRID}


def default_model(field: ModelField, usable: frozenset[str]) -> Model | None:
    """Return what an agent gets that names no model of a kind: of the first usable provider.

    Args:
        field: Which kind.
        usable: Providers that need a key which the project keeps.
    """
    able = (catalogue().default_model(field.kind, each.slug) for each in _by_preference(usable))
    return next((model for model in able if model is not None), None)


def new_models(
    named: Mapping[str, str | None],
    params: Mapping[str, dict[str, JsonValue]],
    *,
    mode: PipelineMode | None,
    usable: frozenset[str],
) -> dict[str, Any]:
    """Return the models of a new agent.

    Args:
        named: Ids or names by `id_name`, as far as they were sent.
        params: Parameters by `params_name`, as far as they were sent.
        mode: The agent's; a model for speech to speech is only chosen where it is needed.
        usable: As for `default_model`.
    """
    chosen = {
        field.id_name: named.get(field.id_name)
        for field in MODEL_FIELDS
        if field.core != "realtime" or field.id_name in named or mode in _WITH_REALTIME
    }
    return changed_models(AgentModels(), chosen, params, usable=usable)


def changed_models(
    models: AgentModels,
    named: Mapping[str, str | None],
    params: Mapping[str, dict[str, JsonValue]],
    *,
    usable: frozenset[str],
) -> dict[str, Any]:
    """Return an agent's models after a change.

    Args:
        models: As they were.
        named: Ids or names by `id_name`, as far as they were sent; None for the default.
        params: All parameters by `params_name`; those that are not there stay.
        usable: As for `default_model`.

    Raises:
        InvalidField: No model has an id.
    """
    changed = models.model_dump()
    for field in MODEL_FIELDS:
        current: ModelChoice | None = getattr(models, field.core)
        if field.id_name in named:
            model = _named_model(field, named[field.id_name], usable)
            if model is None:
                changed[field.core] = None
                continue
            if current is None or (current.provider, current.model) != (model.provider, model.name):
                changed[field.core] = {"provider": model.provider, "model": model.name}
        given = params.get(field.params_name or "")
        if changed[field.core] is not None and given is not None:
            changed[field.core] = _with_params(field.kind, changed[field.core], given)
    return changed


def find_model(field: ModelField, ref: str) -> Model | None:
    """Return the model of an id or name, or None when there is none of the kind."""
    models = catalogue().list_models(field.kind)
    return next((model for model in models if ref.lower() in {str(model.id), model.name}), None)


def model_id_of(field: ModelField, models: AgentModels) -> uuid.UUID | None:
    """Return the id of an agent's model; None when it has none of the kind, or an unlisted one."""
    choice: ModelChoice | None = getattr(models, field.core)
    if choice is None or choice.base_url is not None:
        return None
    model = catalogue().find_model(field.kind, choice.provider, choice.model)
    return None if model is None else model.id


def params_of(field: ModelField, models: AgentModels) -> dict[str, JsonValue]:
    """Return those of Agntix's parameters that the core knows of an agent's model."""
    choice: ModelChoice | None = getattr(models, field.core)
    if choice is None:
        return {}
    names = PARAM_NAMES.get((choice.provider, field.kind), {})
    known = {ours: choice.params[core] for ours, core in names.items() if core in choice.params}
    voice: str | None = getattr(choice, "voice", None)
    return known if voice is None else {"voice": voice, **known}


def _with_params(
    kind: ModelKind, choice: dict[str, Any], params: Mapping[str, JsonValue]
) -> dict[str, Any]:
    names = PARAM_NAMES.get((choice["provider"], kind), {})
    others = {
        name: value
        for name, value in choice.get("params", {}).items()
        if name not in names.values()
    }
    ours = {names[name]: params[name] for name in names if params.get(name) is not None}
    changed = {name: value for name, value in choice.items() if name != "voice"}
    voice = {"voice": params["voice"]} if params.get("voice") is not None else {}
    return changed | voice | {"params": others | ours}


def _named_model(field: ModelField, ref: str | None, usable: frozenset[str]) -> Model | None:
    if ref is None:
        return default_model(field, usable)
    model = find_model(field, ref)
    if model is None:
        lists = "/v1/chat/models" if field.kind is ModelKind.LLM else "/v1/voice/models"
        raise InvalidField(
            to_camel(field.id_name),
            f"no {field.kind} model has this id or name; see GET {lists}.",
        )
    return model


def _by_preference(usable: frozenset[str]) -> list[Any]:
    with_key = [each for each in catalogue().providers if each.needs_key and each.slug in usable]
    return [*with_key, *(each for each in catalogue().providers if not each.needs_key)]
