"""Hanging up and settling, with everything there or not."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest

from dispatch.billing.pricing import NO_USAGE, PricedUsage
from dispatch.calls import CallEnd, Settlement
from dispatch.errors import StoreUnavailable
from telephony.calls import CallState
from worker.closing import settle
from worker.ending import CALLER_HUNG_UP

pytestmark = pytest.mark.unit

AT = datetime(2026, 1, 1, tzinfo=UTC)
ANSWERED_AT = AT - timedelta(seconds=3)


class Books:
    """Redis, away for the first so many times it is asked."""

    def __init__(self, away: float = 0) -> None:
        self._away = away
        self.asked: list[tuple[CallEnd, datetime | None, datetime | None]] = []
        self.usage: PricedUsage | None = None

    async def end(
        self,
        call_id: uuid.UUID,
        call_end: CallEnd,
        at: datetime | None = None,
        answered_at: datetime | None = None,
        usage: PricedUsage = NO_USAGE,
    ) -> Settlement:
        self.asked.append((call_end, at, answered_at))
        self.usage = usage
        if len(self.asked) <= self._away:
            raise StoreUnavailable("Redis did not answer.")
        return Settlement(call_id, CallState.ENDED, AT, 3, 5_000, 95_000, repeated=False)


async def test_settles_from_the_answer_to_the_moment_the_line_went_down():
    books = Books()

    settlement = await settle(books, uuid.uuid4(), CALLER_HUNG_UP, AT, 30.0, ANSWERED_AT)

    assert settlement is not None
    assert settlement.billed_s == 3
    assert books.asked == [(CALLER_HUNG_UP, AT, ANSWERED_AT)]


async def test_settles_what_was_used_as_well():
    books, used = Books(), PricedUsage("2026-11", ())

    await settle(books, uuid.uuid4(), CALLER_HUNG_UP, AT, 30.0, ANSWERED_AT, used)

    assert books.usage is used


async def test_settles_with_the_same_moments_once_redis_is_back():
    books = Books(away=2)

    assert await settle(books, uuid.uuid4(), CALLER_HUNG_UP, AT, 30.0, ANSWERED_AT) is not None
    assert books.asked == [(CALLER_HUNG_UP, AT, ANSWERED_AT)] * 3


async def test_leaves_the_call_to_the_reaper_when_redis_stays_away():
    assert await settle(Books(away=1_000), uuid.uuid4(), CALLER_HUNG_UP, AT, 0.02) is None
