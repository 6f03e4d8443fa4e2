"""What happens once although it is asked for twice, and two jobs for one call."""

import pytest
from redis.asyncio import Redis

from dispatch.balances import Balances
from dispatch.calls import Admitted, RefusalReason, Refused
from dispatch.routes import Routes
from tests.builders.live_calls import Tenant, events_of, lapse, live_calls, types_of

pytestmark = pytest.mark.integration


async def test_a_job_whose_answer_was_lost_asks_again_and_gets_the_same(
    redis: Redis, tenant: Tenant
) -> None:
    calls, arrival = live_calls(redis), tenant.arrival()
    first = await calls.admit(arrival, "AJ_first")
    assert isinstance(first, Admitted)
    assert await calls.admit(arrival, "AJ_first") == first
    assert len(await events_of(redis, arrival.call_id)) == 3


async def test_a_second_job_is_refused_and_does_not_keep_the_first_alive(
    redis: Redis, tenant: Tenant
) -> None:
    calls, arrival = live_calls(redis), tenant.arrival()
    await calls.admit(arrival, "AJ_first")
    await lapse(redis, tenant, arrival.call_id)
    taken = Refused(arrival.call_id, RefusalReason.ALREADY_TAKEN)
    assert await calls.admit(arrival, "AJ_second") == taken
    assert await calls.lapsed() == [arrival.call_id]


async def test_answers_the_same_when_asked_twice_after_the_agent_changed(
    redis: Redis, tenant: Tenant
) -> None:
    calls, arrival = live_calls(redis), tenant.arrival()
    first = await calls.admit(arrival)
    await Routes(redis).publish_agent(tenant.agent(version=4, name="Other"))
    assert await calls.admit(arrival) == first
    assert await Balances(redis).get(tenant.organization_id) == 900_000
    assert len(await events_of(redis, arrival.call_id)) == 3


async def test_rings_once(redis: Redis, tenant: Tenant) -> None:
    calls, arrival = live_calls(redis), tenant.arrival()
    await calls.ring(arrival)
    await calls.ring(arrival)
    await calls.admit(arrival)
    await calls.ring(arrival)
    assert (await types_of(redis, arrival.call_id)).count("call.ringing") == 1
