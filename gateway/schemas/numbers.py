"""How bodies write phone numbers and carriers."""

from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints, WithJsonSchema

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
