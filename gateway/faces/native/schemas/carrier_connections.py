"""Bodies of carrier connections."""

import uuid
from datetime import datetime
from typing import Annotated

from pydantic import ConfigDict, Field, SecretStr, StringConstraints

from gateway.schemas.base import Answer, Label, RequestBody
from gateway.schemas.numbers import Provider


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
