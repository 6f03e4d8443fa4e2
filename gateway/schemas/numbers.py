"""How bodies write phone numbers and carriers."""

from typing import Annotated, Any, Final

from pydantic import AfterValidator, Field, StringConstraints, WithJsonSchema

from telephony import host_names
from telephony.e164 import parse_e164

E164_PATTERN: Final[dict[str, Any]] = {"pattern": r"^\+[1-9][0-9]{5,14}$"}
"""E.164, to be written so. That there is such a country is not told, and spaces, dots, hyphens and
brackets are read too."""

CREDENTIAL_LENGTH: Final[dict[str, Any]] = {"minLength": 1, "maxLength": 255}
"""Of what a carrier is known by."""

HOST: Final[dict[str, Any]] = {
    "maxLength": host_names.LONGEST_HOST,
    "pattern": f"^(sip:)?{host_names.HOST}(:{host_names.PORT})?$",
}
PUBLIC_HOST: Final[dict[str, Any]] = {
    "maxLength": host_names.LONGEST_HOST,
    "pattern": f"^(sip:)?{host_names.DOTTED_HOST}(:{host_names.PORT})?$",
}
"""A carrier's host, with its port where it is not 5060."""

PhoneNumber = Annotated[
    str,
    StringConstraints(max_length=40),
    AfterValidator(parse_e164),
    WithJsonSchema({"type": "string", "examples": ["+12015550100"], **E164_PATTERN}),
]
"""A number in E.164 form."""

Provider = Annotated[
    str,
    StringConstraints(strip_whitespace=True, to_lower=True, min_length=1, max_length=40),
    Field(
        description="The carrier in one word.",
        examples=["twilio"],
        json_schema_extra={"pattern": "^[A-Za-z0-9][A-Za-z0-9_-]*$"},
    ),
]
