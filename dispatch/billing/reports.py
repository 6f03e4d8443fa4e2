"""What a project used over a period, in groups: plain data."""

from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum


class Period(StrEnum):
    """How far a report goes back, in whole days (UTC), today included."""

    TODAY = "today"
    WEEK = "7d"
    MONTH = "30d"
    ALL = "all"

    def begins(self, today: date) -> date | None:
        """Return the period's first day; None when it has none."""
        match self:
            case Period.ALL:
                return None
            case Period.TODAY:
                return today
            case Period.WEEK:
                return today - timedelta(days=6)
            case Period.MONTH:
                return today - timedelta(days=29)


class GroupBy(StrEnum):
    """What a report's groups are."""

    DAY = "day"
    MODEL = "model"
    """`provider/model`; what needs no model is grouped by its service."""
    AGENT = "agent"
    SERVICE = "service"


@dataclass(frozen=True, slots=True)
class UsageQuantity:
    """How much of one thing."""

    service: str
    unit: str
    quantity: int


@dataclass(frozen=True, slots=True)
class UsageGroup:
    """A group's sums."""

    key: str
    """A date, `provider/model`, an agent's id (empty: none) or a service."""
    name: str | None
    """An agent's name; None for other groups and for agents that are unknown."""
    cost_microcredits: int
    calls: int
    quantities: tuple[UsageQuantity, ...]


@dataclass(frozen=True, slots=True)
class UsageReport:
    """Usage of a project; the groups add up to the total."""

    period: Period
    group_by: GroupBy
    since: date | None
    """First day; None for all time."""
    until: date
    """Today, in UTC."""
    cost_microcredits: int
    calls: int
    groups: tuple[UsageGroup, ...]
    """Days in order; other groups with the dearest first."""
