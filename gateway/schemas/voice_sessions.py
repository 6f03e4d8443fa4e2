"""Bodies of voice sessions: Agntix's and TalkifAI's."""

import uuid
from datetime import datetime
from typing import Annotated, Any

import orjson
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from gateway.schemas.base import Answer, RequestBody

LONGEST_METADATA_BYTES = 16_384
"""It travels through Redis and the event stream with the call."""


def _short_enough(metadata: dict[str, Any]) -> dict[str, Any]:
    if len(orjson.dumps(metadata)) > LONGEST_METADATA_BYTES:
        raise ValueError(f"at most {LONGEST_METADATA_BYTES} bytes of JSON")
    return metadata


Metadata = Annotated[dict[str, Any], AfterValidator(_short_enough)]


class VoiceSessionBody(RequestBody):
    """A voice session to open."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "agentId": "5b710eca-4a0e-4b52-9c53-3b2f6f0f8d11",
                    "metadata": {"callerId": "customer-17"},
                }
            ]
        }
    )

    agent_id: uuid.UUID
    metadata: Metadata = Field(default_factory=dict, description="Free keys for the agent.")


class VoiceSessionAnswer(Answer):
    """A voice session: join `serverUrl` with `token`, then publish a microphone."""

    id: str = Field(examples=["vs_5b710eca2f0d"])
    agent_id: uuid.UUID
    token: str = Field(description="LiveKit access token; join with it within ten minutes.")
    server_url: str = Field(examples=["wss://livekit.example.com"])
    created_at: datetime


class TalkifaiSessionBody(BaseModel):
    """A voice session to open."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={"examples": [{"agent_id": "5b710eca-4a0e-4b52-9c53-3b2f6f0f8d11"}]},
    )

    agent_id: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class TalkifaiSessionAnswer(BaseModel):
    """A voice session: join `livekit_url` with `token`, then publish a microphone."""

    room_name: str = Field(examples=["agent_5b710eca_user123_1705312800000"])
    token: str = Field(description="LiveKit access token, valid for one hour.")
    livekit_url: str = Field(examples=["wss://livekit.example.com"])
    agent_name: str = Field(examples=["Support Agent"])
