"""Admission, metering and the end of a call on a real Redis."""

import asyncio
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from redis.asyncio import Redis

from dispatch.balances import Balances
from dispatch.calls import Admitted, CallEnd, RefusalReason, Refused, Turn
from dispatch.routes import Routes
from dispatch.store import redis_keys
from dispatch.store.redis_client import connect_redis
from telephony.calls import CallState, EndedBy, EndReason
from tests.builders.live_calls import (
    Tenant,
    events_of,
    lapse,
    live_calls,
    shift_clock,
    types_of,
)

pytestmark = pytest.mark.integration

HANG_UP = CallEnd(EndedBy.CALLER, EndReason.HANG_UP)
BLOCK = 100_000


class TestAdmission:
    async def test_admits_and_reserves_one_block(self, redis: Redis, tenant: Tenant) -> None:
        arrival = tenant.arrival()
        answer = await live_calls(redis).admit(arrival)
        assert isinstance(answer, Admitted)
        assert answer.agent == tenant.agent(
            created_at=answer.agent.created_at, updated_at=answer.agent.updated_at
        )
        assert answer.funded_s == 60
        assert await Balances(redis).get(tenant.organization_id) == 900_000
        events = await events_of(redis, arrival.call_id)
        assert [event["type"] for event in events] == [
            "call.ringing",
            "call.admitted",
            "credit.reserved",
        ]
        assert events[0]["called_number"] == tenant.did
        assert events[1]["agent_version"] == 3
        assert events[1]["price_microcredits_per_minute"] == BLOCK
        assert events[2]["amount_microcredits"] == -BLOCK

    async def test_an_unknown_number_is_refused_and_on_record(self, redis: Redis) -> None:
        arrival = Tenant().arrival()
        assert await live_calls(redis).admit(arrival) == Refused(
            arrival.call_id, RefusalReason.NUMBER_UNKNOWN
        )
        assert await types_of(redis, arrival.call_id) == ["call.ringing", "call.refused"]

    async def test_an_unassigned_number_is_refused_on_its_tenants_record(
        self, redis: Redis, tenant: Tenant
    ) -> None:
        await Routes(redis).publish_route(tenant.did, tenant.route(None))
        arrival = tenant.arrival()
        answer = await live_calls(redis).admit(arrival)
        assert answer == Refused(arrival.call_id, RefusalReason.NUMBER_UNASSIGNED)
        refused = (await events_of(redis, arrival.call_id))[-1]
        assert refused["organization_id"] == str(tenant.organization_id)
        assert refused["project_id"] == str(tenant.project_id)
        assert refused["reason"] == "number_unassigned"

    @pytest.mark.parametrize(
        "changes", [{"is_active": False}, {"voice_enabled": False}, {"project_id": uuid.uuid4()}]
    )
    async def test_an_agent_that_may_not_speak_is_refused(
        self, redis: Redis, tenant: Tenant, changes: dict[str, object]
    ) -> None:
        await Routes(redis).publish_agent(tenant.agent(**changes))
        answer = await live_calls(redis).admit(tenant.arrival())
        assert isinstance(answer, Refused)
        assert answer.reason is RefusalReason.AGENT_UNAVAILABLE

    async def test_an_unknown_balance_is_refused(self, redis: Redis) -> None:
        tenant = Tenant()
        await tenant.publish(redis, balance=None)
        answer = await live_calls(redis).admit(tenant.arrival())
        assert isinstance(answer, Refused)
        assert answer.reason is RefusalReason.BALANCE_UNKNOWN

    async def test_a_balance_below_one_block_is_refused_and_kept(self, redis: Redis) -> None:
        tenant = Tenant()
        await tenant.publish(redis, balance=BLOCK - 1)
        answer = await live_calls(redis).admit(tenant.arrival())
        assert isinstance(answer, Refused)
        assert answer.reason is RefusalReason.INSUFFICIENT_CREDITS
        assert await Balances(redis).get(tenant.organization_id) == BLOCK - 1

    @pytest.mark.parametrize(
        ("limit", "reason"),
        [
            ("max_calls", RefusalReason.CAPACITY_INSTALLATION),
            ("max_calls_per_organization", RefusalReason.CAPACITY_ORGANIZATION),
            ("max_calls_per_number", RefusalReason.CAPACITY_NUMBER),
        ],
    )
    async def test_a_full_limit_refuses_until_a_call_ends(
        self, redis: Redis, tenant: Tenant, limit: str, reason: RefusalReason
    ) -> None:
        calls, first = live_calls(redis, **{limit: 1}), tenant.arrival()
        assert isinstance(await calls.admit(first), Admitted)
        refused = await calls.admit(tenant.arrival())
        assert isinstance(refused, Refused)
        assert refused.reason is reason
        await calls.end(first.call_id, HANG_UP)
        assert isinstance(await calls.admit(tenant.arrival()), Admitted)

    async def test_a_lapsed_slot_counts_for_nothing(self, redis: Redis, tenant: Tenant) -> None:
        calls, first = live_calls(redis, max_calls=1), tenant.arrival()
        await calls.admit(first)
        await lapse(redis, tenant, first.call_id)
        assert isinstance(await calls.admit(tenant.arrival()), Admitted)

    async def test_a_late_job_cannot_revive_a_call(self, redis: Redis, tenant: Tenant) -> None:
        calls, arrival = live_calls(redis), tenant.arrival()
        await calls.admit(arrival)
        await calls.end(arrival.call_id, HANG_UP)
        answer = await calls.admit(arrival)
        assert answer == Refused(arrival.call_id, RefusalReason.ALREADY_OVER)

    async def test_nobody_is_answered_when_redis_is_down(self) -> None:
        redis = connect_redis("redis://127.0.0.1:1/0")
        answer = await live_calls(redis).admit(Tenant().arrival())
        await redis.aclose()
        assert isinstance(answer, Refused)
        assert answer.reason is RefusalReason.STORE_UNAVAILABLE

    async def test_fifty_calls_at_once_on_credit_for_seven_admit_seven(self, redis: Redis) -> None:
        tenant = Tenant()
        await tenant.publish(redis, balance=7 * BLOCK + BLOCK - 1)
        calls = live_calls(redis)
        answers = await asyncio.gather(*(calls.admit(tenant.arrival()) for _ in range(50)))
        assert sum(isinstance(answer, Admitted) for answer in answers) == 7
        assert await Balances(redis).get(tenant.organization_id) == BLOCK - 1

    async def test_fifty_calls_at_once_for_five_slots_admit_five(
        self, redis: Redis, tenant: Tenant
    ) -> None:
        calls = live_calls(redis, max_calls_per_organization=5)
        answers = await asyncio.gather(*(calls.admit(tenant.arrival()) for _ in range(50)))
        assert sum(isinstance(answer, Admitted) for answer in answers) == 5


