"""Bodies of agents: `dispatch.agent_profile` in camelCase.

The classes inherit fields and limits from `dispatch`, so there is one place for each rule; what is
repeated here is only which nested part has a camelCase form of its own.
"""

import uuid
from datetime import datetime
from typing import Any, Final, Self

from pydantic import ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

from dispatch.agent_profile import AgentDraft, AgentProfile, AgentVersion, Name, TurnTaking
from dispatch.conditions import described, either, has, if_there
from dispatch.models.catalogue import catalogue
from dispatch.models.choices import (
    AgentModels,
    LlmChoice,
    ModelChoice,
    RealtimeChoice,
    SttChoice,
    TtsChoice,
)
from dispatch.script import Script
from dispatch.transfer_policy import TransferPolicy
from gateway.schemas.base import Answer, Patch, without_defaults
from gateway.schemas.numbers import E164_PATTERN
from gateway.schemas.targets import TARGET, TARGET_PATTERN

_REQUEST = ConfigDict(alias_generator=to_camel, extra="forbid", frozen=True)
_ANSWER = ConfigDict(alias_generator=to_camel, extra="ignore", frozen=True, populate_by_name=True)

AGENT_EXAMPLE: dict[str, Any] = {
    "name": "Reception",
    "language": "en-US",
    "systemPrompt": "You answer for a small bakery.",
    "greeting": "Hello, this is the bakery. How can I help you?",
    "script": {
        "steps": [
            {
                "phrases": ["what are your opening hours"],
                "keys": ["1"],
                "reply": "We are open from seven to six.",
            },
            {"phrases": ["goodbye"], "reply": "Goodbye.", "action": {"end_call": {}}},
        ],
        "fallback": "Sorry, I did not catch that.",
    },
    "maxDurationS": 600,
}


def _providers_of(choice: type[ModelChoice]) -> ConfigDict:
    """Return the configuration of a choice, whose schema tells who has such models."""
    able = {model.provider for model in catalogue().list_models(choice.kind)}
    names = [each.slug for each in catalogue().providers if each.slug in able]
    servers = [each.slug for each in catalogue().providers if each.takes_base_url]
    default = choice.model_fields["provider"].default in servers
    named = has("provider", enum=servers)
    elsewhere = either(named, {"not": {"required": ["provider"]}}) if default else named
    rule = either(elsewhere, if_there("baseUrl", type="null"))
    filled_in = ("model", "voice")
    extra = described(rule, fields={"provider": {"enum": names}}, optional=filled_in)
    return _REQUEST | ConfigDict(json_schema_extra=extra)


class SttBody(SttChoice):
    """Who listens."""

    model_config = _providers_of(SttChoice)


class LlmBody(LlmChoice):
    """Who thinks: a language model, or the script."""

    model_config = _providers_of(LlmChoice)


class TtsBody(TtsChoice):
    """Who speaks, and in which voice."""

    model_config = _providers_of(TtsChoice)


class RealtimeBody(RealtimeChoice):
    """Who listens, thinks and speaks in one."""

    model_config = _providers_of(RealtimeChoice)


class ModelsBody(AgentModels):
    """The models; a provider alone is enough to take its usual ones.

    `params` holds the vendor's own parameters under the vendor's own names.
    """

    model_config = _REQUEST

    stt: SttBody = Field(default_factory=lambda: SttBody.model_validate({}))
    llm: LlmBody = Field(default_factory=lambda: LlmBody.model_validate({}))
    tts: TtsBody = Field(default_factory=lambda: TtsBody.model_validate({}))
    realtime: RealtimeBody | None = None


class TurnTakingBody(TurnTaking):
    """When the caller's turn is over, and when the caller may talk over the agent; seconds."""

    model_config = _REQUEST


class ScriptBody(Script):
    """What the caller can say or press, and what the agent does about it."""

    model_config = _REQUEST


