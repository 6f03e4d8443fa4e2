"""Bodies of calls that are placed."""

import uuid

from pydantic import BaseModel, ConfigDict, Field

from gateway.schemas.numbers import E164_PATTERN


class OutboundCallBody(BaseModel):
    """A call to place; both numbers in E.164."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={
            "examples": [{"to_number": "+12015550123", "from_number": "+12015550100"}]
        },
    )

    to_number: str = Field(max_length=40, json_schema_extra=E164_PATTERN)
    from_number: str = Field(max_length=40, json_schema_extra=E164_PATTERN)


class CallingAgent(BaseModel):
    """Who talks."""

    id: uuid.UUID
    name: str = Field(examples=["Support Agent"])


class OutboundCallAnswer(BaseModel):
    """A call that was taken on."""

    success: bool = True
    message: str = "Call initiated"
    room_name: str = Field(examples=["out_5b710eca4a0e4b529c533b2f6f0f8d11"])
    agent: CallingAgent
    from_number: str = Field(examples=["+12015550100"])
    to_number: str = Field(examples=["+12015550123"])
