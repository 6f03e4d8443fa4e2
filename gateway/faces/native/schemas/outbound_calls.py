"""Bodies of outbound calls."""

import uuid
from datetime import datetime
from typing import Any, Self

from pydantic import ConfigDict, Field, JsonValue

from dispatch.outbound.requests import (
    DEFAULT_RING_S,
    LONGEST_RING_S,
    SHORTEST_RING_S,
    CallRequest,
)
from dispatch.outbound_call import RequestedCall
from gateway.schemas.base import Answer, Instant, RequestBody
from gateway.schemas.numbers import E164_PATTERN


class OutboundCallBody(RequestBody):
    """A call to place."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "from": "+12015550100",
                    "to": "+12015550123",
                    "variables": {"name": "Ada"},
                    "ringTimeoutS": 25,
                }
            ]
        }
    )

    to: str = Field(
        max_length=40,
        description="Whom to call, in E.164.",
        examples=["+12015550123"],
        json_schema_extra=E164_PATTERN,
    )
    from_number: str | None = Field(
        default=None,
        alias="from",
        max_length=40,
        description="A number of the project; may be left out when it has just one.",
        examples=["+12015550100"],
        json_schema_extra=E164_PATTERN,
    )
    agent_id: uuid.UUID | None = Field(
        default=None, description="Who talks; the number's outbound agent when left out."
    )
    variables: dict[str, JsonValue] = Field(
        default_factory=dict, description="Filled into the agent's texts."
    )
    metadata: dict[str, JsonValue] = Field(
        default_factory=dict, description="Kept with the call and given to the agent."
    )
    ring_timeout_s: int = Field(
        default=DEFAULT_RING_S,
        ge=SHORTEST_RING_S,
        le=LONGEST_RING_S,
        description="How long the telephone rings.",
    )
    scheduled_at: Instant | None = Field(
        default=None,
        description=(
            "When to call, at most 30 days ahead; now when left out, or up to 5 minutes ago."
        ),
    )

    def to_request(self) -> CallRequest:
        """Return the call as it is asked for."""
        variables: dict[str, Any] = {"sessionVariables": self.variables} if self.variables else {}
        return CallRequest(
            to=self.to,
            from_number=self.from_number,
            agent_id=self.agent_id,
            metadata={**self.metadata, **variables},
            ring_timeout_s=self.ring_timeout_s,
            scheduled_at=self.scheduled_at,
        )


class OutboundCallAnswer(Answer):
    """An outbound call that was asked for; its record tells the rest."""

    id: uuid.UUID
    state: str = Field(
        description="`queued`, or where it stands if it was asked for before.", examples=["queued"]
    )
    agent_id: uuid.UUID
    from_number: str = Field(alias="from", examples=["+12015550100"])
    to_number: str = Field(alias="to", examples=["+12015550123"])
    ring_timeout_s: int = Field(examples=[25])
    scheduled_at: datetime = Field(description="When it is due.")
    created_at: datetime

    @classmethod
    def of(cls, requested: RequestedCall) -> Self:
        """Return the answer for a call that was asked for."""
        call = requested.call
        return cls(
            id=call.id,
            state=requested.state,
            agent_id=call.agent_id,
            from_number=call.from_number,
            to_number=call.to_number,
            ring_timeout_s=call.ring_timeout_s,
            scheduled_at=call.due_at,
            created_at=call.created_at,
        )
