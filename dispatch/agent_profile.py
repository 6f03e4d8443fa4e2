"""An agent's profile: what it says, how it listens, with which models and with which tools."""

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Final

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    StrictBool,
    StrictInt,
    StringConstraints,
    field_validator,
    model_validator,
)

from dispatch.blanks import NOT_BLANK, STRIPPED
from dispatch.models.choices import AgentModels, ModelChoice
from dispatch.script import Script
from dispatch.tool_definition import ToolDefinition
from dispatch.transfer_policy import (
    BUILTIN_MUSIC,
    USUAL_CALL_TOOLS,
    CallTool,
    HoldMusicName,
    TransferPolicy,
)
from dispatch.variables import fill

_EXTENSIONS_MAX_BYTES: Final = 16 * 1024

Name = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=100),
    Field(json_schema_extra=NOT_BLANK),
    STRIPPED,
]
VariableName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_.]{0,63}$")]
VariableValue = Annotated[str, StringConstraints(max_length=1_000)]
FaceName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
Seconds = Annotated[float, Field(strict=True, allow_inf_nan=False)]


class PipelineMode(StrEnum):
    """How speech becomes speech; a text-only agent has none."""

    PIPELINE = "pipeline"
    """Speech to text, language model, text to speech."""
    STS = "sts"
    """Speech to speech in one model."""
    HYBRID = "hybrid"
    """Speech to speech, with a pipeline to go on with when that fails."""


class GreetingMode(StrEnum):
    """Who speaks first, once the call is answered."""

    SAY = "say"
    """The agent says the greeting, word for word; without a greeting it waits."""
    GENERATE = "generate"
    """The agent makes up its first words, told by the greeting what they are about."""
    WAIT = "wait"
    """The caller."""


