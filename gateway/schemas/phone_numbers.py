"""Bodies of phone numbers and carrier connections."""

import uuid
from datetime import datetime
from typing import Annotated, Self

from pydantic import (
    AfterValidator,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    WithJsonSchema,
)

from dispatch import numbers
from gateway.schemas.base import Answer, Label, RequestBody
from telephony.e164 import E164, parse_e164
from telephony.errors import InvalidNumber


def _parse(text: str) -> E164:
    try:
        return parse_e164(text)
    except InvalidNumber as exc:
        raise ValueError(str(exc)) from exc


PhoneNumber = Annotated[
    str,
    StringConstraints(max_length=40),
    AfterValidator(_parse),
    WithJsonSchema({"type": "string", "examples": ["+12015550100"]}),
]
"""A number in E.164 form."""

Provider = Annotated[
    str,
    StringConstraints(strip_whitespace=True, to_lower=True, min_length=1, max_length=40),
    Field(description="The carrier in one word.", examples=["twilio"]),
]


class CarrierConnectionBody(RequestBody):
    """How one carrier may reach this installation."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "name": "Twilio Frankfurt",
                    "provider": "twilio",
                    "allowedAddresses": ["35.156.191.128/30"],
                }
            ]
        }
    )

    name: Label
    provider: Provider
    allowed_addresses: list[Annotated[str, StringConstraints(max_length=50)]] = Field(
        default_factory=list,
        description="Addresses or networks from which the carrier sends calls.",
    )
    auth_username: str | None = Field(default=None, description="Goes with a password.")
    auth_password: SecretStr | None = Field(default=None, description="Never returned.")


class CarrierConnectionAnswer(Answer):
    """How one carrier may reach this installation; its password is never shown."""

    id: uuid.UUID
    name: str
    provider: str = Field(examples=["twilio"])
    allowed_addresses: list[str] = Field(examples=[["35.156.191.128/30"]])
    auth_username: str | None
    created_at: datetime


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


class ExplainStepAnswer(Answer):
    """One condition of an answered call."""

    name: str = Field(examples=["credit"])
    passed: bool
    sentence: str = Field(examples=["The organisation's balance covers a call."])


class ExplainAnswer(Answer):
    """What would happen if somebody rang the number now."""

    number: str = Field(examples=["+12015550100"])
    would_be_answered: bool
    sentence: str = Field(description="The first failure, or that all is well.")
    steps: list[ExplainStepAnswer]