class TestAnswer:
    async def test_the_first_report_wins(self, redis: Redis, tenant: Tenant) -> None:
        calls, arrival = live_calls(redis), tenant.arrival()
        await calls.admit(arrival)
        first = await calls.answered(arrival.call_id, datetime.now(UTC))
        assert await calls.answered(arrival.call_id, datetime.now(UTC)) == first

    async def test_it_lies_between_admission_and_now(self, redis: Redis, tenant: Tenant) -> None:
        calls, early, late = live_calls(redis), tenant.arrival(), tenant.arrival()
        before = datetime.now(UTC) - timedelta(milliseconds=2)
        for arrival, offset in ((early, -1), (late, 1)):
            await calls.admit(arrival)
            at = await calls.answered(arrival.call_id, before + timedelta(days=offset))
            assert at is not None
            assert before <= at <= datetime.now(UTC) + timedelta(milliseconds=2)

    async def test_a_call_never_admitted_cannot_be_answered(
        self, redis: Redis, tenant: Tenant
    ) -> None:
        calls, arrival = live_calls(redis), tenant.arrival()
        await calls.ring(arrival)
        assert await calls.answered(arrival.call_id, datetime.now(UTC)) is None


class TestBeat:
    async def test_extends_by_a_block_when_little_is_left(
        self, redis: Redis, tenant: Tenant
    ) -> None:
        calls, arrival = live_calls(redis), tenant.arrival()
        await calls.admit(arrival)
        await calls.answered(arrival.call_id, datetime.now(UTC))
        await shift_clock(redis, arrival.call_id, 45)
        beat = await calls.beat(arrival.call_id)
        assert beat.known
        assert beat.extendable
        assert 60 < beat.remaining_funded_s <= 75
        assert await Balances(redis).get(tenant.organization_id) == 800_000

    async def test_an_unanswered_call_uses_nothing(self, redis: Redis, tenant: Tenant) -> None:
        calls, arrival = live_calls(redis), tenant.arrival()
        await calls.admit(arrival)
        await shift_clock(redis, arrival.call_id, 45)
        assert (await calls.beat(arrival.call_id)).remaining_funded_s == 60

    async def test_takes_what_is_left_and_says_once_that_the_end_is_near(
        self, redis: Redis
    ) -> None:
        tenant = Tenant()
        await tenant.publish(redis, balance=BLOCK + BLOCK // 4)
        calls, arrival = live_calls(redis), tenant.arrival()
        await calls.admit(arrival)
        await calls.answered(arrival.call_id, datetime.now(UTC))
        await shift_clock(redis, arrival.call_id, 50)
        beat = await calls.beat(arrival.call_id)
        assert not beat.extendable
        assert 0 < beat.remaining_funded_s <= 25
        await shift_clock(redis, arrival.call_id, 20)
        assert not (await calls.beat(arrival.call_id)).extendable
        assert await Balances(redis).get(tenant.organization_id) == 0
        assert (await types_of(redis, arrival.call_id)).count("credit.low") == 1

    async def test_a_call_that_is_over_is_ended_and_a_lost_one_is_unknown(
        self, redis: Redis, tenant: Tenant
    ) -> None:
        calls, arrival = live_calls(redis), tenant.arrival()
        await calls.admit(arrival)
        await calls.end(arrival.call_id, HANG_UP)
        over = await calls.beat(arrival.call_id)
        lost = await calls.beat(uuid.uuid4())
        assert (over.known, over.ended) == (False, True)
        assert (lost.known, lost.ended) == (False, False)

    async def test_a_free_call_is_funded_for_longer_than_it_may_last(
        self, redis: Redis, tenant: Tenant
    ) -> None:
        calls = live_calls(redis, sip_price_microcredits_per_minute=0)
        arrival = tenant.arrival()
        admitted = await calls.admit(arrival)
        assert isinstance(admitted, Admitted)
        assert admitted.funded_s >= 86_400
        assert (await calls.beat(arrival.call_id)).remaining_funded_s >= 86_400


class TestEnd:
    async def test_bills_every_started_second_and_gives_the_rest_back(
        self, redis: Redis, tenant: Tenant
    ) -> None:
        calls, arrival = live_calls(redis), tenant.arrival()
        await calls.admit(arrival)
        answered_at = await calls.answered(arrival.call_id, datetime.now(UTC))
        assert answered_at is not None
        await shift_clock(redis, arrival.call_id, 30)
        ended_at = answered_at - timedelta(seconds=30) + timedelta(seconds=12.3)
        settlement = await calls.end(arrival.call_id, HANG_UP, ended_at)
        assert (settlement.state, settlement.billed_s) == (CallState.ENDED, 13)
        assert settlement.cost_microcredits == 21_667
        assert settlement.refunded_microcredits == BLOCK - 21_667
        assert await Balances(redis).get(tenant.organization_id) == 1_000_000 - 21_667
        money = [
            (event["kind"], event["amount_microcredits"])
            for event in await events_of(redis, arrival.call_id)
            if str(event["type"]).startswith("credit.")
        ]
        assert money == [("reserve", -BLOCK), ("release", BLOCK), ("charge", -21_667)]

    async def test_settles_once(self, redis: Redis, tenant: Tenant) -> None:
        calls, arrival = live_calls(redis), tenant.arrival()
        await calls.admit(arrival)
        await calls.answered(arrival.call_id, datetime.now(UTC))
        settlements = await asyncio.gather(
            *(calls.end(arrival.call_id, HANG_UP) for _ in range(10))
        )
        assert sorted(settlement.repeated for settlement in settlements) == [False] + [True] * 9
        assert len({settlement.cost_microcredits for settlement in settlements}) == 1
        assert (await types_of(redis, arrival.call_id)).count("credit.charged") <= 1

    async def test_never_answered_is_free_and_missed(self, redis: Redis, tenant: Tenant) -> None:
        calls, arrival = live_calls(redis), tenant.arrival()
        await calls.admit(arrival)
        settlement = await calls.end(arrival.call_id, CallEnd(EndedBy.CALLER, EndReason.ABANDONED))
        assert settlement.state is CallState.MISSED
        assert settlement.cost_microcredits == 0
        assert await Balances(redis).get(tenant.organization_id) == 1_000_000
        assert "credit.charged" not in await types_of(redis, arrival.call_id)

    async def test_never_charges_more_than_there_is(self, redis: Redis) -> None:
        tenant = Tenant()
        await tenant.publish(redis, balance=BLOCK + 10)
        calls, arrival = live_calls(redis), tenant.arrival()
        await calls.admit(arrival)
        await calls.answered(arrival.call_id, datetime.now(UTC))
        await shift_clock(redis, arrival.call_id, 500)
        settlement = await calls.end(arrival.call_id, HANG_UP)
        assert settlement.cost_microcredits == BLOCK + 10
        assert await Balances(redis).get(tenant.organization_id) == 0

    async def test_leaves_nothing_behind_but_the_record(self, redis: Redis, tenant: Tenant) -> None:
        calls, arrival = live_calls(redis), tenant.arrival()
        await calls.ring(arrival)
        await calls.admit(arrival)
        await calls.end(arrival.call_id, HANG_UP)
        left = {key for key in await redis.keys("dp:*") if "calls" in key or "leases" in key}
        assert left == set()
        assert 0 < await redis.ttl(redis_keys.call(arrival.call_id)) <= 3_600

    async def test_a_turn_is_taken_after_the_end_too(self, redis: Redis, tenant: Tenant) -> None:
        calls, arrival = live_calls(redis), tenant.arrival()
        await calls.admit(arrival)
        await calls.end(arrival.call_id, HANG_UP)
        await calls.record_turn(
            arrival.call_id, "entry", Turn("agent", "Goodbye.", datetime.now(UTC))
        )
        assert (await types_of(redis, arrival.call_id))[-1] == "turn"

    async def test_an_entry_written_twice_is_on_record_once(
        self, redis: Redis, tenant: Tenant
    ) -> None:
        calls, arrival = live_calls(redis), tenant.arrival()
        await calls.admit(arrival)
        for entry_id in ("first", "first", "second"):
            await calls.record_keys(arrival.call_id, entry_id, "2", datetime.now(UTC))
        assert (await types_of(redis, arrival.call_id)).count("keys") == 2


class TestLost:
    async def test_is_billed_up_to_the_last_heartbeat(self, redis: Redis, tenant: Tenant) -> None:
        calls, arrival = live_calls(redis), tenant.arrival()
        await calls.admit(arrival)
        await calls.answered(arrival.call_id, datetime.now(UTC))
        await shift_clock(redis, arrival.call_id, 10)
        await calls.beat(arrival.call_id)
        await shift_clock(redis, arrival.call_id, 15)
        await lapse(redis, tenant, arrival.call_id)
        assert await calls.lapsed() == [arrival.call_id]
        settlement = await calls.end_lost(arrival.call_id)
        assert settlement is not None
        assert 10 <= settlement.billed_s < 25
        assert await calls.lapsed() == []
        ended = next(e for e in await events_of(redis) if e["type"] == "call.ended")
        assert (ended["ended_by"], ended["end_reason"]) == ("system", "worker_lost")

    async def test_is_kept_when_its_heartbeat_came_back(self, redis: Redis, tenant: Tenant) -> None:
        calls, arrival = live_calls(redis), tenant.arrival()
        await calls.admit(arrival)
        await lapse(redis, tenant, arrival.call_id)
        await calls.beat(arrival.call_id)
        assert await calls.end_lost(arrival.call_id) is None
        assert await calls.lapsed() == []


class TestMiss:
    async def test_a_ringing_call_is_missed_once(self, redis: Redis, tenant: Tenant) -> None:
        calls, arrival = live_calls(redis), tenant.arrival()
        await calls.ring(arrival)
        assert await calls.stale_ringing(0) == [arrival.call_id]
        assert await calls.stale_ringing(60) == []
        abandoned = CallEnd(EndedBy.CALLER, EndReason.ABANDONED)
        assert await calls.miss(arrival.call_id, abandoned)
        assert not await calls.miss(arrival.call_id, abandoned)
        assert await calls.stale_ringing(0) == []
        assert await types_of(redis, arrival.call_id) == ["call.ringing", "call.missed"]

    async def test_an_admitted_call_is_not_missed(self, redis: Redis, tenant: Tenant) -> None:
        calls, arrival = live_calls(redis), tenant.arrival()
        await calls.admit(arrival)
        assert not await calls.miss(arrival.call_id, CallEnd(EndedBy.CALLER, EndReason.ABANDONED))
