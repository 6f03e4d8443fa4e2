"""Bodies of agents, as Agntix's clients write and read them."""

import uuid
from datetime import datetime
from typing import Annotated, Any, Final

from pydantic import ConfigDict, Field, JsonValue, StrictBool, StrictInt, StringConstraints

from dispatch.agent_profile import AgentDraft, Name, PipelineMode
from dispatch.conditions import described, has, if_there, implies
from dispatch.tool_definition import ToolDraft
from gateway.faces.agntix.schemas.limits import limited_like
from gateway.faces.agntix.schemas.voice_params import (
    StsModelParams,
    SttModelParams,
    TtsModelParams,
    VoiceParams,
)
from gateway.schemas.base import Answer, RequestBody, without_defaults

_Text = Annotated[str, StringConstraints(max_length=2_000)]

ModelRef = Annotated[str, StringConstraints(min_length=1, max_length=100)]
"""A model: its id, or its name."""

_VOICE_MODEL: Final = "Id or name of a model, of `GET /v1/voice/models`."

AGENT_EXAMPLE: dict[str, Any] = {
    "fullName": "Reception",
    "description": "Answers the bakery's main number.",
    "role": "You are the receptionist of a small bakery.",
    "language": "en-US",
    "systemPrompt": "Answer in one or two sentences.",
    "voiceEnabled": True,
    "voicePipelineMode": "pipeline",
    "voiceParams": {"welcomeText": "Hello, this is the bakery.", "maxDurationInSeconds": 600},
}


class ToolUse(RequestBody):
    """A tool that an agent may use."""

    tool_id: uuid.UUID
    tool_description: str | None = limited_like(
        ToolDraft, "description", description="Kept; the agent is told the tool's own."
    )


class Webhook(RequestBody):
    """Whom to tell about the agent's sessions. Kept, but nobody is told yet."""

    url: _Text
    events: list[_Text] = Field(max_length=50)
    description: _Text | None = None
    rate_limit: JsonValue = None
    secret: _Text | None = Field(default=None, description="Not kept: nothing is signed yet.")
    disabled: StrictBool | None = None


class Extraction(RequestBody):
    """One thing to be found out in a conversation."""

    name: _Text
    description: _Text | None = None
    type: Annotated[str, StringConstraints(pattern="^(string|number|boolean|enum)$")]
    choices: list[JsonValue] | None = Field(default=None, max_length=100)
    examples: list[JsonValue] | None = Field(default=None, max_length=100)


class Intelligence(RequestBody):
    """What is to be found out after a conversation. Kept, but nothing is found out yet."""

    sentiment_analysis: StrictBool | None = None
    intent_detection: StrictBool | None = None
    custom_intents: list[JsonValue] | None = Field(default=None, max_length=100)
    resolution_analysis: StrictBool | None = None
    resolution_definitions: list[JsonValue] | None = Field(default=None, max_length=100)
    data_extraction_enabled: StrictBool | None = None
    data_extraction_schema: list[Extraction] | None = Field(default=None, max_length=100)


def _describe_patch(schema: dict[str, Any]) -> None:
    without_defaults(schema)
    schema["examples"] = [{"systemPrompt": "Be brief.", "isActive": True}]


class AgentPatchV2(RequestBody):
    """The fields of an agent to change; what is absent stays.

    `tools` and `subAgents` replace their lists, and the parameters of a model replace its old ones;
    of `voiceParams` only the fields that are sent change. Null clears a field: a model gives way to
    the default one.
    """

    model_config = ConfigDict(json_schema_extra=_describe_patch)

    full_name: Name = "unchanged"
    description: str = limited_like(AgentDraft, "description", "")
    role: str = limited_like(AgentDraft, "role", "", description="What the agent is.")
    language: str = limited_like(AgentDraft, "language", "en-US", description="BCP 47.")
    system_prompt: str = limited_like(AgentDraft, "system_prompt", "")
    special_instructions: str = limited_like(AgentDraft, "special_instructions", "")
    model_id: ModelRef | None = Field(
        default=None, description="Id or name of a model, of `GET /v1/chat/models`."
    )
    knowledge_store_id: uuid.UUID | None = Field(
        default=None, description="The knowledge base in which the agent may search."
    )
    tools: list[ToolUse] = Field(default=[], max_length=64)
    sub_agents: list[JsonValue] = Field(
        default=[], max_length=100, description="Kept; agents do not hand over to others yet."
    )
    is_active: StrictBool = True
    is_public: StrictBool = Field(default=False, description="Kept; agents are never public.")
    voice_enabled: StrictBool = False
    voice_pipeline_mode: PipelineMode | None = Field(
        default=None, description="Needed when voiceEnabled is true."
    )
    stt_model_id: ModelRef | None = Field(default=None, description=_VOICE_MODEL)
    tts_model_id: ModelRef | None = Field(default=None, description=_VOICE_MODEL)
    sts_model_id: ModelRef | None = Field(default=None, description=_VOICE_MODEL)
    tts_voice_id: Annotated[str, StringConstraints(min_length=1, max_length=100)] | None = Field(
        default=None, description="The same as `voice` of ttsModelParams, and goes before it."
    )
    stt_model_params: SttModelParams | None = None
    tts_model_params: TtsModelParams | None = None
    sts_model_params: StsModelParams | None = None
    welcome_allow_interruptions: StrictBool = True
    welcome_as_agent_task: JsonValue = Field(default=None, description="Kept, without effect.")
    welcome_pipeline: JsonValue = Field(default=None, description="Kept, without effect.")
    voice_params: VoiceParams | None = None
    webhook: Webhook | None = None
    intelligence: Intelligence | None = None