class TransferBody(TransferPolicy):
    """Whom the agent may pass calls to, and how."""

    model_config = _REQUEST | ConfigDict(
        json_schema_extra=described(
            fields={
                "targets": {"items": TARGET},
                "allow": {"items": TARGET_PATTERN},
                "fromNumber": E164_PATTERN,
            }
        )
    )


_DIFFERENT: Final = {"uniqueItems": True}
_ALL_DIFFERENT: Final = dict.fromkeys(("toolIds", "knowledgeBaseIds", "toolsAllowed"), _DIFFERENT)
_describe_ids = described(fields=_ALL_DIFFERENT)


class AgentBody(AgentDraft):
    """An agent to create."""

    model_config = _REQUEST | ConfigDict(
        json_schema_extra=described(
            either(has("voiceEnabled", const=False), if_there("voicePipelineMode", type="string")),
            examples=[AGENT_EXAMPLE],
            fields=_ALL_DIFFERENT,
        )
    )

    models: ModelsBody = Field(default_factory=ModelsBody)
    script: ScriptBody = Field(default_factory=ScriptBody)
    turn_taking: TurnTakingBody = TurnTakingBody()
    transfer: TransferBody = TransferBody()

    @model_validator(mode="after")
    def _voice_needs_a_mode(self) -> Self:
        # The same rule as in `dispatch`, in this face's spelling.
        if self.voice_enabled and self.voice_pipeline_mode is None:
            raise ValueError("voicePipelineMode: needed when voiceEnabled is true")
        return self

    def to_draft(self) -> AgentDraft:
        """Return the draft as `dispatch` knows it."""
        return AgentDraft.model_validate(self.model_dump())


def _describe_patch(schema: dict[str, Any]) -> None:
    without_defaults(schema)
    _describe_ids(schema)
    schema["examples"] = [{"greeting": "Good morning!", "isActive": True}]


class AgentPatch(Patch, AgentBody):
    """The fields of an agent to change; what is absent stays, nested objects are replaced."""

    model_config = _REQUEST | ConfigDict(json_schema_extra=_describe_patch)

    name: Name = "unchanged"

    @model_validator(mode="after")
    def _voice_needs_a_mode(self) -> Self:
        # Only the whole agent can be judged by this rule, and `dispatch` has it.
        return self


class AgentAnswer(AgentBody):
    """A stored agent."""

    model_config = _ANSWER | ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    **AGENT_EXAMPLE,
                    "id": "5b710eca-4a0e-4b52-9c53-3b2f6f0f8d11",
                    "configId": 1,
                    "version": 1,
                    "createdAt": "2026-01-01T00:00:00Z",
                    "updatedAt": "2026-01-01T00:00:00Z",
                }
            ]
        }
    )

    id: uuid.UUID
    config_id: int = Field(description="The same agent as a small number.")
    version: int = Field(description="Every change makes a new version, from 1.")
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, profile: AgentProfile) -> Self:
        """Return the answer for a stored agent."""
        fields = {**profile.model_dump(), "id": profile.agent_id}
        return cls.model_validate(fields, by_alias=False, by_name=True)


class ChangedBy(Answer):
    """Who made a version, as in the audit log."""

    kind: str = Field(description="`key`, `user`, `admin` or `system`.", examples=["key"])
    id: str = Field(examples=["0d2f5e0a-6f0e-4a3a-9d57-0f6a1a3f7b11"])
    name: str = Field(examples=["server key"])


class AgentVersionAnswer(AgentAnswer):
    """An agent as it was in one version; `updatedAt` is when it became so."""

    changed_by: ChangedBy

    @classmethod
    def of_version(cls, version: AgentVersion) -> Self:
        """Return the answer for a stored version."""
        profile = version.profile
        changed_by = ChangedBy(
            kind=version.changed_by_kind,
            id=version.changed_by_id,
            name=version.changed_by_name,
        )
        fields = {**profile.model_dump(), "id": profile.agent_id, "changed_by": changed_by}
        return cls.model_validate(fields, by_alias=False, by_name=True)
