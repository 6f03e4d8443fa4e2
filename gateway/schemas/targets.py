"""How bodies write whom a call may be passed to, as far as a pattern can tell."""

from typing import Annotated, Any, Final

from pydantic import WithJsonSchema

from dispatch.transfer_policy import TargetText
from telephony.dialling_rules import PATTERN, SIP_ADDRESS

TARGET: Final[dict[str, Any]] = {
    "type": "string",
    "maxLength": 400,
    "pattern": rf"^((tel:)?\+[1-9][0-9]{{5,14}}|{SIP_ADDRESS})$",
    "examples": ["+12015550177"],
}
"""The schema of one target: a number in E.164 or a SIP address."""

TARGET_PATTERN: Final[dict[str, Any]] = {
    "type": "string",
    "maxLength": 400,
    "pattern": f"^{PATTERN}$",
    "examples": ["+1201*"],
}
"""The schema of what stands for targets: a number, the beginning of numbers, `sip:*@host`."""

Target = Annotated[TargetText, WithJsonSchema(TARGET)]
"""A number in E.164 or a SIP address."""
