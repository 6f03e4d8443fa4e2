"""Bodies of calls that are placed, in both of Agntix's spellings."""

import uuid
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictInt

from gateway.schemas.base import Answer, RequestBody
from gateway.schemas.metadata import Metadata
from gateway.schemas.numbers import PhoneNumber

_AGENT = "5b710eca-4a0e-4b52-9c53-3b2f6f0f8d11"


class OutboundCallBody(RequestBody):
    """A call to place."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"phoneNumberId": _AGENT, "to": "+12015550123", "agentId": _AGENT, "metadata": {}}
            ]
        }
    )

    phone_number_id: uuid.UUID = Field(description="The number that is called from.")
    to: PhoneNumber
    agent_id: uuid.UUID
    metadata: Metadata = Field(default_factory=dict, description="Free keys for the agent.")


class OutboundCallAnswer(Answer):
    """A call that was taken on."""

    call_id: uuid.UUID
    status: Literal["INITIATED"] = "INITIATED"


class CallStartBody(BaseModel):
    """A call to place from one number."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={
            "examples": [
                {
                    "to_phone_number": "+12015550123",
                    "agent_id": _AGENT,
                    "session_variables": {"name": "Ada"},
                }
            ]
        },
    )

    to_phone_number: PhoneNumber
    agent_id: uuid.UUID | None = Field(
        default=None, description="The number's outbound agent when left out."
    )
    ttl: StrictInt = Field(
        default=100,
        ge=1,
        le=2**31 - 1,
        description="Seconds that it may ring; brought within 5 to 75.",
    )
    session_variables: Metadata = Field(
        default_factory=dict, description="Filled into the agent's texts."
    )

    def metadata(self) -> dict[str, Any]:
        """Return what the call carries to the agent."""
        return {"sessionVariables": self.session_variables} if self.session_variables else {}


class CallStartAnswer(Answer):
    """A call that was taken on; its id is its session's."""

    session_id: uuid.UUID
