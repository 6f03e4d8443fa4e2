"""Bodies of carrier connections."""

import uuid
from datetime import datetime
from typing import Annotated, Final

from pydantic import ConfigDict, Field, SecretStr, StringConstraints

from dispatch.conditions import both, described, either, has, if_there
from gateway.schemas.base import Answer, Label, RequestBody
from gateway.schemas.numbers import CREDENTIAL_LENGTH, Provider

_ADDRESSES: Final = {
    "maxItems": 200,
    "items": {
        "anyOf": [
            {"type": "string", "format": "ipv4"},
            {"type": "string", "format": "ipv6"},
            {"type": "string", "pattern": r"^[0-9A-Fa-f.:]{2,45}/[0-9]{1,3}$"},
        ]
    },
}
_WITH_PASSWORD: Final = both(has("authUsername", type="string"), has("authPassword", type="string"))
_WITHOUT_PASSWORD: Final = both(
    has("allowedAddresses", minItems=1),
    if_there("authUsername", type="null"),
    if_there("authPassword", type="null"),
)


class CarrierConnectionBody(RequestBody):
    """How one carrier may reach this installation."""

    model_config = ConfigDict(
        json_schema_extra=described(
            either(_WITHOUT_PASSWORD, _WITH_PASSWORD),
            examples=[
                {
                    "name": "Twilio Frankfurt",
                    "provider": "twilio",
                    "allowedAddresses": ["35.156.191.128/30"],
                }
            ],
            fields={
                "allowedAddresses": _ADDRESSES,
                "authUsername": CREDENTIAL_LENGTH,
                "authPassword": CREDENTIAL_LENGTH,
            },
        )
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
