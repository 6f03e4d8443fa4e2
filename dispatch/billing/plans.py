"""What each plan allows an organisation to have, as one table."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class Resource(StrEnum):
    """What an organisation has, and may have only so much of."""

    PROJECTS = "projects"
    AGENTS = "agents"
    PHONE_NUMBERS = "phone_numbers"
    KNOWLEDGE_BASES = "knowledge_bases"
    KNOWLEDGE_BYTES = "knowledge_bytes"
    CONCURRENT_CALLS = "concurrent_calls"
    """Limited by the installation's settings, for all plans alike."""
    MINUTES_THIS_MONTH = "minutes_this_month"
    """Started minutes of time on the line in the calendar month (UTC), without calls still on.
    Credit limits them."""


_GIB: Final = 1024**3


def _limits(**limits: int) -> Mapping[Resource, int]:
    return MappingProxyType({Resource(name): limit for name, limit in limits.items()})


PLAN_LIMITS: Final[Mapping[str, Mapping[Resource, int]]] = MappingProxyType(
    {
        "free": _limits(
            projects=1,
            agents=3,
            phone_numbers=1,
            knowledge_bases=1,
            knowledge_bytes=_GIB // 10,
        ),
        "starter": _limits(
            projects=5,
            agents=25,
            phone_numbers=10,
            knowledge_bases=10,
            knowledge_bytes=_GIB,
        ),
        "growth": _limits(
            projects=50,
            agents=500,
            phone_numbers=500,
            knowledge_bases=100,
            knowledge_bytes=10 * _GIB,
        ),
        "enterprise": _limits(),
    }
)
"""The numbers are ours. A resource that is missing has no limit."""
