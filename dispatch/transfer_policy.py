"""What an agent may do with a call besides talking: whom it may pass it to, and how."""

from enum import StrEnum
from typing import Annotated, Final

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
    StringConstraints,
)

from telephony.dialling_rules import is_pattern, parse_target
from telephony.e164 import parse_e164

BUILTIN_MUSIC: Final = "builtin"


class CallTool(StrEnum):
    """What an agent can do with its call."""

    END_CALL = "end_call"
    GATHER_KEYS = "gather_keys"
    """Ask the caller for keys."""
    HOLD = "hold"
    PRESS_KEYS = "press_keys"
    """Press keys towards the caller, such as to walk through somebody else's menu."""
    TRANSFER_CALL = "transfer_call"
    """Only to whom the transfer policy allows."""


USUAL_CALL_TOOLS: Final = (
    CallTool.END_CALL,
    CallTool.GATHER_KEYS,
    CallTool.HOLD,
    CallTool.TRANSFER_CALL,
)


class TransferMode(StrEnum):
    """How a call is passed to somebody."""

    COLD = "cold"
    """At once and without a word: the carrier is asked to, or the two are connected here."""
    WARM = "warm"
    """The caller waits with music until the other has heard what it is about and agreed."""


def _parsed(text: str) -> str:
    return parse_target(text).text


def _pattern(text: str) -> str:
    if not is_pattern(text):
        raise ValueError("a pattern is a number, +1201*, sip:desk@host or sip:*@host")
    return text


TargetText = Annotated[
    str, StringConstraints(strip_whitespace=True, max_length=400), AfterValidator(_parsed)
]
"""A number in E.164 or a `sip:` address."""
NumberText = Annotated[
    str, StringConstraints(strip_whitespace=True, max_length=32), AfterValidator(parse_e164)
]
"""A number in E.164."""
PatternText = Annotated[
    str, StringConstraints(strip_whitespace=True, max_length=400), AfterValidator(_pattern)
]
HoldMusicName = Annotated[
    str, StringConstraints(pattern=r"^(builtin|[A-Za-z0-9][A-Za-z0-9_-]{0,63}\.wav)$")
]
"""`builtin`, or a file in the worker's directory of hold music."""


class TransferPolicy(BaseModel):
    """Whom calls may be passed to: whoever asks for anybody else, nobody else is dialled."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    targets: tuple[TargetText, ...] = Field(default=(), max_length=10)
    """Tried in this order when nobody in particular is asked for."""
    allow: tuple[PatternText, ...] = Field(default=(), max_length=50)
    """Who may be asked for besides: a number, the beginning of numbers (`+1201*`), `sip:*@host`."""
    mode: TransferMode = TransferMode.WARM
    """How, unless it is asked for otherwise."""
    carrier_transfers: StrictBool = True
    """Whether the caller's carrier takes a REFER. If not, a cold transfer connects the two here."""
    relay_keys: StrictBool = False
    """Whether keys pressed by the caller or the target reach the other, once they are connected."""
    from_number: NumberText | None = None
    """The project's number that callers without one of ours, such as browsers, are passed on from:
    its carrier calls the targets that are numbers."""
    ring_timeout_s: StrictInt = Field(default=25, ge=5, le=75)
    """How long each target rings."""
    accept_timeout_s: StrictInt = Field(default=15, ge=3, le=60)
    """How long after the briefing each target may take to accept; a voicemail never does."""

    @property
    def patterns(self) -> tuple[str, ...]:
        """Everybody who may be dialled."""
        return (*self.targets, *self.allow)
