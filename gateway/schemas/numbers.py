"""How bodies write phone numbers and carriers."""

from typing import Annotated, Any, Final

from pydantic import AfterValidator, Field, StringConstraints, WithJsonSchema

from telephony.e164 import E164, parse_e164
from telephony.errors import InvalidNumber


def _parse(text: str) -> E164:
    try:
        return parse_e164(text)
    except InvalidNumber as exc:
        raise ValueError(str(exc)) from exc


E164_PATTERN: Final[dict[str, Any]] = {"pattern": r"^\+[1-9][0-9]{5,14}$"}
"""E.164, to be written so. That there is such a country is not told, and spaces, dots, hyphens and
brackets are read too."""

CREDENTIAL_LENGTH: Final[dict[str, Any]] = {"minLength": 1, "maxLength": 255}
"""Of what a carrier is known by."""

_LABEL: Final = "[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_PORT: Final = "(:[1-9][0-9]{0,3})?"
HOST: Final[dict[str, Any]] = {
    "maxLength": 253,
    "pattern": rf"^(sip:)?{_LABEL}(\.{_LABEL})*{_PORT}$",
}
PUBLIC_HOST: Final[dict[str, Any]] = {
    "maxLength": 253,
    "pattern": rf"^(sip:)?{_LABEL}(\.{_LABEL})+{_PORT}$",
}
"""A carrier's host, with its port where it is not 5060."""

PhoneNumber = Annotated[
    str,
    StringConstraints(max_length=40),
    AfterValidator(_parse),
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
