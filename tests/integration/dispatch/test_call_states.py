"""Every script, run on a call in every state, moves it as the table of states allows."""

import itertools
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import pytest
from redis.asyncio import Redis

from dispatch.calls import Arrival, CallEnd
from dispatch.live_calls import LiveCalls
from dispatch.routes import Routes
from telephony.calls import NEXT_STATES, CallState, EndedBy, EndReason
from tests.builders.live_calls import Tenant, lapse, live_calls

pytestmark = pytest.mark.integration

HANG_UP = CallEnd(EndedBy.CALLER, EndReason.HANG_UP)
NO_WORKER = CallEnd(EndedBy.SYSTEM, EndReason.NO_WORKER)

Step = Callable[[LiveCalls, Arrival], Awaitable[object]]

STEPS: dict[str, Step] = {
    "ring": lambda calls, arrival: calls.ring(arrival),
    "admit": lambda calls, arrival: calls.admit(arrival),
    "answered": lambda calls, arrival: calls.answered(arrival.call_id, datetime.now(UTC)),
    "beat": lambda calls, arrival: calls.beat(arrival.call_id),
    "keys": lambda calls, arrival: calls.record_keys(arrival.call_id, "1", "1", datetime.now(UTC)),
    "end": lambda calls, arrival: calls.end(arrival.call_id, HANG_UP),
    "end of an answered call": lambda calls, arrival: calls.end(
        arrival.call_id, HANG_UP, answered_at=datetime.now(UTC)
    ),
    "miss": lambda calls, arrival: calls.miss(arrival.call_id, NO_WORKER),
    "lost": lambda calls, arrival: calls.end_lost(arrival.call_id),
    "cancel": lambda calls, arrival: calls.cancel(arrival.call_id),
}

WAYS_THERE = {
    "ringing": ["ring"],
    "admitted": ["admit"],
    "active": ["admit", "answered"],
    "ended": ["admit", "answered", "end"],
    "missed": ["ring", "miss"],
    "missed after admission": ["admit", "end"],
}


async def call_after(
    redis: Redis, tenant: Tenant, steps: list[str]
) -> tuple[LiveCalls, Arrival, CallState]:
    """A call that has gone through these steps, and its state."""
    calls, arrival = live_calls(redis), tenant.arrival()
    for step in steps:
        await STEPS[step](calls, arrival)
    return calls, arrival, await state_of(calls, arrival)


async def state_of(calls: LiveCalls, arrival: Arrival) -> CallState:
    call = await calls.find(arrival.call_id)
    assert call is not None
    return call.state


async def moves(redis: Redis, tenant: Tenant) -> set[tuple[CallState, CallState]]:
    """Every move that a script makes from any state, heartbeats missed."""
    seen = set()
    for way, step in itertools.product(WAYS_THERE.values(), STEPS.values()):
        calls, arrival, before = await call_after(redis, tenant, way)
        await lapse(redis, tenant, arrival.call_id)
        await step(calls, arrival)
        seen.add((before, await state_of(calls, arrival)))
    return {(before, after) for before, after in seen if before is not after}


async def test_scripts_move_calls_just_as_the_table_says(redis: Redis) -> None:
    assigned, unassigned = Tenant(), Tenant()
    await assigned.publish(redis, balance=100_000_000)
    seen = await moves(redis, assigned)
    await Routes(redis).publish_route(unassigned.did, unassigned.route(None))
    for way in (["ring"], ["admit"]):
        calls, arrival, before = await call_after(redis, unassigned, way)
        for step in STEPS.values():
            await step(calls, arrival)
            after = await state_of(calls, arrival)
            seen |= {(before, after)} if after is not before else set()
            before = after

    in_redis = set(NEXT_STATES) - {CallState.QUEUED}
    assert seen == {(before, after) for before in in_redis for after in NEXT_STATES[before]}
