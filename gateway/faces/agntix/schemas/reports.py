"""Bodies of what was used, and of calls as they were."""

import uuid
from datetime import date, datetime
from typing import Literal, Self

from pydantic import Field, JsonValue

from dispatch.call_history import CallDetails, CallStats
from gateway.schemas.base import Answer
from telephony.calls import CallKind, CallState


class UsedAnswer(Answer):
    """How much of something was used, and how much may be."""

    used: int | None = Field(description="Null: not counted.", examples=[120])
    limit: int | None = Field(description="Null: no limit of the plan.", examples=[500])


class CurrentUsageAnswer(Answer):
    """What the organisation used in this calendar month (UTC). Calls still on are not in it."""

    period_start: date
    period_end: date = Field(description="The month's last day.")
    messages: UsedAnswer = Field(description="Messages of users that agents answered.")
    voice_minutes: UsedAnswer = Field(description="Started minutes of all calls together.")
    api_calls: UsedAnswer = Field(description="Not counted: limits are a minute's.")


class CallStatsAnswer(Answer):
    """Calls in sum."""

    total_calls: int = Field(examples=[40])
    completed_calls: int = Field(description="Answered, and over.", examples=[36])
    avg_duration_seconds: float = Field(description="Of the completed ones.", examples=[74.5])
    success_rate: float = Field(description="Completed of all, 0 to 1.", examples=[0.9])

    @classmethod
    def of(cls, stats: CallStats) -> Self:
        """Return the answer for sums."""
        return cls(
            total_calls=stats.total,
            completed_calls=stats.completed,
            avg_duration_seconds=round(stats.average_duration_s, 3),
            success_rate=round(stats.completed / stats.total, 4) if stats.total else 0.0,
        )


class TurnAnswer(Answer):
    """What somebody said, or the keys they pressed."""

    role: Literal["USER", "ASSISTANT", "SYSTEM"]
    content: str
    created_at: datetime


class CallSessionAnswer(Answer):
    """A call as a session."""

    id: str = Field(
        description="As it was opened: `vs_…` from a browser, a UUID from a phone.",
        examples=["vs_5b710eca4a0e4b529c533b2f6f0f8d11"],
    )
    agent_id: uuid.UUID | None
    platform: Literal["VOICE"]
    direction: Literal["INBOUND", "OUTBOUND"]
    state: Literal["ACTIVE", "CLOSED"]
    outcome: str = Field(description="How it stands, or ended, in a sentence.")
    from_number: str | None
    to_number: str | None
    started_at: datetime
    answered_at: datetime | None
    ended_at: datetime | None
    duration_seconds: float | None = Field(description="From answer to end.")
    messages: list[TurnAnswer]
    recording_url: str | None = Field(description="Always null: calls are not recorded yet.")
    analysis: dict[str, JsonValue] | None = Field(
        description="Always null: calls are not analysed yet."
    )

    @classmethod
    def of(cls, call: CallDetails) -> Self:
        """Return the answer for a call on record."""
        record = call.record
        is_on = record.state in {CallState.RINGING, CallState.ACTIVE}
        return cls(
            id=f"vs_{record.id.hex}" if record.kind is CallKind.WEB else str(record.id),
            agent_id=record.agent_id,
            platform="VOICE",
            direction="OUTBOUND" if record.direction == "outbound" else "INBOUND",
            state="ACTIVE" if is_on else "CLOSED",
            outcome=record.sentence,
            from_number=record.caller_number,
            to_number=record.called_number,
            started_at=record.started_at,
            answered_at=record.answered_at,
            ended_at=record.ended_at,
            duration_seconds=record.duration_s,
            messages=[
                TurnAnswer(role=_ROLES[turn.speaker], content=turn.text, created_at=turn.at)
                for turn in call.transcript
            ],
            recording_url=None,
            analysis=None,
        )


_ROLES: dict[str, Literal["USER", "ASSISTANT", "SYSTEM"]] = {
    "caller": "USER",
    "agent": "ASSISTANT",
    "system": "SYSTEM",
}
