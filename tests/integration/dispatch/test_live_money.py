"""Money and slots of live calls against a plain model, in any order and repeated."""

import asyncio
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis

from dispatch.balances import Balances
from dispatch.billing.items import Service, Unit, UsageItem
from dispatch.billing.prices import PriceBook
from dispatch.billing.pricing import PricedUsage, price_usage
from dispatch.billing.record import records_of_call
from dispatch.calls import Admitted, Arrival, CallEnd, Settlement
from dispatch.live_calls import LiveCalls
from dispatch.store import redis_keys
from telephony.calls import CallState, EndedBy, EndReason
from tests.builders.live_calls import Tenant, events_of, lapse, live_calls, shift_clock

pytestmark = pytest.mark.integration

PRICE = 100_000
BLOCK_S = 60
CALLS = 3
SLOTS = 2
TOKEN_PRICE = 10
"""Micro-credits for a token that gpt-4o writes."""

AMOUNTS = st.sampled_from([1, 7, 30, 59, 200])
WAY = ["admit", "answer", "talk", "use", "beat", "use"]
"""How a call goes. Each call is some way along it before the steps in any order begin, or few
examples would get as far as a bill."""

Step = tuple[str, int, int]


def begun(index: int) -> st.SearchStrategy[list[Step]]:
    """A call's first steps."""
    return (
        st.integers(0, len(WAY))
        .flatmap(
            lambda length: st.tuples(
                *(st.tuples(st.just(name), st.just(index), AMOUNTS) for name in WAY[:length])
            )
        )
        .map(list)
    )


STEPS = st.tuples(
    *(begun(index) for index in range(CALLS)),
    st.lists(
        st.tuples(
            st.sampled_from(
                [*WAY, *WAY, "ring", "end", "end", "lapse", "miss", "top_up", "late_beat", "adjust"]
            ),
            st.integers(0, CALLS - 1),
            AMOUNTS,
        ),
        min_size=4,
        max_size=16,
    ),
).map(lambda parts: [step for part in parts for step in part])


def usage_of(tokens: int) -> PricedUsage:
    """What so many tokens cost, and some audio that costs nothing."""
    items = [
        UsageItem(Service.LLM, "openai", "gpt-4o", Unit.OUTPUT_TOKENS, tokens),
        UsageItem(Service.STT, "builtin", "", Unit.AUDIO_MS, tokens),
    ]
    return price_usage(items, PriceBook.load().tables[0])


@dataclass
class ModelCall:
    """What a call should be, to the second."""

    state: str = "none"
    admitted: bool = False
    answered: bool = False
    reserved: int = 0
    used: int = 0
    """Tokens the worker counted."""
    told: int = 0
    """Tokens of which Redis was told."""
    over: bool = False
    settled: int = 0


@dataclass
class Model:
    """Credit and slots in plain Python; how long a call talked is read from its settlement."""

    balance: int
    topped_up: int
    operations: set[str] = field(default_factory=set)
    calls: list[ModelCall] = field(default_factory=lambda: [ModelCall() for _ in range(CALLS)])

    @property
    def slots_used(self) -> int:
        return sum(call.admitted and not call.over for call in self.calls)

    def admits(self, call: ModelCall) -> bool:
        if call.over or call.admitted:
            return call.admitted and not call.over
        return self.balance >= PRICE and self.slots_used < SLOTS


