"""Bodies of voice sessions."""

import uuid
from datetime import datetime

from pydantic import ConfigDict, Field

from gateway.schemas.base import Answer, RequestBody
from gateway.schemas.metadata import Metadata


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
