"""When a number is open: by the week, with holidays and exceptions, as a clock on its wall shows.

Hours are local wall time, so that "from nine" stays nine when the clocks change. An interval that
closes at or before the time it opens ends on the next day and belongs to the day it began: what
opened on Saturday evening stays open past midnight, even into a holiday.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import Annotated, Final
from zoneinfo import ZoneInfo

import holidays
import holidays.countries  # loaded with the first country otherwise, while a call waits
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

_LOOK_AHEAD_DAYS: Final = 400
"""How far the next opening is searched for: longer than any list of exceptions is useful."""

_MIDNIGHT: Final = "24:00"
_A_DAY: Final = timedelta(days=1)


class Weekday(StrEnum):
    """A day of the week, in the order of `date.weekday`."""

    MONDAY = "monday"
    TUESDAY = "tuesday"
    WEDNESDAY = "wednesday"
    THURSDAY = "thursday"
    FRIDAY = "friday"
    SATURDAY = "saturday"
    SUNDAY = "sunday"


_WEEKDAYS: Final = tuple(Weekday)


@cache
def _known_zones() -> frozenset[str]:
    # Not the system's own list: it differs from machine to machine.
    return frozenset(files("tzdata").joinpath("zones").read_text("utf-8").split())


def _written_date(value: object) -> object:
    # Pydantic also reads seconds since 1970 where a date is expected.
    if not isinstance(value, str | date):
        raise ValueError("a date is written 2026-12-24")  # noqa: TRY004 - pydantic wants this one
    return value


TimeZoneName = Annotated[str, StringConstraints(max_length=64, pattern=r"^[A-Za-z0-9_+/-]+$")]
"""As the IANA database spells it; `calendar_problem` knows which there are."""
OpensAt = Annotated[str, StringConstraints(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
ClosesAt = Annotated[str, StringConstraints(pattern=r"^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$")]
WrittenDate = Annotated[date, BeforeValidator(_written_date)]


class Hours(BaseModel):
    """One stretch of a day; past midnight when it closes before it opens."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    opens: OpensAt = Field(examples=["09:00"])
    closes: ClosesAt = Field(examples=["17:00"])
    """First minute that is closed again; `24:00` is the end of the day."""

    @model_validator(mode="after")
    def _takes_time(self) -> "Hours":
        if self.opens == self.closes:
            raise ValueError("closes: must differ from opens; a whole day is 00:00 to 24:00")
        return self

    def on(self, day: date) -> tuple[datetime, datetime]:
        """Return when it opens and closes on a day, in local wall time without a zone."""
        opens = datetime.combine(day, time.fromisoformat(self.opens))
        if self.closes == _MIDNIGHT:
            return opens, datetime.combine(day + _A_DAY, time())
        closes = datetime.combine(day, time.fromisoformat(self.closes))
        return opens, closes if closes > opens else closes + _A_DAY


class WeeklyHours(Hours):
    """The same stretch on several days of every week."""

    days: tuple[Weekday, ...] = Field(min_length=1, max_length=7)


class DatedHours(BaseModel):
    """The hours of one date, whatever the week or the calendar say; none: closed all day."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    date: WrittenDate
    hours: tuple[Hours, ...] = Field(default=(), max_length=10)


class HolidayCalendar(BaseModel):
    """Public holidays, on which a number is closed.

    They are the library `holidays`', which follows its countries' laws.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    country: str = Field(pattern=r"^[A-Z]{2}$", examples=["DE"])
    """ISO 3166-1 code."""
    subdivision: str | None = Field(default=None, pattern=r"^[A-Za-z0-9 -]{1,40}$", examples=["BE"])
    """State or province, as its ISO 3166-2 code after the country's; None for the whole country's
    holidays only."""

    def has(self, day: date) -> bool:
        """Whether a day is a holiday there."""
        return day in _calendar(self.country, self.subdivision)


@cache
def _calendar(country: str, subdivision: str | None) -> holidays.HolidayBase:
    # It works a year out when it is first asked about it.
    return holidays.country_holidays(country, subdiv=subdivision)


class OpeningHours(BaseModel):
    """When calls are taken; at any other time the number is closed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    time_zone: TimeZoneName = Field(examples=["Europe/Berlin"])
    weekly: tuple[WeeklyHours, ...] = Field(default=(), max_length=50)
    holidays: HolidayCalendar | None = None
    exceptions: tuple[DatedHours, ...] = Field(default=(), max_length=400)
    """Dates with hours of their own; they also open a holiday."""

    @model_validator(mode="after")
    def _dates_are_different(self) -> "OpeningHours":
        dates = [exception.date for exception in self.exceptions]
        if len(set(dates)) != len(dates):
            raise ValueError("exceptions: the same date stands there twice")
        return self

    def local(self, at: datetime) -> datetime:
        """Return a moment as the number's own clock and calendar show it."""
        return at.astimezone(ZoneInfo(self.time_zone))

    def is_open(self, at: datetime) -> bool:
        """Whether a call at this moment (aware) is taken."""
        now = self.local(at).replace(tzinfo=None)
        today = now.date()
        return any(
            opens <= now < closes
            for day in (today - _A_DAY, today)
            for opens, closes in self._intervals(day)
        )

    def next_opening(self, at: datetime) -> datetime | None:
        """Return the first open moment from `at` on, in local time; None when there is none.

        It is None as well when that lies more than a year ahead; and in an hour that a clock set
        back shows twice, the second time is passed over.
        """
        if self.is_open(at):
            return self.local(at)
        today = self.local(at).date()
        for ahead in range(_LOOK_AHEAD_DAYS):
            for opens, _ in sorted(self._intervals(today + ahead * _A_DAY)):
                begins = self._first_moment(opens)
                # Hours that the clocks jump over never come.
                if begins > at and self.is_open(begins):
                    return self.local(begins)
        return None

    def _first_moment(self, wall: datetime) -> datetime:
        """Return when a clock there first shows this time, or the next where it jumps over it."""
        zone = ZoneInfo(self.time_zone)
        moment = wall.replace(tzinfo=zone).astimezone(UTC)
        minute = timedelta(minutes=1)
        # In the gap that a clock set forward leaves, Python's answer lies behind the jump.
        while (moment - minute).astimezone(zone).replace(tzinfo=None) > wall:
            moment -= minute
        return moment

    def _intervals(self, day: date) -> Iterator[tuple[datetime, datetime]]:
        return (hours.on(day) for hours in self._hours(day))

    def _hours(self, day: date) -> Sequence[Hours]:
        for exception in self.exceptions:
            if exception.date == day:
                return exception.hours
        if self.holidays is not None and self.holidays.has(day):
            return ()
        weekday = _WEEKDAYS[day.weekday()]
        return [hours for hours in self.weekly if weekday in hours.days]


def calendar_problem(hours: OpeningHours) -> tuple[str, str] | None:
    """Return which field names a zone or a calendar that does not exist, and what it should be.

    Hours that are read again are not asked this: it takes files, and what was once known stays
    known.
    """
    if hours.time_zone not in _known_zones():
        return "time_zone", "There is no such time zone in the IANA database."
    if hours.holidays is None:
        return None
    country, subdivision = hours.holidays.country, hours.holidays.subdivision
    try:
        subdivisions = _calendar(country, None).subdivisions
    except NotImplementedError:
        return "holidays.country", "There is no country of this code whose holidays are known."
    if subdivision is not None and subdivision not in subdivisions:
        known = ", ".join(subdivisions) or "none"
        return (
            "holidays.subdivision",
            f"It is none of {country}'s subdivisions, which are: {known}.",
        )
    return None
