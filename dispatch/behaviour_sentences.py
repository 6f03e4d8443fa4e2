"""What a number's behaviour makes of calls, as sentences for its owner (pure)."""

from typing import Final

from dispatch.number_behaviour import Action, CallPlan, NumberBehaviour
from dispatch.opening_hours import OpeningHours

ALWAYS_OPEN: Final = "The number is open at all hours."
ANY_CALLER: Final = "Any caller may call."

_AFTER_HOURS: Final = {
    Action.CONVERSE: "another agent takes calls",
    Action.MESSAGE: "callers hear a message",
    Action.TRANSFER: "calls are passed on",
    Action.REFUSE: "calls are not answered",
}


def for_any_caller(behaviour: NumberBehaviour) -> NumberBehaviour:
    """Return a behaviour without its lists of callers, to ask about a caller nobody knows."""
    return behaviour.changed({"allowed_callers": None, "blocked_callers": None})


def describe_hours(hours: OpeningHours | None, plan: CallPlan) -> str:
    """Return whether a number is open now and, when it is not, until when and what happens.

    Args:
        hours: The number's.
        plan: What is made of a call now.
    """
    if hours is None:
        return ALWAYS_OPEN
    now = hours.local(plan.at)
    if hours.is_open(now):
        return f"It is open now, {now:%A %H:%M} in {hours.time_zone}."
    opens = hours.next_opening(now)
    until = "for good" if opens is None else f"until {opens:%A %Y-%m-%d %H:%M}"
    return f"It is closed {until} ({hours.time_zone}): {_AFTER_HOURS[plan.action]}."


def describe_callers(behaviour: NumberBehaviour) -> str:
    """Return who may call."""
    sentences = []
    if behaviour.allowed_callers:
        sentences.append(f"Only callers on the list of {len(behaviour.allowed_callers)} may call.")
    if behaviour.blocked_callers:
        sentences.append(f"Callers on the list of {len(behaviour.blocked_callers)} are blocked.")
    return " ".join(sentences) or ANY_CALLER
