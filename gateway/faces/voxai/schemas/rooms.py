"""Bodies of rooms, their participants and their sessions."""

import uuid
from datetime import datetime
from typing import Any, Literal, Self

from pydantic import ConfigDict, Field

from dispatch.room_session import RoomSession, RoomSpeaker, SessionType
from dispatch.rooms import ProjectRoom
from gateway.faces.voxai.schemas.base import Answer, ConfigId, Name, RequestBody
from gateway.schemas.metadata import Metadata
from telephony.ports import ObservedParticipant

LONGEST_CONTENT = 10_000
LONGEST_SUMMARY = 20_000
LATEST_MS = 253_402_300_799_999
"""The end of the year 9999."""


class RoomAnswer(Answer):
    """An open room."""

    name: str = Field(examples=["my-room"])
    full_name: str = Field(alias="fullName", examples=["proj_my-room"])
    num_participants: int = Field(alias="numParticipants", examples=[2])
    created_at: int = Field(alias="createdAt", description="Unix seconds.", examples=[1711800000])

    @classmethod
    def of(cls, room: ProjectRoom) -> Self:
        """Return the answer for a room."""
        return cls(
            name=room.name,
            full_name=room.observed.name,
            num_participants=room.observed.num_participants,
            created_at=int(room.observed.created_at.timestamp()),
        )


class RoomsAnswer(Answer):
    """The project's open rooms."""

    rooms: list[RoomAnswer]


class ParticipantAnswer(Answer):
    """Somebody in a room."""

    identity: str = Field(examples=["user-123"])
    name: str
    kind: str = Field(examples=["standard"])
    is_publisher: bool = Field(alias="isPublisher")
    joined_at: int | None = Field(alias="joinedAt", description="Unix seconds.")

    @classmethod
    def of(cls, participant: ObservedParticipant) -> Self:
        """Return the answer for a participant."""
        joined = participant.joined_at
        return cls(
            identity=participant.identity,
            name=participant.name,
            kind=participant.kind,
            is_publisher=participant.is_publisher,
            joined_at=None if joined is None else int(joined.timestamp()),
        )


class ParticipantsAnswer(Answer):
    """Who is in a room."""

    participants: list[ParticipantAnswer]


class SessionBody(RequestBody):
    """A conversation that begins."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"room_name": "proj_my-room", "agent_config_id": 1, "session_type": "voice"}
            ]
        }
    )

    room_name: str = Field(
        min_length=1, max_length=200, description="The room, with its prefix or without."
    )
    agent_config_id: ConfigId | None = None
    caller_identity: Name | None = None
    session_type: SessionType = "voice"
    metadata: Metadata = Field(default_factory=dict)


class TranscriptBody(RequestBody):
    """Something that was said."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"speaker": "user", "content": "Hello", "timestamp_ms": 1200}]
        }
    )

    speaker: RoomSpeaker
    content: str = Field(min_length=1, max_length=LONGEST_CONTENT)
    timestamp_ms: int | None = Field(default=None, ge=0, le=LATEST_MS)
    is_final: bool = Field(default=True, description="False for what may still change.")


class EndBody(RequestBody):
    """How a conversation ended."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"summary": "Asked for the hours.", "duration": 42}]}
    )

    summary: str | None = Field(default=None, max_length=LONGEST_SUMMARY)
    duration: int | None = Field(
        default=None, ge=0, le=2_147_483_647, description="Seconds; counted when it is not given."
    )


class SessionAnswer(Answer):
    """A conversation in a room."""

    id: uuid.UUID
    room_name: str = Field(description="The room in full.", examples=["proj_my-room"])
    agent_config_id: int | None
    caller_identity: str | None
    session_type: SessionType
    status: Literal["active", "completed"]
    metadata: dict[str, Any]
    started_at: datetime
    ended_at: datetime | None
    duration: int | None = Field(description="Seconds; null while it goes on.")
    summary: str | None

    @classmethod
    def of(cls, session: RoomSession) -> Self:
        """Return the answer for a session."""
        return cls(
            id=session.id,
            room_name=session.room_name,
            agent_config_id=session.agent_config_id,
            caller_identity=session.caller_identity,
            session_type=session.session_type,
            status="active" if session.is_active else "completed",
            metadata=session.metadata,
            started_at=session.started_at,
            ended_at=session.ended_at,
            duration=session.duration_s,
            summary=session.summary,
        )


class TranscriptAnswer(Answer):
    """What was put on record."""

    id: uuid.UUID
    session_id: uuid.UUID
    speaker: RoomSpeaker
    content: str
    timestamp_ms: int | None
    is_final: bool
