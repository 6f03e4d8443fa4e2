"""Bodies of terminations."""

from pydantic import ConfigDict, Field, SecretStr, StrictInt

from dispatch.conditions import described, has, implies
from dispatch.terminations import MOST_A_SECOND, MOST_AT_ONCE
from gateway.schemas.base import Answer, RequestBody
from gateway.schemas.numbers import CREDENTIAL_LENGTH, HOST


class TerminationBody(RequestBody):
    """Where calls to a carrier go."""

    model_config = ConfigDict(
        json_schema_extra=described(
            implies(has("password", type="string"), has("username", type="string")),
            examples=[
                {
                    "uri": "example.pstn.twilio.com",
                    "username": "dialplane",
                    "password": "a-long-password",
                    "callsPerSecond": 1,
                    "maxOutboundCalls": 20,
                }
            ],
            fields={
                "uri": HOST,
                "username": CREDENTIAL_LENGTH,
                "password": CREDENTIAL_LENGTH,
                "callsPerSecond": {"minimum": 1, "maximum": MOST_A_SECOND},
                "maxOutboundCalls": {"minimum": 1, "maximum": MOST_AT_ONCE},
            },
        )
    )

    uri: str = Field(max_length=300, description="The carrier's host, with its port if not 5060.")
    username: str | None = Field(default=None, description="As whom we make ourselves known.")
    password: SecretStr | None = Field(
        default=None,
        description="Never returned. Left out, the one there is stays while the user name does.",
    )
    calls_per_second: StrictInt | None = Field(
        default=None,
        description="Outbound calls begun within any second; the installation's limit if left out.",
    )
    max_outbound_calls: StrictInt | None = Field(
        default=None, description="Outbound calls at once; the installation's limit if left out."
    )


class TerminationAnswer(Answer):
    """Where calls to a carrier go; its password is never shown."""

    uri: str = Field(examples=["example.pstn.twilio.com"])
    username: str | None
    calls_per_second: int | None
    max_outbound_calls: int | None
