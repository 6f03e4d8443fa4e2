"""Bodies of agents, as Agntix's clients write and read them."""

import uuid
from datetime import datetime
from typing import Annotated, Any

from pydantic import ConfigDict, Field, JsonValue, StrictBool, StringConstraints

from dispatch.agent_profile import AgentDraft, Name, PipelineMode
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


class AgentPatch(RequestBody):
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
    model_id: uuid.UUID | None = Field(default=None, description="Of `GET /v1/chat/models`.")
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
    stt_model_id: uuid.UUID | None = Field(default=None, description="Of `GET /v1/voice/models`.")
    tts_model_id: uuid.UUID | None = Field(default=None, description="Of `GET /v1/voice/models`.")
    sts_model_id: uuid.UUID | None = Field(default=None, description="Of `GET /v1/voice/models`.")
    stt_model_params: SttModelParams | None = None
    tts_model_params: TtsModelParams | None = None
    sts_model_params: StsModelParams | None = None
    welcome_allow_interruptions: StrictBool = True
    welcome_as_agent_task: JsonValue = Field(default=None, description="Kept, without effect.")
    welcome_pipeline: JsonValue = Field(default=None, description="Kept, without effect.")
    voice_params: VoiceParams | None = None
    webhook: Webhook | None = None
    intelligence: Intelligence | None = None


class AgentBody(AgentPatch):
    """An agent to create.

    A model that is not named is the default one of the first provider whose key the project keeps,
    and the builtin one when it keeps none.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [AGENT_EXAMPLE]})

    full_name: Name
    description: str = limited_like(AgentDraft, "description", ...)
    role: str = limited_like(AgentDraft, "role", ..., description="What the agent is.")


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
    knowledge_store_id: uuid.UUID | None
    tools: list[ToolUseAnswer]
    sub_agents: list[JsonValue]
    is_active: bool
    is_public: bool
    voice_enabled: bool
    voice_pipeline_mode: PipelineMode | None
    stt_model_id: uuid.UUID | None
    tts_model_id: uuid.UUID | None
    sts_model_id: uuid.UUID | None
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
