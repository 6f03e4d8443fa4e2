"""How bodies write whom a call may be passed to, as far as a pattern can tell."""

from typing import Annotated, Any, Final

from pydantic import WithJsonSchema

from dispatch.transfer_policy import TargetText

_PORT: Final = (
    ":([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"
)
_HOST: Final = "[A-Za-z0-9]([A-Za-z0-9.-]{0,252}[A-Za-z0-9])?"
_SIP: Final = rf"sip:[A-Za-z0-9_.!~*'()&=+$,;?/%-]{{1,128}}@{_HOST}({_PORT})?"

TARGET: Final[dict[str, Any]] = {
    "type": "string",
    "maxLength": 400,
    "pattern": rf"^((tel:)?\+[1-9][0-9]{{5,14}}|{_SIP})$",
    "examples": ["+12015550177"],
}
"""The schema of one target: a number in E.164 or a SIP address."""

Target = Annotated[TargetText, WithJsonSchema(TARGET)]
"""A number in E.164 or a SIP address."""
