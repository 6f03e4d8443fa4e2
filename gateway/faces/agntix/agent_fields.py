"""Agents between Agntix's fields and the core's.

What the core has a meaning for is its own field there, so that agents written through any API are
the same agents. What it has none for is kept word for word in `extensions.agntix`.
"""

from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel, JsonValue
from pydantic.alias_generators import to_camel

from dispatch.agent_profile import AgentDraft, AgentProfile, GreetingMode, TurnTaking
from dispatch.errors import InvalidField
from gateway.faces.agntix.agent_models import (
    MODEL_FIELDS,
    changed_models,
    find_model,
    model_id_of,
    new_models,
    params_of,
)
from gateway.faces.agntix.schemas.agents import AgentAnswer, AgentPatchV2, ToolUseAnswer
from gateway.faces.agntix.schemas.voice_params import WelcomeMode, as_sent

_FACE: Final = "agntix"

_SAME: Final = {
    "full_name": "name",
    "description": "description",
    "role": "role",
    "language": "language",
    "system_prompt": "system_prompt",
    "special_instructions": "special_instructions",
    "is_active": "is_active",
    "voice_enabled": "voice_enabled",
    "voice_pipeline_mode": "voice_pipeline_mode",
}
"""Fields that differ in their names at most."""

_KEPT: Final = {
    "sub_agents": "subAgents",
    "is_public": "isPublic",
    "welcome_as_agent_task": "welcomeAsAgentTask",
    "welcome_pipeline": "welcomePipeline",
    "webhook": "webhook",
    "intelligence": "intelligence",
}
"""Fields without a meaning here."""

_LIMITS: Final = {
    "maxDurationInSeconds": "max_duration_s",
    "idleTimeoutInSeconds": "silence_timeout_s",
}
_TURN_TAKING: Final = {
    "allowInterruptions": "barge_in",
    "interruptSpeechDuration": "barge_in_min_speech_s",
    "interruptMinWords": "barge_in_min_words",
    "minEndpointingDelay": "endpointing_min_delay_s",
}
"""Fields of `voiceParams` that have a meaning here."""

_MODES: Final[Mapping[WelcomeMode, GreetingMode]] = {
    "aiInitiatesStatic": GreetingMode.SAY,
    "aiInitiatesDynamic": GreetingMode.GENERATE,
    "userInitiatesWait": GreetingMode.WAIT,
}
_MODE_NAMES: Final = {core: ours for ours, core in _MODES.items()}


def new_fields(body: AgentPatchV2, usable: frozenset[str]) -> dict[str, Any]:
    """Return the fields of the core's draft of a new agent.

    Args:
        body: What was sent.
        usable: Providers whose key the project keeps.

    Raises:
        InvalidField: No model has an id that was sent, or something that it needs is missing.
    """
    empty = AgentDraft(name=body.full_name, voice_enabled=False, voice_pipeline_mode=None)
    fields = _changed(body, empty)
    params = _params(fields["extensions"].get(_FACE, {}))
    fields["models"] = new_models(
        _sent_ids(body), params, mode=body.voice_pipeline_mode, usable=usable
    )
    return empty.model_dump() | fields


def changed_fields(
    patch: AgentPatchV2, agent: AgentProfile, usable: frozenset[str]
) -> dict[str, Any]:
    """Return those of the core's fields that a patch changes.

    Raises:
        InvalidField: No model has an id that was sent, or something that it needs is missing.
    """
    fields = _changed(patch, agent)
    named = _sent_ids(patch)
    params = _params(fields["extensions"].get(_FACE, {}))
    for field in MODEL_FIELDS:
        name = field.params_name
        if name is None or name in patch.model_fields_set:
            continue
        if name == "tts_model_params" and "tts_voice_id" in patch.model_fields_set:
            params[name] = params_of(field, agent.models) | params[name]
            continue
        if field.id_name not in named:
            del params[name]
            continue
        # Another model keeps the parameters it has too; a voice is one model's own.
        params[name] |= params_of(field, agent.models)
        ref = named[field.id_name]
        model = None if ref is None else find_model(field, ref)
        if model is None or model.id != model_id_of(field, agent.models):
            params[name].pop("voice", None)
    fields["models"] = changed_models(agent.models, named, params, usable=usable)
    return fields


def answer_of(agent: AgentProfile) -> AgentAnswer:
    """Return an agent, with the definitions of its tools, as Agntix's clients read it."""
    kept = _kept_of(agent)
    descriptions = kept.get("toolDescriptions", {})
    store_id = next(iter(agent.knowledge_base_ids), None)
    models = {field.id_name: model_id_of(field, agent.models) for field in MODEL_FIELDS}
    params = {
        name: known | params_of(field, agent.models)
        for field in MODEL_FIELDS
        for name, known in _params(kept).items()
        if name == field.params_name
    }
    return AgentAnswer.model_validate(
        {
            **{ours: getattr(agent, core) for ours, core in _SAME.items()},
            **{ours: kept.get(name) for ours, name in _KEPT.items()},
            **models,
            **params,
            "id": agent.agent_id,
            "model": {
                "id": models["model_id"],
                "name": agent.models.llm.model,
                "provider": agent.models.llm.provider,
            },
            "knowledge_store_id": store_id,
            "agent_knowledge_store": store_id and {"knowledge_store_id": store_id},
            "agent_tools": [
                {"tool": {"id": tool.tool_id, "name": tool.name, "description": tool.description}}
                for tool in agent.tools
            ],
            "tts_voice_id": agent.models.tts.voice,
            "tools": [
                ToolUseAnswer(tool_id=tool_id, tool_description=descriptions.get(str(tool_id)))
                for tool_id in agent.tool_ids
            ],
            "sub_agents": kept.get("subAgents", []),
            "is_public": kept.get("isPublic", False),
            "welcome_allow_interruptions": agent.turn_taking.barge_in_greeting,
            "voice_params": _voice_params(agent, kept.get("voiceParams", {})),
            "org_id": agent.organization_id,
            "version": agent.version,
            "created_at": agent.created_at,
            "updated_at": agent.updated_at,
        }
    )


