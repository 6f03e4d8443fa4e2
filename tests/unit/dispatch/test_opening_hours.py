"""Opening hours as a clock on the wall shows them, through holidays and changes of the clocks."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from dispatch.opening_hours import (
    Hours,
    OpeningHours,
    Weekday,
    WeeklyHours,
    calendar_problem,
)

pytestmark = pytest.mark.unit

BERLIN = "Europe/Berlin"
WORKDAYS = ["monday", "tuesday", "wednesday", "thursday", "friday"]
OFFICE = [{"days": WORKDAYS, "opens": "09:00", "closes": "17:00"}]

ZONES = st.sampled_from(
    ["UTC", BERLIN, "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "Pacific/Apia"]
)
MINUTES = st.integers(0, 24 * 60 - 1)
MOMENTS = st.datetimes(
    min_value=datetime(2024, 1, 1),  # noqa: DTZ001 - hypothesis adds the zone
    max_value=datetime(2028, 12, 31),  # noqa: DTZ001
    timezones=st.just(UTC),
)


def clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


@st.composite
def weeks(draw: st.DrawFn) -> OpeningHours:
    stretches = []
    for _ in range(draw(st.integers(1, 4))):
        opens, closes = draw(st.tuples(MINUTES, MINUTES).filter(lambda pair: pair[0] != pair[1]))
        days = draw(st.sets(st.sampled_from(list(Weekday)), min_size=1))
        stretches.append(WeeklyHours(days=tuple(days), opens=clock(opens), closes=clock(closes)))
    return OpeningHours(time_zone=draw(ZONES), weekly=tuple(stretches))


def hours(zone: str = BERLIN, **fields: object) -> OpeningHours:
    return OpeningHours.model_validate({"time_zone": zone, "weekly": OFFICE, **fields})


def local(text: str, zone: str = BERLIN, fold: int = 0) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold)


@pytest.mark.parametrize(
    ("at", "is_open"),
    [
        ("2026-11-20T08:59:59", False),
        ("2026-11-20T09:00:00", True),
        ("2026-11-20T16:59:59", True),
        ("2026-11-20T17:00:00", False),
        ("2026-11-21T12:00:00", False),
    ],
)
def test_opens_with_its_first_minute_and_closes_before_its_last(at: str, *, is_open: bool) -> None:
    assert hours().is_open(local(at)) is is_open


def test_nine_stays_nine_when_the_clocks_change() -> None:
    summer, winter = datetime(2026, 7, 1, 7, tzinfo=UTC), datetime(2026, 12, 1, 7, tzinfo=UTC)

    assert hours().is_open(summer)
    assert not hours().is_open(winter)
    assert hours().is_open(winter + timedelta(hours=1))


def test_what_opened_in_the_evening_stays_open_past_midnight_into_a_holiday() -> None:
    bar = hours(
        weekly=[{"days": ["thursday"], "opens": "20:00", "closes": "02:00"}],
        holidays={"country": "DE"},
    )

    assert bar.is_open(local("2026-12-24T23:59:00"))
    assert bar.is_open(local("2026-12-25T01:59:00"))
    assert not bar.is_open(local("2026-12-25T02:00:00"))
    assert not bar.is_open(local("2026-12-25T20:30:00"))


def test_twenty_four_hours_is_the_end_of_the_day() -> None:
    always = hours(weekly=[{"days": list(Weekday), "opens": "00:00", "closes": "24:00"}])

    assert always.is_open(local("2026-11-21T23:59:59"))
    assert always.is_open(local("2026-11-22T00:00:00"))


def test_is_closed_on_a_holiday_of_its_own_state_only() -> None:
    reformation_day = local("2025-10-31T12:00:00")

    assert not hours(holidays={"country": "DE", "subdivision": "BB"}).is_open(reformation_day)
    assert hours(holidays={"country": "DE", "subdivision": "BE"}).is_open(reformation_day)


def test_an_exception_beats_the_holiday_and_the_week() -> None:
    special = hours(
        holidays={"country": "DE"},
        exceptions=[
            {"date": "2026-12-25", "hours": [{"opens": "10:00", "closes": "11:00"}]},
            {"date": "2026-12-28"},
        ],
    )

    assert special.is_open(local("2026-12-25T10:30:00"))
    assert not special.is_open(local("2026-12-25T09:30:00"))
    assert not special.is_open(local("2026-12-28T12:00:00"))
    assert special.is_open(local("2026-12-29T12:00:00"))


def test_a_leap_day_is_a_day_like_any() -> None:
    leap = hours(
        "UTC", exceptions=[{"date": "2028-02-29", "hours": [{"opens": "20:00", "closes": "21:00"}]}]
    )

    assert leap.is_open(local("2028-02-29T20:30:00", "UTC"))
    assert not leap.is_open(local("2028-02-29T12:00:00", "UTC"))


def test_an_hour_that_is_shown_twice_is_open_twice_and_one_that_is_jumped_over_never() -> None:
    night = hours(weekly=[{"days": list(Weekday), "opens": "02:15", "closes": "02:45"}])

    assert night.is_open(local("2026-10-25T02:30:00", fold=0))
    assert night.is_open(local("2026-10-25T02:30:00", fold=1))
    day_of_the_jump = [
        datetime(2026, 3, 28, 23, tzinfo=UTC) + timedelta(minutes=n) for n in range(23 * 60)
    ]
    assert not any(night.is_open(at) for at in day_of_the_jump)


@pytest.mark.parametrize(
    ("at", "opens"),
    [
        ("2026-11-20T17:00:00", "2026-11-23T09:00:00"),
        ("2026-11-23T03:00:00", "2026-11-23T09:00:00"),
        ("2026-12-24T17:30:00", "2026-12-28T09:00:00"),
        ("2026-11-20T12:00:00", "2026-11-20T12:00:00"),
    ],
)
def test_tells_when_it_opens_next(at: str, opens: str) -> None:
    assert hours(holidays={"country": "DE"}).next_opening(local(at)) == local(opens)


def test_opens_after_the_jump_where_the_clocks_jump_over_its_first_minute() -> None:
    early = hours(weekly=[{"days": ["sunday"], "opens": "02:30", "closes": "04:00"}])

    found = early.next_opening(local("2026-03-29T00:00:00"))

    assert found == local("2026-03-29T03:00:00")


def test_hours_without_any_day_never_open() -> None:
    assert hours(weekly=[]).next_opening(local("2026-11-20T12:00:00")) is None


@given(weeks(), MOMENTS)
def test_it_is_open_just_where_a_stretch_of_today_or_yesterday_says_so(
    week: OpeningHours, at: datetime
) -> None:
    shown = at.astimezone(ZoneInfo(week.time_zone))
    minute = shown.hour * 60 + shown.minute

    def covers(stretch: WeeklyHours) -> bool:
        opens, closes = (int(t[:2]) * 60 + int(t[3:]) for t in (stretch.opens, stretch.closes))
        names = list(Weekday)
        today = names[shown.weekday()] in stretch.days
        yesterday = names[(shown.weekday() - 1) % 7] in stretch.days
        if closes > opens:
            return today and opens <= minute < closes
        return (today and minute >= opens) or (yesterday and minute < closes)

    assert week.is_open(at) is any(map(covers, week.weekly))


@given(weeks(), MOMENTS)
def test_it_is_open_when_it_opens_next_and_closed_a_minute_before(
    week: OpeningHours, at: datetime
) -> None:
    at = at.replace(second=0, microsecond=0)
    opens = week.next_opening(at)

    assert opens is not None
    assert opens >= at
    assert week.is_open(opens)
    if opens > at and opens.fold == 0:
        assert not week.is_open(opens - timedelta(minutes=1)) or opens.utcoffset() != (
            (opens.astimezone(UTC) - timedelta(minutes=1))
            .astimezone(ZoneInfo(week.time_zone))
            .utcoffset()
        )


@given(weeks(), MOMENTS)
def test_hours_survive_being_written_down(week: OpeningHours, at: datetime) -> None:
    assert OpeningHours.model_validate_json(week.model_dump_json()).is_open(at) is week.is_open(at)


@given(MINUTES, MINUTES, st.dates(date(2024, 1, 1), date(2028, 12, 31)))
def test_a_stretch_lasts_less_than_a_day(opens: int, closes: int, day: date) -> None:
    if opens == closes:
        return
    begins, ends = Hours(opens=clock(opens), closes=clock(closes)).on(day)

    assert timedelta() < ends - begins < timedelta(days=1)


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        ({"time_zone": "../../etc/passwd"}, "pattern"),
        ({"holidays": {"country": "Germany"}}, "pattern"),
        ({"weekly": [{"days": ["monday"], "opens": "09:00", "closes": "09:00"}]}, "differ"),
        ({"weekly": [{"days": ["monday"], "opens": "24:00", "closes": "09:00"}]}, "pattern"),
        ({"weekly": [{"days": [], "opens": "08:00", "closes": "09:00"}]}, "at least 1"),
        ({"exceptions": [{"date": "2026-12-24"}, {"date": "2026-12-24"}]}, "twice"),
        ({"exceptions": [{"date": 1_766_534_400}]}, "2026-12-24"),
        ({"exceptions": [{"date": "2026-02-29"}]}, "date"),
    ],
)
def test_refuses_what_no_clock_or_calendar_shows(wrong: dict[str, object], word: str) -> None:
    with pytest.raises(ValidationError, match=word):
        OpeningHours.model_validate({"time_zone": BERLIN, "weekly": OFFICE, **wrong})


@pytest.mark.parametrize(
    ("wrong", "field", "word"),
    [
        ({"time_zone": "Europe/Atlantis"}, "time_zone", "IANA"),
        ({"time_zone": "localtime"}, "time_zone", "IANA"),
        ({"holidays": {"country": "ZZ"}}, "holidays.country", "no country"),
        (
            {"holidays": {"country": "DE", "subdivision": "CA"}},
            "holidays.subdivision",
            "none of DE's",
        ),
    ],
)
def test_names_a_zone_or_a_calendar_that_is_not_known(
    wrong: dict[str, object], field: str, word: str
) -> None:
    problem = calendar_problem(OpeningHours.model_validate({"time_zone": BERLIN, **wrong}))

    assert problem is not None
    assert problem[0] == field
    assert word in problem[1]


def test_finds_nothing_wrong_with_zones_and_calendars_there_are() -> None:
    assert calendar_problem(hours()) is None
    assert calendar_problem(hours(holidays={"country": "DE", "subdivision": "BE"})) is None