class TurnTaking(BaseModel):
    """When the caller's turn is over and when the caller may talk over the agent."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    barge_in: StrictBool = True
    barge_in_greeting: StrictBool = True
    """Whether the caller may talk over the greeting, too."""
    barge_in_min_speech_s: Seconds = Field(default=0.4, ge=0.05, le=5)
    barge_in_min_words: StrictInt = Field(default=0, ge=0, le=20)
    """So many words must be understood first; 0 takes any speech."""
    endpointing_min_delay_s: Seconds = Field(default=0.3, ge=0, le=5)
    endpointing_max_delay_s: Seconds = Field(default=2.5, ge=0.1, le=10)


class AgentDraft(BaseModel):
    """What an admin writes down about an agent.

    Here stand the shapes; whether the models exist and fit is `dispatch.agents.check_draft`'s.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Name
    description: str = Field(default="", max_length=1_000)
    """For the people who look after agents; no caller hears it."""
    is_active: StrictBool = True
    voice_enabled: StrictBool = True
    voice_pipeline_mode: PipelineMode | None = PipelineMode.PIPELINE
    language: str = Field(default="en-US", pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$")
    role: str = Field(default="", max_length=1_000)
    """What the agent is; the first line of its instructions."""
    system_prompt: str = Field(default="", max_length=20_000)
    special_instructions: str = Field(default="", max_length=20_000)
    """Added to the prompt, at its end."""
    greeting: str = Field(default="Hello. How can I help you?", max_length=1_000)
    """Spoken once the call is answered; empty waits for the caller."""
    greeting_mode: GreetingMode = GreetingMode.SAY
    goodbye: str = Field(default="Goodbye.", max_length=1_000)
    """Spoken when the system ends the call: time limit, silence, credit spent."""
    models: AgentModels = Field(default_factory=AgentModels)
    script: Script = Field(default_factory=Script)
    """The language model `script` of the builtin provider."""
    tool_ids: tuple[uuid.UUID, ...] = Field(default=(), max_length=64)
    """HTTP tools that the agent may use."""
    knowledge_base_ids: tuple[uuid.UUID, ...] = Field(default=(), max_length=20)
    """Knowledge bases that the agent may search."""
    handoff_agent_ids: tuple[uuid.UUID, ...] = Field(default=(), max_length=20)
    """Other agents of the project that it may hand a chat over to."""
    variables: dict[VariableName, VariableValue] = Field(
        default_factory=dict, max_length=100, json_schema_extra={"additionalProperties": False}
    )
    """Values for `{{name}}` in prompts, greeting, goodbye and a script's replies; a call may bring
    others."""
    turn_taking: TurnTaking = TurnTaking()
    tools_allowed: tuple[CallTool, ...] = Field(default=USUAL_CALL_TOOLS, max_length=20)
    """What the agent may do with a call; a tool that is not listed does not exist for it."""
    transfer: TransferPolicy = TransferPolicy()
    """Whom the agent may pass calls to; nobody, unless it says so."""
    hold_music: HoldMusicName = BUILTIN_MUSIC
    """What a caller on hold hears: `builtin`, or a file of the installation."""
    max_duration_s: StrictInt = Field(default=3_600, ge=10, le=86_400)
    silence_timeout_s: StrictInt = Field(default=60, ge=5, le=3_600)
    """Nobody speaks for this long: the agent says goodbye and ends the call."""
    extensions: dict[FaceName, JsonValue] = Field(
        default_factory=dict, max_length=10, json_schema_extra={"additionalProperties": False}
    )
    """What a product's clients set and Dialplane gives no meaning to, by product, word for word;
    16 KiB of JSON at most."""

    @field_validator("extensions")
    @classmethod
    def _extensions_are_small(cls, extensions: dict[str, JsonValue]) -> dict[str, JsonValue]:
        if len(json.dumps(extensions).encode()) > _EXTENSIONS_MAX_BYTES:
            raise ValueError(f"extensions may take {_EXTENSIONS_MAX_BYTES} bytes of JSON at most")
        return extensions

    @field_validator("tool_ids", "knowledge_base_ids")
    @classmethod
    def _ids_are_different(cls, ids: tuple[uuid.UUID, ...]) -> tuple[uuid.UUID, ...]:
        if len(set(ids)) != len(ids):
            raise ValueError("the same id stands there twice")
        return ids

    @field_validator("tools_allowed")
    @classmethod
    def _tools_are_different(cls, tools: tuple[CallTool, ...]) -> tuple[CallTool, ...]:
        if len(set(tools)) != len(tools):
            raise ValueError("the same tool stands there twice")
        return tools

    @model_validator(mode="after")
    def _voice_needs_a_mode(self) -> "AgentDraft":
        if self.voice_enabled and self.voice_pipeline_mode is None:
            raise ValueError("voice_pipeline_mode is needed when voice_enabled is true")
        return self

    def instructions(self, variables: Mapping[str, str] | None = None) -> str:
        """Return everything a language model is told about itself, placeholders filled.

        Args:
            variables: A call's or chat's own values; they go before the agent's.
        """
        parts = (self.role, self.system_prompt, self.special_instructions)
        return self.filled("\n\n".join(part for part in parts if part), variables)

    def filled(self, text: str, variables: Mapping[str, str] | None = None) -> str:
        """Return a text of this agent with its placeholders filled."""
        return fill(text, {**self.variables, **(variables or {})})


class AgentProfile(AgentDraft):
    """A stored agent: a draft with its identity and owner.

    Its JSON form is the snapshot in Redis from which a call is answered.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    agent_id: uuid.UUID
    config_id: int
    """Small integer id, the same agent in products that count (VoxAI)."""
    organization_id: uuid.UUID
    project_id: uuid.UUID
    version: int
    """Every change makes a new version, from 1."""
    created_at: datetime
    updated_at: datetime
    tools: tuple[ToolDefinition, ...] = ()
    """The tools of `tool_ids` as they were when the snapshot was made; only snapshots have them."""
    revision: int = 0
    """Grows with the commits that change the snapshot, the tools in it included; 0 was published
    before there were revisions."""

    @property
    def is_voice_ready(self) -> bool:
        """Whether the agent may be put on a call."""
        return self.is_active and self.voice_enabled and self.voice_pipeline_mode is not None

    @property
    def choices(self) -> tuple[ModelChoice, ...]:
        """The models that a call of this agent may use."""
        realtime = () if self.models.realtime is None else (self.models.realtime,)
        match self.voice_pipeline_mode:
            case PipelineMode.STS:
                return realtime
            case PipelineMode.HYBRID:
                return (*realtime, *self.models.pipeline)
            case _:
                return self.models.pipeline

    @property
    def needed_secrets(self) -> frozenset[str]:
        """Names of the secrets without which a call can not be held."""
        names = (choice.key_name for choice in self.choices if choice.must_have_key)
        return frozenset(name for name in names if name is not None)

    @property
    def draft(self) -> AgentDraft:
        """What was written down, without identity and owner."""
        return AgentDraft.model_validate(self.model_dump(include=set(AgentDraft.model_fields)))


@dataclass(frozen=True, slots=True)
class AgentVersion:
    """An agent as it was once, and who made it so."""

    profile: AgentProfile
    """`version` and `updated_at` tell which one and when; it has no revision."""
    changed_by_kind: str
    """Kind of the `Actor`: key, user, admin or system."""
    changed_by_id: str
    changed_by_name: str


@dataclass(frozen=True, slots=True)
class AgentSummary:
    """An agent in a list that is read often: its numbers and names."""

    agent_id: uuid.UUID
    config_id: int
    name: str
    is_active: bool
    mode: PipelineMode | None
    """None for an agent that only writes."""
    llm_provider: str
    llm_model: str
    """Of the model that thinks: the realtime one where there is no other."""


@dataclass(frozen=True, slots=True)
class AgentFilters:
    """Which agents are asked for; None asks for all."""

    name_part: str | None = None
    """Anywhere in the name, in upper or lower case."""
    is_active: bool | None = None
