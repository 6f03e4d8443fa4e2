"""Bodies of phone numbers."""

import uuid
from datetime import datetime
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from dispatch import numbers
from gateway.schemas.base import Answer, RequestBody
from gateway.schemas.numbers import PhoneNumber, Provider


class PhoneNumberBody(RequestBody):
    """A number to answer."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"provider": "twilio", "number": "+12015550100"}]}
    )

    provider: Provider
    number: PhoneNumber
    agent_id: uuid.UUID | None = Field(default=None, description="Answers inbound calls.")
    connection_id: uuid.UUID | None = Field(
        default=None,
        description="Carrier connection; the project's one for this provider when absent.",
    )


class PhoneNumberPatch(RequestBody):
    """Which agents a number has; null unassigns, an absent field stays as it is."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"inBoundAgentId": "5b710eca-4a0e-4b52-9c53-3b2f6f0f8d11"},
                {"inBoundAgentId": None},
            ]
        }
    )

    in_bound_agent_id: uuid.UUID | None = None
    out_bound_agent_id: uuid.UUID | None = None


class MapAgentBody(RequestBody):
    """An agent for one direction of a number's calls."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": "inbound",
                    "phoneNumber": "+12015550100",
                    "agentId": "5b710eca-4a0e-4b52-9c53-3b2f6f0f8d11",
                }
            ]
        }
    )

    type: Literal["inbound", "outbound"]
    phone_number: PhoneNumber
    agent_id: uuid.UUID


class MappingsBody(RequestBody):
    """Whose agents are asked for."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"phoneNumbers": ["+12015550100"]}]})

    phone_numbers: list[PhoneNumber] = Field(max_length=100)


class MappingAnswer(Answer):
    """The agents of a number."""

    phone_number: str = Field(examples=["+12015550100"])
    phone_number_id: uuid.UUID
    in_bound_agent_id: uuid.UUID | None
    out_bound_agent_id: uuid.UUID | None

    @classmethod
    def of(cls, number: numbers.PhoneNumber) -> Self:
        """Return the answer for a number on record."""
        return cls(
            phone_number=number.number,
            phone_number_id=number.id,
            in_bound_agent_id=number.inbound_agent_id,
            out_bound_agent_id=number.outbound_agent_id,
        )


class NumberItem(BaseModel):
    """A number to call from."""

    id: uuid.UUID
    phone_number: str = Field(examples=["+12015550100"])
    provider: str = Field(examples=["twilio"])
    label: str = Field(description="The number itself: numbers have no names here.")


class NumberItemsAnswer(BaseModel):
    """Numbers to call from, newest first."""

    items: list[NumberItem]


class PhoneNumberAnswer(Answer):
    """A number, its agents, and whether calls to it can arrive."""

    id: uuid.UUID
    number: str = Field(examples=["+12015550100"])
    provider: str = Field(examples=["twilio"])
    connection_id: uuid.UUID
    agent_id: uuid.UUID | None = Field(description="The same as inBoundAgentId.")
    in_bound_agent_id: uuid.UUID | None
    out_bound_agent_id: uuid.UUID | None
    org_id: uuid.UUID
    status: numbers.SyncState = Field(description="Pending: LiveKit does not hold the number yet.")
    status_reason: str | None = Field(description="Why it is not active.")
    created_at: datetime

    @classmethod
    def of(cls, number: numbers.PhoneNumber) -> Self:
        """Return the answer for a number on record."""
        return cls(
            id=number.id,
            number=number.number,
            provider=number.provider,
            connection_id=number.connection_id,
            agent_id=number.inbound_agent_id,
            in_bound_agent_id=number.inbound_agent_id,
            out_bound_agent_id=number.outbound_agent_id,
            org_id=number.organization_id,
            status=number.status,
            status_reason=number.status_reason,
            created_at=number.created_at,
        )
