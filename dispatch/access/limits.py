"""How often each plan may ask, as one table.

Agntix counts by organisation; TalkifAI and VoxAI count by key. Their published numbers are kept;
where one publishes none ("custom"), the number is ours.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal, get_args

from dispatch.errors import InvalidField

Plan = Literal["free", "starter", "growth", "enterprise"]
PLANS: Final[tuple[Plan, ...]] = get_args(Plan)

Api = Literal["native", "agntix", "talkifai", "voxai"]
"""An API with a limit of its own. The administration has none: its key is the operator's."""
APIS: Final[tuple[Api, ...]] = get_args(Api)

WINDOW_S: Final = 60
"""Every limit counts the requests of any 60 s, wherever they begin."""

MOST_PER_MINUTE: Final = 10_000_000


@dataclass(frozen=True, slots=True)
class ApiLimit:
    """Requests a minute by plan, and whom they are counted for."""

    by: Literal["organization", "key"]
    per_minute: Mapping[str, int]


def _plans(free: int, starter: int, growth: int, enterprise: int) -> Mapping[str, int]:
    return MappingProxyType(
        {"free": free, "starter": starter, "growth": growth, "enterprise": enterprise}
    )


LIMITS: Final[Mapping[str, ApiLimit]] = MappingProxyType(
    {
        "native": ApiLimit("organization", _plans(100, 600, 3_000, 60_000)),
        "agntix": ApiLimit("organization", _plans(100, 600, 3_000, 60_000)),
        "talkifai": ApiLimit("key", _plans(60, 300, 300, 60_000)),
        "voxai": ApiLimit("key", _plans(60, 300, 300, 1_000)),
    }
)


def window_of(
    api: str,
    plan: str,
    organization: tuple[str, Mapping[str, int]],
    key: tuple[str, Mapping[str, int]],
) -> tuple[str, int]:
    """Return for whom requests are counted, and how many a minute are allowed.

    A limit of the key's own counts the key alone; otherwise the organisation's own, otherwise the
    plan's.

    Args:
        api: Which API is asked.
        plan: The organisation's.
        organization: The organisation's id, and its own limits by API.
        key: The key's id (or the user's), and its own limits by API.
    """
    rule = LIMITS[api]
    organization_id, organization_limits = organization
    key_id, key_limits = key
    if api in key_limits:
        return f"{api}:{key_id}", key_limits[api]
    subject = organization_id if rule.by == "organization" else key_id
    return f"{api}:{subject}", organization_limits.get(api, rule.per_minute[plan])


def checked_limits(limits: Mapping[str, int]) -> dict[str, int]:
    """Return limits of one's own, checked.

    Raises:
        InvalidField: An API is unknown, or a number is not 1 to `MOST_PER_MINUTE`.
    """
    for api, per_minute in limits.items():
        if api not in LIMITS:
            raise InvalidField(f"limits.{api}", f"limits are for {', '.join(APIS)}.")
        if not 1 <= per_minute <= MOST_PER_MINUTE:
            raise InvalidField(f"limits.{api}", f"A limit is 1 to {MOST_PER_MINUTE} a minute.")
    return dict(limits)
