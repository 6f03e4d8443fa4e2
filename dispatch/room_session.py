"""A conversation in a room whose agent is run by somebody else, as plain data."""

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

SessionType = Literal["voice", "sip"]

RoomSpeaker = Literal["agent", "user", "system"]


@dataclass(frozen=True, slots=True)
class RoomTurn:
    """Something said in a room session."""

    id: uuid.UUID
    speaker: RoomSpeaker
    content: str
    timestamp_ms: int | None
    """When it was said, as the agent server counts time."""
    is_final: bool
    """False for what speech recognition may still change."""


@dataclass(frozen=True, slots=True)
class RoomSession:
    """What is on record of a room's conversation."""

    id: uuid.UUID
    room_name: str
    """LiveKit's name of the room."""
    agent_config_id: int | None
    caller_identity: str | None
    session_type: SessionType
    metadata: dict[str, Any]
    started_at: datetime
    ended_at: datetime | None
    duration_s: int | None
    """Counted from start to end, or as the agent server told it."""
    summary: str | None

    @property
    def is_active(self) -> bool:
        """Whether the conversation goes on."""
        return self.ended_at is None
