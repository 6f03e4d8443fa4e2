"""Bodies of phone numbers, in both of TalkifAI's spellings."""

import uuid
from collections.abc import Callable
from datetime import datetime
from typing import Any, Literal, Self

from pydantic import ConfigDict, Field, SecretStr

from dispatch.byoc_numbers import ByocNumber, SipAccount
from dispatch.conditions import described, has, implies
from dispatch.numbers import UNCHANGED, AgentChange
from gateway.schemas.base import Answer, RequestBody, without_defaults
from gateway.schemas.numbers import CREDENTIAL_LENGTH, PUBLIC_HOST, PhoneNumber


def _patch(example: dict[str, Any]) -> Callable[[dict[str, Any]], None]:
    """Return what a body's schema needs of which anything may be absent, and an example of it."""

    def add(schema: dict[str, Any]) -> None:
        without_defaults(schema)
        schema["examples"] = [example]

    return add


_AGENT = "5b710eca-4a0e-4b52-9c53-3b2f6f0f8d11"


_WITH_USER_NAME = implies(has("sipPassword", type="string"), has("sipUsername", type="string"))


class _Account(RequestBody):
    """Where and as whom the number's carrier is called; what is absent stays as it is."""

    termination_uri: str | None = Field(
        default=None, examples=["myaccount.pstn.twilio.com"], json_schema_extra=PUBLIC_HOST
    )
    sip_username: str | None = Field(default=None, json_schema_extra=CREDENTIAL_LENGTH)
    sip_password: SecretStr | None = Field(
        default=None, description="Never returned.", json_schema_extra=CREDENTIAL_LENGTH
    )

    def account(self) -> SipAccount | None:
        """Return the account as far as it was sent."""
        sent = self.model_fields_set & {"termination_uri", "sip_username", "sip_password"}
        if not sent:
            return None
        return SipAccount(
            UNCHANGED if self.termination_uri is None else self.termination_uri,
            self.sip_username if "sip_username" in sent else UNCHANGED,
            self.sip_password,
        )


class _Agents(RequestBody):
    """Which agents a number has; null unassigns, an absent field stays as it is."""

    inbound_agent_id: uuid.UUID | None = None
    outbound_agent_id: uuid.UUID | None = None

    def agents(self) -> tuple[AgentChange, AgentChange]:
        """Return the inbound and the outbound agent as far as they were sent."""
        sent = self.model_fields_set
        return (
            self.inbound_agent_id if "inbound_agent_id" in sent else UNCHANGED,
            self.outbound_agent_id if "outbound_agent_id" in sent else UNCHANGED,
        )


class NumberBody(_Account):
    """A number to register."""

    model_config = ConfigDict(
        json_schema_extra=described(
            _WITH_USER_NAME,
            examples=[
                {
                    "number": "+12015550100",
                    "terminationUri": "myaccount.pstn.twilio.com",
                    "sipUsername": "myaccount",
                    "sipPassword": "secure_password_here",
                }
            ],
        )
    )

    number: PhoneNumber
    termination_uri: str = Field(
        examples=["myaccount.pstn.twilio.com"], json_schema_extra=PUBLIC_HOST
    )


class AccountBody(_Account):
    """A number's carrier account; what is absent stays as it is."""

    model_config = ConfigDict(
        json_schema_extra=_patch(
            {"terminationUri": "newaccount.pstn.twilio.com", "sipUsername": "newusername"}
        )
    )


class AgentsBody(_Agents):
    """Which agents a number has; null unassigns, an absent field stays as it is."""

    model_config = ConfigDict(
        json_schema_extra=_patch({"inboundAgentId": _AGENT, "outboundAgentId": None})
    )


class ByocNumberBody(_Account, _Agents):
    """A number to register, with its agents."""

    model_config = ConfigDict(
        json_schema_extra=described(
            _WITH_USER_NAME,
            examples=[
                {
                    "phoneNumber": "+12015550100",
                    "inboundAgentId": _AGENT,
                    "terminationUri": "your-trunk.pstn.twilio.com",
                    "friendlyName": "Main Support Line",
                }
            ],
        )
    )

    phone_number: PhoneNumber
    termination_uri: str = Field(
        examples=["your-trunk.pstn.twilio.com"], json_schema_extra=PUBLIC_HOST
    )
    friendly_name: str | None = Field(
        default=None, max_length=100, description="Names the carrier connection if one is made."
    )


class ByocNumberPatch(_Account, _Agents):
    """What to change of a number; what is absent stays as it is."""

    model_config = ConfigDict(
        json_schema_extra=_patch({"inboundAgentId": _AGENT, "sipPassword": "updated_password"})
    )


class TrunkRefreshBody(RequestBody):
    """Which number's trunk to compare with the record."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"phoneNumber": "+12015550100"}]})

    phone_number: PhoneNumber


class AssignedAgent(Answer):
    """An agent of a number."""

    id: uuid.UUID
    name: str = Field(examples=["Customer Support"])
    mode: Literal["public"] = "public"


class NumberAnswer(Answer):
    """A number, where its carrier is called, and its agents."""

    id: uuid.UUID
    number: str = Field(examples=["+12015550100"])
    termination_uri: str | None = Field(examples=["myaccount.pstn.twilio.com"])
    inbound_agent: AssignedAgent | None
    outbound_agent: AssignedAgent | None
    status: str = Field(description="Ours: pending until LiveKit holds the number, then active.")
    status_reason: str | None = Field(description="Ours: why it is not active.")
    created_at: datetime

    @classmethod
    def of(cls, found: ByocNumber) -> Self:
        """Return the answer for a number on record."""
        number = found.number
        return cls(
            id=number.id,
            number=number.number,
            termination_uri=found.termination_uri,
            inbound_agent=_agent(number.inbound_agent_id, found.inbound_agent_name),
            outbound_agent=_agent(number.outbound_agent_id, found.outbound_agent_name),
            status=number.status.value,
            status_reason=number.status_reason,
            created_at=number.created_at,
        )


class OneNumber(Answer):
    """A number in the envelope."""

    success: Literal[True] = True
    data: NumberAnswer

    @classmethod
    def of(cls, found: ByocNumber) -> Self:
        """Return the answer for a number on record."""
        return cls(data=NumberAnswer.of(found))


class NumberList(Answer):
    """Numbers in the envelope, newest first."""

    success: Literal[True] = True
    data: list[NumberAnswer]


class Done(Answer):
    """It is done."""

    success: Literal[True] = True


def _agent(agent_id: uuid.UUID | None, name: str | None) -> AssignedAgent | None:
    return None if agent_id is None else AssignedAgent(id=agent_id, name=name or "")
