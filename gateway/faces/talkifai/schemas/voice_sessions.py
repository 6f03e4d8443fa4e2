"""Bodies of voice sessions."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from dispatch.blanks import NOT_BLANK, STRIPPED


class VoiceSessionBody(BaseModel):
    """A voice session to open."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={"examples": [{"agent_id": "5b710eca-4a0e-4b52-9c53-3b2f6f0f8d11"}]},
    )

    agent_id: Annotated[
        str,
        StringConstraints(strip_whitespace=True, min_length=1),
        Field(json_schema_extra=NOT_BLANK),
        STRIPPED,
    ]


class VoiceSessionAnswer(BaseModel):
    """A voice session: join `livekit_url` with `token`, then publish a microphone."""

    room_name: str = Field(examples=["agent_5b710eca_user123_1705312800000"])
    token: str = Field(description="LiveKit access token, valid for one hour.")
    livekit_url: str = Field(examples=["wss://livekit.example.com"])
    agent_name: str = Field(examples=["Support Agent"])