_OF_NEW_ONES: Final = (
    implies(has("voiceEnabled", const=True), has("voicePipelineMode", type="string")),
    if_there(
        "voiceParams",
        **implies(
            has("welcomeMode", const="aiInitiatesDynamic"), has("welcomePrompt", minLength=1)
        ),
    ),
)
"""Rules that a change cannot tell: they are about the agent as it will be."""


class AgentBodyV2(AgentPatchV2):
    """An agent to create.

    A model that is not named is the default one of the first provider whose key the project keeps,
    and the builtin one when it keeps none.
    """

    model_config = ConfigDict(json_schema_extra=described(*_OF_NEW_ONES, examples=[AGENT_EXAMPLE]))

    full_name: Name
    description: str = limited_like(AgentDraft, "description", ...)
    role: str = limited_like(AgentDraft, "role", ..., description="What the agent is.")


class AgentConfig(RequestBody):
    """What the first version of this API keeps apart."""

    temperature: Annotated[float, Field(strict=True, ge=0, le=2)] | None = None
    max_output_tokens: StrictInt | None = Field(default=None, ge=1, le=32_768)
    knowledge_store_id: uuid.UUID | None = None
    rag_enabled: StrictBool | None = Field(
        default=None, description="False takes the knowledge store away."
    )
    tool_ids: list[uuid.UUID] | None = Field(default=None, max_length=64)
    tools_enabled: StrictBool | None = Field(
        default=None, description="False takes the tools away."
    )

    def llm_params(self) -> dict[str, Any]:
        """Return what is said of the language model, by the core's names."""
        said = {"temperature": self.temperature, "max_completion_tokens": self.max_output_tokens}
        return {name: value for name, value in said.items() if value is not None}

    def fields(self) -> dict[str, Any]:
        """Return what is said of the agent as fields of the second version."""
        fields: dict[str, Any] = {}
        if self.rag_enabled is False:
            fields["knowledge_store_id"] = None
        elif self.knowledge_store_id is not None:
            fields["knowledge_store_id"] = self.knowledge_store_id
        if self.tools_enabled is False:
            fields["tools"] = []
        elif self.tool_ids is not None:
            fields["tools"] = [ToolUse.model_validate({"toolId": each}) for each in self.tool_ids]
        return fields


class AgentPatchV1(AgentPatchV2):
    """The fields of an agent to change, with the names that only the first version has."""

    model_config = ConfigDict(json_schema_extra=_describe_patch)

    name: Name = Field(default="unchanged", description="The same as `fullName`.")
    config: AgentConfig | None = None

    def to_v2(self) -> AgentPatchV2:
        """Return the same change in the fields of the second version."""
        fields = {name: getattr(self, name) for name in self.model_fields_set}
        config = fields.pop("config", None)
        if "name" in fields:
            fields["full_name"] = fields.pop("name")
        more = config.fields() if config is not None else {}
        return AgentPatchV2.model_construct(**(fields | more))


class AgentBodyV1(AgentPatchV1):
    """An agent to create, as the first version of this API does: a name is enough."""

    model_config = ConfigDict(
        json_schema_extra=described(
            *_OF_NEW_ONES,
            examples=[
                {
                    "name": "Support bot",
                    "modelId": "gpt-4o-mini",
                    "systemPrompt": "You are helpful.",
                    "config": {"temperature": 0.3},
                }
            ],
        )
    )

    name: Name


class NamedModelAnswer(Answer):
    """A language model."""

    id: uuid.UUID | None
    name: str = Field(examples=["gpt-4o-mini"])
    provider: str = Field(examples=["openai"])


class ToolOfAgent(Answer):
    """A tool in short."""

    id: uuid.UUID
    name: str
    description: str


class AgentToolAnswer(Answer):
    """A tool that an agent may use."""

    tool: ToolOfAgent


class AgentStoreAnswer(Answer):
    """The knowledge base of an agent."""

    knowledge_store_id: uuid.UUID


class ToolUseAnswer(Answer):
    """A tool that an agent may use."""

    tool_id: uuid.UUID
    tool_description: str | None


class AgentAnswer(Answer):
    """An agent."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"id": "5b710eca-4a0e-4b52-9c53-3b2f6f0f8d11", **AGENT_EXAMPLE}]
        }
    )

    id: uuid.UUID
    full_name: str
    description: str
    role: str
    language: str
    system_prompt: str
    special_instructions: str
    model_id: uuid.UUID | None = Field(
        description="Null for a model that is not in the list: one of a server of its own."
    )
    model: NamedModelAnswer
    knowledge_store_id: uuid.UUID | None
    agent_knowledge_store: AgentStoreAnswer | None
    tools: list[ToolUseAnswer]
    agent_tools: list[AgentToolAnswer] = Field(description="The same tools, with their names.")
    sub_agents: list[JsonValue]
    is_active: bool
    is_public: bool
    voice_enabled: bool
    voice_pipeline_mode: PipelineMode | None
    stt_model_id: uuid.UUID | None
    tts_model_id: uuid.UUID | None
    sts_model_id: uuid.UUID | None
    tts_voice_id: str | None
    stt_model_params: dict[str, JsonValue]
    tts_model_params: dict[str, JsonValue]
    sts_model_params: dict[str, JsonValue]
    welcome_allow_interruptions: bool
    welcome_as_agent_task: JsonValue
    welcome_pipeline: JsonValue
    voice_params: dict[str, JsonValue]
    webhook: dict[str, JsonValue] | None
    intelligence: dict[str, JsonValue] | None
    org_id: uuid.UUID
    version: int = Field(description="Every change makes a new version, from 1.")
    created_at: datetime
    updated_at: datetime
