"""How a number behaves: `dispatch.number_behaviour` in camelCase."""

from typing import Annotated, Any, Self

from pydantic import ConfigDict, Field
from pydantic.alias_generators import to_camel

from dispatch.number_behaviour import (
    AgentAfterHours,
    CallerPattern,
    Message,
    MessageAfterHours,
    NumberBehaviour,
    TransferAfterHours,
)
from dispatch.number_behaviours import NumbersBehaviour
from dispatch.opening_hours import OpeningHours
from gateway.schemas.base import Answer, Patch, without_defaults
from gateway.schemas.targets import Target

_REQUEST = ConfigDict(alias_generator=to_camel, extra="forbid", frozen=True)

BEHAVIOUR_EXAMPLE: dict[str, Any] = {
    "openingHours": {
        "timeZone": "Europe/Berlin",
        "weekly": [
            {
                "days": ["monday", "tuesday", "wednesday", "thursday", "friday"],
                "opens": "09:00",
                "closes": "17:00",
            },
            {"days": ["saturday"], "opens": "20:00", "closes": "02:00"},
        ],
        "holidays": {"country": "DE", "subdivision": "BE"},
        "exceptions": [
            {"date": "2026-12-24", "hours": [{"opens": "09:00", "closes": "12:00"}]},
            {"date": "2026-12-28"},
        ],
    },
    "afterHours": {"action": "message", "text": "We are closed. We open at nine."},
    "fallbackNumber": "+12015550177",
    "blockedCallers": ["+12015550166", "+1900*", "anonymous"],
}


class OpeningHoursBody(OpeningHours):
    """When calls are taken, in local time; a stretch that closes before it opens ends next day."""

    model_config = _REQUEST


class AgentAfterHoursBody(AgentAfterHours):
    """Another agent of the project takes the call."""

    model_config = _REQUEST


class MessageAfterHoursBody(MessageAfterHours):
    """The caller is told something, and the call is over."""

    model_config = _REQUEST

    text: Annotated[Message, Field(json_schema_extra={"pattern": r"\S"})]


class TransferAfterHoursBody(TransferAfterHours):
    """The call is passed on; `text` is said first."""

    model_config = _REQUEST

    to: Target


_AfterHours = Annotated[
    AgentAfterHoursBody | MessageAfterHoursBody | TransferAfterHoursBody,
    Field(discriminator="action"),
]


def _describe_patch(schema: dict[str, Any]) -> None:
    without_defaults(schema)
    schema["examples"] = [BEHAVIOUR_EXAMPLE, {"openingHours": None, "afterHours": None}]


class BehaviourPatch(Patch, NumberBehaviour):
    """What to change of a number's behaviour; null clears a field, an absent one stays."""

    model_config = _REQUEST | ConfigDict(json_schema_extra=_describe_patch)

    opening_hours: OpeningHoursBody | None = None
    after_hours: _AfterHours | None = Field(
        default=None, description="While it is closed; null: calls are not answered then."
    )
    fallback_number: Target | None = Field(
        default=None, description="Whoever gets the call when the agent cannot take it, or fails."
    )
    allowed_callers: tuple[CallerPattern, ...] | None = Field(  # type: ignore[assignment]
        default=None,
        max_length=500,
        description="Nobody else is answered: numbers, `+1201*`, or `anonymous`.",
    )
    blocked_callers: tuple[CallerPattern, ...] | None = Field(  # type: ignore[assignment]
        default=None, max_length=500, description="They are never answered, even if allowed."
    )


class BehaviourAnswer(Answer):
    """How a number behaves."""

    number: str = Field(examples=["+12015550100"])
    opening_hours: OpeningHoursBody | None
    after_hours: _AfterHours | None
    fallback_number: str | None = Field(examples=["+12015550177"])
    allowed_callers: tuple[str, ...]
    blocked_callers: tuple[str, ...]
    status_reason: str | None = Field(description="Why calls do not follow it yet, or null.")

    @classmethod
    def of(cls, found: NumbersBehaviour) -> Self:
        """Return the answer for a number on record."""
        fields = {
            **found.behaviour.model_dump(),
            "number": found.number,
            "status_reason": found.status_reason,
        }
        return cls.model_validate(fields, by_alias=False, by_name=True)
