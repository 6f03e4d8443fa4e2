"""What a number does with a call before an agent talks: opening hours, callers, a way out (pure).

The rules are data on the number. `decide` applies them at the moment a call arrives, and what it
returns is kept with the call, so that nothing is judged twice.
"""

import uuid
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from dispatch.blanks import NOT_BLANK, STRIPPED
from dispatch.opening_hours import OpeningHours
from dispatch.transfer_policy import TargetText

ANONYMOUS: Final = "anonymous"
"""On a list of callers: whoever sends no telephone number."""

CallerPattern = Annotated[
    str, StringConstraints(pattern=r"^(anonymous|\+[0-9]{2,15}|\+[0-9]{0,14}\*)$")
]
"""A caller's number in E.164, the beginning of numbers (`+1201*`), or `anonymous`."""

Message = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=1_000),
    Field(json_schema_extra=NOT_BLANK),
    STRIPPED,
]


class AgentAfterHours(BaseModel):
    """Another agent takes the call."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    action: Literal["agent"]
    agent_id: uuid.UUID


class MessageAfterHours(BaseModel):
    """The call is answered, the caller is told something, and the call is over."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    action: Literal["message"]
    text: Message = Field(examples=["We are closed. Please call again tomorrow from nine."])


class TransferAfterHours(BaseModel):
    """The call is answered and passed on to somebody."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    action: Literal["transfer"]
    to: TargetText = Field(examples=["+12015550177"])
    text: Annotated[str, StringConstraints(strip_whitespace=True, max_length=1_000)] = ""
    """Said first."""


AfterHours = Annotated[
    AgentAfterHours | MessageAfterHours | TransferAfterHours, Field(discriminator="action")
]


class NumberBehaviour(BaseModel):
    """How a number behaves; as made, it does nothing beside letting its agent answer."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    opening_hours: OpeningHours | None = None
    """None: always open."""
    after_hours: AfterHours | None = None
    """What becomes of a call while it is closed; None: it is not answered."""
    fallback_number: TargetText | None = None
    """Whoever gets the call when the agent cannot: a number in E.164 or a SIP address."""
    allowed_callers: tuple[CallerPattern, ...] = Field(default=(), max_length=500)
    """Nobody else is answered; empty lets everybody in."""
    blocked_callers: tuple[CallerPattern, ...] = Field(default=(), max_length=500)
    """They are not answered, allowed or not."""

    def changed(self, changes: Mapping[str, Any]) -> "NumberBehaviour":
        """Return it with some fields set anew; None clears one."""
        cleared = {name for name, value in changes.items() if value is None}
        kept = {**self.model_dump(), **changes}
        return NumberBehaviour.model_validate(
            {name: value for name, value in kept.items() if name not in cleared}
        )

    @property
    def is_plain(self) -> bool:
        """Whether it does nothing, so that a number need not have it."""
        return self == NumberBehaviour()

    @property
    def targets(self) -> tuple[str, ...]:
        """Everybody it may pass a call on to."""
        after = self.after_hours
        found = (after.to if isinstance(after, TransferAfterHours) else None, self.fallback_number)
        return tuple(target for target in found if target is not None)


class Action(StrEnum):
    """What is done with a call."""

    CONVERSE = "converse"
    """An agent talks."""
    MESSAGE = "message"
    """The caller is told something, and the call is over."""
    TRANSFER = "transfer"
    """The call is passed on."""
    REFUSE = "refuse"
    """It is not answered."""


class Ground(StrEnum):
    """Why."""

    OPEN = "open"
    AFTER_HOURS = "after_hours"
    CLOSED = "closed"
    """After hours, and nothing is said about that."""
    CALLER_BLOCKED = "caller_blocked"
    CALLER_NOT_ALLOWED = "caller_not_allowed"
    FALLBACK = "fallback"
    """The agent cannot take the call."""


class CallPlan(BaseModel):
    """What a number's behaviour makes of one call; kept with the call and shown on its record."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    action: Action
    ground: Ground
    at: datetime
    """When that was decided; by the number's own clock where it has one."""
    agent_id: uuid.UUID | None = None
    """Who talks in place of the number's own agent."""
    message: str = ""
    """Said before anything else; empty says nothing."""
    transfer_to: str | None = None
    fallback_number: str | None = None
    """Who gets the call when the agent cannot take it, or fails."""

    @property
    def is_attended(self) -> bool:
        """Whether the call needs no agent, but somebody to say a message or pass it on."""
        return self.action in (Action.MESSAGE, Action.TRANSFER)

    def as_fallback(self) -> "CallPlan | None":
        """Return what is done when the agent cannot take the call; None when nothing is."""
        if self.fallback_number is None or self.action is not Action.CONVERSE:
            return None
        return CallPlan(
            action=Action.TRANSFER,
            ground=Ground.FALLBACK,
            at=self.at,
            transfer_to=self.fallback_number,
        )


def decide(behaviour: NumberBehaviour, caller_number: str | None, at: datetime) -> CallPlan:
    """Return what a number does with a call.

    Args:
        behaviour: The number's.
        caller_number: As the carrier sent it; None when it is withheld.
        at: The moment (aware) in which the call arrives.
    """
    hours = behaviour.opening_hours
    if hours is not None:
        at = hours.local(at)
    if _is_listed(behaviour.blocked_callers, caller_number):
        return CallPlan(action=Action.REFUSE, ground=Ground.CALLER_BLOCKED, at=at)
    if behaviour.allowed_callers and not _is_listed(behaviour.allowed_callers, caller_number):
        return CallPlan(action=Action.REFUSE, ground=Ground.CALLER_NOT_ALLOWED, at=at)
    if hours is None or hours.is_open(at):
        return _conversation(behaviour, Ground.OPEN, at)
    return _after_hours(behaviour, at)


def _after_hours(behaviour: NumberBehaviour, at: datetime) -> CallPlan:
    ground = Ground.AFTER_HOURS
    match behaviour.after_hours:
        case AgentAfterHours(agent_id=agent_id):
            return _conversation(behaviour, ground, at, agent_id)
        case MessageAfterHours(text=text):
            return CallPlan(action=Action.MESSAGE, ground=ground, at=at, message=text)
        case TransferAfterHours(to=to, text=text):
            return CallPlan(
                action=Action.TRANSFER, ground=ground, at=at, message=text, transfer_to=to
            )
        case None:
            return CallPlan(action=Action.REFUSE, ground=Ground.CLOSED, at=at)


def _conversation(
    behaviour: NumberBehaviour, ground: Ground, at: datetime, agent_id: uuid.UUID | None = None
) -> CallPlan:
    return CallPlan(
        action=Action.CONVERSE,
        ground=ground,
        at=at,
        agent_id=agent_id,
        fallback_number=behaviour.fallback_number,
    )


def _is_listed(patterns: tuple[str, ...], caller_number: str | None) -> bool:
    if caller_number is None or not caller_number.startswith("+"):
        # Some carriers write a name or an extension where a number belongs.
        return ANONYMOUS in patterns
    return any(
        caller_number.startswith(pattern[:-1])
        if pattern.endswith("*")
        else caller_number == pattern
        for pattern in patterns
    )
