"""Bodies of sessions of any kind, as they were: calls and chats."""

import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, Literal, Self

from pydantic import Field, JsonValue

from dispatch.call_history import CallDetails, TranscriptTurn
from dispatch.conversations import Conversation
from gateway.faces.agntix.schemas.chat import ChatSessionAnswer
from gateway.schemas.base import Answer
from telephony.calls import CallKind, CallState

_Role = Literal["USER", "ASSISTANT", "SYSTEM"]


class PastSessionAnswer(Answer):
    """A call or a chat."""

    id: str = Field(
        description="A UUID; `vs_…` for a call from a browser, as it was opened.",
        examples=["4981804c-2658-4893-84ff-9c2fa90fb3c2"],
    )
    type: Literal["VOICE", "CHAT"]
    platform: str = Field(description="`PHONE` or `WEB` for calls.", examples=["PHONE"])
    direction: Literal["INBOUND", "OUTBOUND"]
    state: Literal["OPEN", "CLOSED"]
    agent_id: uuid.UUID | None
    created_at: datetime
    answered_at: datetime | None
    last_activity_at: datetime
    ended_at: datetime | None
    updated_at: datetime
    duration_seconds: float | None = Field(description="From answer to end; null for chats.")
    outcome: str | None = Field(
        description="How a call stands, or ended, in a sentence; null for chats."
    )
    metadata: dict[str, Any] = Field(
        description="Of a call: customerPhoneNumber, phoneNumber, roomName."
    )
    analysis: dict[str, JsonValue] = Field(description="Empty: nothing is analysed yet.")
    recording_url: str | None = Field(description="Always null: calls are not recorded yet.")

    @classmethod
    def of_call(cls, call: CallDetails) -> Self:
        """Return the answer for a call on record."""
        record = call.record
        is_on = record.state in {CallState.RINGING, CallState.ACTIVE}
        is_outbound = record.direction == "outbound"
        ours, customers = record.called_number, record.caller_number
        if is_outbound:
            ours, customers = customers, ours
        latest = max((turn.at for turn in call.transcript), default=record.started_at)
        return cls(
            id=f"vs_{record.id.hex}" if record.kind is CallKind.WEB else str(record.id),
            type="VOICE",
            platform="WEB" if record.kind is CallKind.WEB else "PHONE",
            direction="OUTBOUND" if is_outbound else "INBOUND",
            state="OPEN" if is_on else "CLOSED",
            agent_id=record.agent_id,
            created_at=record.started_at,
            answered_at=record.answered_at,
            last_activity_at=record.ended_at or latest,
            ended_at=record.ended_at,
            updated_at=record.ended_at or latest,
            duration_seconds=record.duration_s,
            outcome=record.sentence,
            metadata={
                "customerPhoneNumber": customers,
                "phoneNumber": ours,
                "roomName": record.room_name,
            },
            analysis={},
            recording_url=None,
        )

    @classmethod
    def of_chat(cls, conversation: Conversation) -> Self:
        """Return the answer for a chat on record."""
        chat = ChatSessionAnswer.of(conversation)
        return cls(
            id=str(chat.id),
            type="CHAT",
            platform=chat.platform,
            direction="INBOUND",
            state=chat.state,
            agent_id=chat.agent_id,
            created_at=chat.created_at,
            answered_at=None,
            last_activity_at=conversation.last_active_at,
            ended_at=conversation.closed_at,
            updated_at=chat.updated_at,
            duration_seconds=None,
            outcome=None,
            metadata=chat.metadata,
            analysis={},
            recording_url=None,
        )


class PastMessageAnswer(Answer):
    """What somebody said or wrote, or the keys they pressed."""

    id: uuid.UUID
    content: str = Field(examples=["Hello, this is the bakery."])
    role: _Role
    created_at: datetime

    @classmethod
    def of_turn(cls, call_id: uuid.UUID, turn: TranscriptTurn) -> Self:
        """Return the answer for one turn of a call."""
        return cls(
            id=uuid.uuid5(call_id, str(turn.seq)),
            content=turn.text,
            role=_ROLES[turn.speaker],
            created_at=turn.at,
        )


_ROLES: Final[Mapping[str, _Role]] = {"caller": "USER", "agent": "ASSISTANT", "system": "SYSTEM"}
