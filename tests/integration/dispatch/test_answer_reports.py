"""An answer that Redis did not hear of, or forgot, is not a free call."""

from datetime import UTC, datetime, timedelta

import pytest
from redis.asyncio import Redis

from dispatch.calls import Arrival, CallEnd
from telephony.calls import CallState, EndedBy, EndReason
from tests.builders.live_calls import Tenant, live_calls, shift_clock, types_of

pytestmark = pytest.mark.integration

HANG_UP = CallEnd(EndedBy.CALLER, EndReason.HANG_UP)


@pytest.fixture
async def arrival(redis: Redis) -> Arrival:
    """A call that was admitted half a minute ago."""
    tenant = Tenant()
    await tenant.publish(redis, balance=1_000_000)
    arrival = tenant.arrival()
    await live_calls(redis).admit(arrival)
    await shift_clock(redis, arrival.call_id, 30)
    return arrival


def seconds_ago(seconds: float) -> datetime:
    return datetime.now(UTC) - timedelta(seconds=seconds)


async def test_a_heartbeat_starts_the_bill_that_no_report_started(
    redis: Redis, arrival: Arrival
) -> None:
    calls = live_calls(redis)
    answered_at = seconds_ago(10)
    await calls.beat(arrival.call_id, answered_at)
    ended_at = answered_at + timedelta(seconds=9.5)
    settlement = await calls.end(arrival.call_id, HANG_UP, ended_at)
    assert settlement.state is CallState.ENDED
    assert settlement.billed_s == 10


async def test_the_end_of_a_call_tells_of_its_answer(redis: Redis, arrival: Arrival) -> None:
    answered_at = seconds_ago(25)
    settlement = await live_calls(redis).end(
        arrival.call_id, HANG_UP, answered_at + timedelta(seconds=19.5), answered_at
    )
    assert settlement.state is CallState.ENDED
    assert settlement.billed_s == 20
    assert "call.answered" in await types_of(redis, arrival.call_id)


async def test_the_first_report_of_an_answer_wins(redis: Redis, arrival: Arrival) -> None:
    calls = live_calls(redis)
    first = await calls.answered(arrival.call_id, seconds_ago(10))
    await calls.beat(arrival.call_id, seconds_ago(20))
    assert await calls.answered(arrival.call_id, seconds_ago(25)) == first
    assert (await types_of(redis, arrival.call_id)).count("call.answered") == 1


async def test_a_call_that_was_not_answered_stays_free(redis: Redis, arrival: Arrival) -> None:
    calls = live_calls(redis)
    await calls.beat(arrival.call_id)
    settlement = await calls.end(arrival.call_id, HANG_UP)
    assert (settlement.state, settlement.cost_microcredits) == (CallState.MISSED, 0)


@pytest.mark.parametrize("wrong_by_s", [-3_600, 3_600])
async def test_a_worker_whose_clock_is_wrong_bills_the_time_that_passed_on_it(
    redis: Redis, arrival: Arrival, wrong_by_s: int
) -> None:
    calls, answered_at = live_calls(redis), seconds_ago(-wrong_by_s)
    await calls.answered(arrival.call_id, answered_at)
    await shift_clock(redis, arrival.call_id, 40)
    settlement = await calls.end(
        arrival.call_id, HANG_UP, answered_at + timedelta(seconds=17), answered_at
    )
    assert settlement.billed_s == 17
    assert abs(settlement.ended_at - datetime.now(UTC)) < timedelta(minutes=2)
