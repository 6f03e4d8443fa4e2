"""An agent's profile: what it says, how it listens, and with which models."""

import uuid
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    field_validator,
    model_validator,
)

from dispatch.script import Script
from telephony.speech.errors import UnknownVoiceError
from telephony.speech.espeak import DEFAULT_VOICE, DEFAULT_WORDS_PER_MINUTE, check_voice

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]


class PipelineMode(StrEnum):
    """How speech becomes speech; a text-only agent has none."""

    PIPELINE = "pipeline"
    """Speech to text, language model, text to speech."""


class Speech(BaseModel):
    """Which provider listens and speaks, and how."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    provider: Literal["builtin"] = "builtin"
    voice: str = Field(default=DEFAULT_VOICE, max_length=40)
    """An espeak-ng voice."""
    words_per_minute: int = Field(default=DEFAULT_WORDS_PER_MINUTE, ge=80, le=300)

    @field_validator("voice")
    @classmethod
    def _voice_exists(cls, voice: str) -> str:
        try:
            check_voice(voice)
        except UnknownVoiceError as exc:
            raise ValueError(str(exc)) from exc
        return voice


class TurnTaking(BaseModel):
    """When the caller's turn is over and when the caller may talk over the agent."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    barge_in: bool = True
    barge_in_min_speech_s: float = Field(default=0.4, ge=0.05, le=5)
    endpointing_min_delay_s: float = Field(default=0.3, ge=0, le=5)
    endpointing_max_delay_s: float = Field(default=2.5, ge=0.1, le=10)


class AgentDraft(BaseModel):
    """What an admin writes down about an agent."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Name
    is_active: bool = True
    voice_enabled: bool = True
    voice_pipeline_mode: PipelineMode | None = PipelineMode.PIPELINE
    language: str = Field(default="en-US", pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$")
    system_prompt: str = Field(default="", max_length=20_000)
    greeting: str = Field(default="Hello. How can I help you?", max_length=1_000)
    """Spoken once the call is answered; empty waits for the caller."""
    goodbye: str = Field(default="Goodbye.", max_length=1_000)
    """Spoken when the system ends the call: time limit, silence, credit spent."""
    speech: Speech = Speech()
    script: Script = Field(default_factory=Script)
    """The language model of the builtin provider."""
    turn_taking: TurnTaking = TurnTaking()
    max_duration_s: int = Field(default=3_600, ge=10, le=86_400)
    silence_timeout_s: int = Field(default=60, ge=5, le=3_600)
    """Nobody speaks for this long: the agent says goodbye and ends the call."""

    @model_validator(mode="after")
    def _voice_needs_a_mode(self) -> "AgentDraft":
        if self.voice_enabled and self.voice_pipeline_mode is None:
            raise ValueError("voice_pipeline_mode is needed when voice_enabled is true")
        return self


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

    @property
    def is_voice_ready(self) -> bool:
        """Whether the agent may be put on a call."""
        return self.is_active and self.voice_enabled and self.voice_pipeline_mode is not None