class Run:
    """Takes the same steps in Redis and in the model, and compares after each."""

    def __init__(self, redis: Redis, tenant: Tenant, balance: int) -> None:
        self.redis = redis
        self.tenant = tenant
        # Only the steps let leases lapse, however long a slow machine takes from one to the next.
        self.store: LiveCalls = live_calls(
            redis, max_calls_per_organization=SLOTS, lease_ttl=timedelta(hours=1)
        )
        self.balances = Balances(redis)
        self.model = Model(balance, balance)
        self.arrivals: list[Arrival] = [tenant.arrival() for _ in range(CALLS)]

    async def step(self, name: str, index: int, amount: int) -> None:
        call, arrival = self.model.calls[index], self.arrivals[index]
        before = self.model.balance
        await getattr(self, f"_{name}")(call, arrival, amount)
        await self.check()
        # Only a correction by hand takes a balance below zero, or one below zero further down.
        assert name == "adjust" or self.model.balance >= min(0, before)

    async def _ring(self, call: ModelCall, arrival: Arrival, _: int) -> None:
        await self.store.ring(arrival)
        if call.state == "none":
            call.state = "ringing"

    async def _admit(self, call: ModelCall, arrival: Arrival, _: int) -> None:
        expected = self.model.admits(call)
        answer = await self.store.admit(arrival)
        assert isinstance(answer, Admitted) == expected
        if expected and not call.admitted:
            self.model.balance -= PRICE
            call.admitted, call.reserved = True, PRICE
        if not expected:
            call.over = True
        call.state = "known"

    async def _answer(self, call: ModelCall, arrival: Arrival, _: int) -> None:
        at = await self.store.answered(arrival.call_id, datetime.now(UTC))
        assert (at is not None) == (call.admitted and not call.over)
        call.answered = call.answered or at is not None

    async def _talk(self, call: ModelCall, arrival: Arrival, seconds: int) -> None:
        if call.admitted and not call.over:
            await shift_clock(self.redis, arrival.call_id, seconds)

    async def _beat(self, call: ModelCall, arrival: Arrival, _: int) -> None:
        before = await self.balances.get(self.tenant.organization_id)
        assert before is not None
        beat = await self.store.beat(arrival.call_id, usage=usage_of(call.used))
        after = await self.balances.get(self.tenant.organization_id)
        assert after is not None
        assert beat.known == (call.admitted and not call.over)
        taken = before - after
        assert 0 <= taken <= max(0, self.model.balance)
        if beat.known:
            call.told = call.used
        if beat.known and beat.extendable:
            assert taken % PRICE == 0 or call.used
            assert beat.remaining_funded_s >= 20 - 0.001
        self.model.balance -= taken
        call.reserved += taken

    async def _use(self, call: ModelCall, _: Arrival, amount: int) -> None:
        if call.admitted and not call.over:
            call.used += amount * 100 + 1

    async def _late_beat(self, call: ModelCall, arrival: Arrival, _: int) -> None:
        """A beat that was sent before the last one and arrives after it."""
        before = await self.balances.get(self.tenant.organization_id)
        assert before is not None
        await self.store.beat(arrival.call_id, usage=usage_of(call.told // 2))
        after = await self.balances.get(self.tenant.organization_id)
        assert after is not None
        self.model.balance -= before - after
        call.reserved += before - after

    async def _end(self, call: ModelCall, arrival: Arrival, _: int) -> None:
        if call.state == "none":
            return
        settlement = await self.store.end(
            arrival.call_id,
            CallEnd(EndedBy.CALLER, EndReason.HANG_UP),
            usage=usage_of(call.used),
        )
        assert settlement.repeated == call.over
        if not call.over:
            self._settle(call, settlement, call.used)
            assert settlement.state is (CallState.ENDED if call.answered else CallState.MISSED)

    async def _lapse(self, call: ModelCall, arrival: Arrival, _: int) -> None:
        await lapse(self.redis, self.tenant, arrival.call_id)
        lost = await self.store.lapsed()
        assert (arrival.call_id in lost) == (call.admitted and not call.over)
        settlement = await self.store.end_lost(arrival.call_id)
        assert (settlement is not None) == (call.admitted and not call.over)
        assert await self.store.end_lost(arrival.call_id) is None
        if settlement is not None:
            # What the worker did not live to tell is not billed.
            self._settle(call, settlement, call.told)

    async def _miss(self, call: ModelCall, arrival: Arrival, _: int) -> None:
        missed = await self.store.miss(
            arrival.call_id, CallEnd(EndedBy.CALLER, EndReason.ABANDONED)
        )
        assert missed == (call.state == "ringing" and not call.over)
        if missed:
            call.over = True
            call.settled += 1

    async def _top_up(self, _: ModelCall, arrival: Arrival, amount: int) -> None:
        operation = f"{arrival.call_id}-{amount}"
        if operation not in self.model.operations:
            self.model.operations.add(operation)
            self.model.balance += amount * 1_000
            self.model.topped_up += amount * 1_000
        balance = await self.balances.apply_top_up(
            self.tenant.organization_id, operation, amount * 1_000
        )
        assert balance == self.model.balance

    async def _adjust(self, _: ModelCall, arrival: Arrival, amount: int) -> None:
        operation = f"{arrival.call_id}-adjust-{amount}"
        if operation not in self.model.operations:
            self.model.operations.add(operation)
            self.model.balance -= amount * 5_000
            self.model.topped_up -= amount * 5_000
        balance = await self.balances.apply_top_up(
            self.tenant.organization_id, operation, -amount * 5_000
        )
        assert balance == self.model.balance

    def _settle(self, call: ModelCall, settlement: Settlement, tokens: int) -> None:
        cost = settlement.cost_microcredits
        if call.answered:
            bill = math.ceil(settlement.billed_s * PRICE / 60) + tokens * TOKEN_PRICE
        else:
            bill = 0
            assert settlement.billed_s == 0
        assert cost == min(bill, call.reserved + max(0, self.model.balance))
        assert settlement.uncollected_microcredits == bill - cost
        self.model.balance += call.reserved - cost
        call.over = True
        call.settled += 1

    async def check(self) -> None:
        balance = await self.balances.get(self.tenant.organization_id)
        assert balance == self.model.balance
        events = await events_of(self.redis)
        money = sum(
            event["amount_microcredits"]
            for event in events
            if str(event["type"]).startswith("credit.") and event["type"] != "credit.low"
        )
        assert self.model.topped_up + money == balance
        for key in (
            redis_keys.CALLS_LIVE,
            redis_keys.leases_organization(self.tenant.organization_id),
            redis_keys.leases_number(self.tenant.did),
        ):
            assert await self.redis.zcard(key) == self.model.slots_used
        await self._check_calls(events)

    async def _check_calls(self, events: list[dict[str, Any]]) -> None:
        for arrival, call in zip(self.arrivals, self.model.calls, strict=True):
            own = [event for event in events if event["call_id"] == str(arrival.call_id)]
            assert [event["seq"] for event in own] == list(range(1, len(own) + 1))
            final = {"call.ended", "call.missed", "call.refused"}
            assert sum(event["type"] in final for event in own) == call.over
            assert call.settled <= 1
            for event in own:
                if event["type"] == "call.ended":
                    self._check_bill(arrival, event)

    def _check_bill(self, arrival: Arrival, event: dict[str, Any]) -> None:
        """The parts of a bill on record add up to what was charged."""
        records = records_of_call(arrival.call_id, event, datetime.now(UTC))
        assert records
        assert {record.agent_id for record in records} == {self.tenant.agent_id}
        total = sum(record.part.cost_microcredits for record in records)
        assert total == event["cost_microcredits"]


@contextmanager
def one_loop() -> Iterator[asyncio.Runner]:
    """One event loop for all examples: a Redis client belongs to its loop."""
    with asyncio.Runner() as runner:
        yield runner


def test_money_and_slots_agree_with_the_model_in_any_order(redis_url: str) -> None:
    async def example(redis: Redis, balance: int, steps: list[Step]) -> None:
        await redis.flushdb()
        tenant = Tenant()
        await tenant.publish(redis, balance=balance)
        run = Run(redis, tenant, balance)
        for step in steps:
            await run.step(*step)

    with one_loop() as runner:
        redis = Redis.from_url(redis_url, decode_responses=True)

        @settings(
            max_examples=60,
            deadline=None,
            derandomize=True,
            suppress_health_check=[HealthCheck.too_slow],
        )
        @given(balance=st.sampled_from([99_999, 100_000, 250_000, 350_000, 1_000_000]), steps=STEPS)
        def examples(balance: int, steps: list[Step]) -> None:
            runner.run(example(redis, balance, steps))

        try:
            examples()
        finally:
            runner.run(redis.aclose())
