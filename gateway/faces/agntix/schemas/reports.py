"""Bodies of what was used, and of calls in sum."""

from datetime import date
from typing import Self

from pydantic import Field

from dispatch.call_history import CallStats
from gateway.schemas.base import Answer


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