def _changed(sent: AgentPatchV2, agent: AgentDraft) -> dict[str, Any]:
    """Return everything that changes but the models."""
    names = sent.model_fields_set
    fields: dict[str, Any] = {
        core: getattr(sent, ours) for ours, core in _SAME.items() if ours in names
    }
    kept = _kept_of(agent)
    for here, name in _KEPT.items():
        if here in names:
            kept[name] = _as_kept(getattr(sent, here))
    if "tools" in names:
        fields["tool_ids"] = tuple(tool.tool_id for tool in sent.tools)
        kept["toolDescriptions"] = {
            str(tool.tool_id): tool.tool_description for tool in sent.tools if tool.tool_description
        }
    if "knowledge_store_id" in names:
        store = sent.knowledge_store_id
        fields["knowledge_base_ids"] = () if store is None else (store,)
    for field in MODEL_FIELDS:
        if field.params_name is not None and field.params_name in names:
            kept[to_camel(field.params_name)] = as_sent(getattr(sent, field.params_name))
    if "tts_voice_id" in names:
        kept["ttsModelParams"] = (kept.get("ttsModelParams") or {}) | {"voice": sent.tts_voice_id}
    turn_taking = agent.turn_taking.model_dump()
    if "welcome_allow_interruptions" in names:
        turn_taking["barge_in_greeting"] = sent.welcome_allow_interruptions
    if "voice_params" in names:
        params = as_sent(sent.voice_params)
        fields |= _voice_fields(params, agent, turn_taking, kept)
    fields["turn_taking"] = turn_taking
    ours = {_FACE: set_ones} if (set_ones := {k: v for k, v in kept.items() if v}) else {}
    fields["extensions"] = {k: v for k, v in agent.extensions.items() if k != _FACE} | ours
    return fields


def _voice_fields(
    params: dict[str, Any] | None,
    agent: AgentDraft,
    turn_taking: dict[str, Any],
    kept: dict[str, Any],
) -> dict[str, Any]:
    """Return the fields that `voiceParams` changes; null takes all of them back."""
    if params is None:
        named = ["welcomeText", "welcomePrompt", "welcomeMode", *_LIMITS, *_TURN_TAKING]
        params = dict.fromkeys(named)
        kept["voiceParams"] = {}
    fields: dict[str, Any] = {}
    for ours, core in _LIMITS.items():
        if ours in params:
            fields[core] = _or_default(AgentDraft, core, params[ours])
    for ours, core in _TURN_TAKING.items():
        if ours in params:
            turn_taking[core] = _or_default(TurnTaking, core, params[ours])
    longest = "endpointing_max_delay_s"
    turn_taking[longest] = max(turn_taking[longest], turn_taking["endpointing_min_delay_s"])

    before = _voice_params(agent, kept.get("voiceParams", {}))
    after = {k: v for k, v in (before | params).items() if v is not None}
    mode = _MODES[after.get("welcomeMode", "aiInitiatesStatic")]
    spoken = _spoken(mode)
    if mode is GreetingMode.GENERATE and not after.get(spoken):
        raise InvalidField(
            "voiceParams.welcomePrompt",
            "voiceParams.welcomePrompt is needed when welcomeMode is aiInitiatesDynamic.",
        )
    fields["greeting_mode"] = mode
    fields["greeting"] = after.get(spoken, AgentDraft.model_fields["greeting"].default)
    known = {*_LIMITS, *_TURN_TAKING, "welcomeMode", spoken}
    kept["voiceParams"] = {k: v for k, v in after.items() if k not in known}
    return fields


def _voice_params(agent: AgentDraft, kept: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """Return an agent's `voiceParams`: what the core knows, and what was kept."""
    return {
        **kept,
        "welcomeMode": _MODE_NAMES[agent.greeting_mode],
        _spoken(agent.greeting_mode): agent.greeting,
        **{ours: getattr(agent, core) for ours, core in _LIMITS.items()},
        **{ours: getattr(agent.turn_taking, core) for ours, core in _TURN_TAKING.items()},
    }


def _spoken(mode: GreetingMode) -> str:
    """Return which of `voiceParams` the core's greeting is."""
    return "welcomePrompt" if mode is GreetingMode.GENERATE else "welcomeText"


def _as_kept(value: Any) -> Any:
    if not isinstance(value, BaseModel):
        return value
    # A secret has no business in a field that every reader of the agent sees.
    return value.model_dump(by_alias=True, exclude_unset=True, exclude={"secret"}, mode="json")


def _kept_of(agent: AgentDraft) -> dict[str, Any]:
    kept = agent.extensions.get(_FACE)
    return dict(kept) if isinstance(kept, dict) else {}


def _params(kept: Mapping[str, Any]) -> dict[str, dict[str, JsonValue]]:
    """Return the parameters of models as they were sent last, by the names of the body's fields."""
    names = (field.params_name for field in MODEL_FIELDS)
    return {name: dict(kept.get(to_camel(name), {})) for name in names if name is not None}


def _sent_ids(sent: AgentPatchV2) -> dict[str, Any]:
    names = (field.id_name for field in MODEL_FIELDS)
    return {name: getattr(sent, name) for name in names if name in sent.model_fields_set}


def _or_default(model: type[BaseModel], name: str, value: Any) -> Any:
    return model.model_fields[name].default if value is None else value
