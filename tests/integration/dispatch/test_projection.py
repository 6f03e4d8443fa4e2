"""Repairs of what a crash between Postgres and Redis leaves behind."""

from datetime import timedelta

import pytest

from dispatch.accounts import ADMINISTRATOR
from dispatch.agent_profile import AgentDraft
from dispatch.errors import StoreUnavailable
from dispatch.ledger import LedgerKind
from dispatch.store import redis_keys
from dispatch.store.repositories import ledger

pytestmark = pytest.mark.integration

NUMBER = "+12015550100"


async def new_number(use_cases, principal):
    agent = await use_cases.agents.create(principal.actor, principal, AgentDraft(name="Reception"))
    number = await use_cases.numbers.create(
        principal, provider="custom", number=NUMBER, agent_id=agent.agent_id
    )
    return agent, number


async def test_a_missing_route_is_published(use_cases, owner) -> None:
    agent, number = await new_number(use_cases, owner)
    await use_cases.projection.run_once()
    await use_cases.routes.withdraw_route(number.number, number.revision)
    await use_cases.projection.run_once()
    route = await use_cases.routes.get_route(number.number)
    assert route is not None
    assert route.agent_id == agent.agent_id


async def test_a_stale_agent_is_replaced(use_cases, cut_off, owner) -> None:
    agent, _ = await new_number(use_cases, owner)
    changed = await cut_off.agents.update(
        owner.actor, owner, agent.agent_id, {"name": "Front desk"}
    )
    assert await use_cases.routes.get_agent(agent.agent_id) == agent
    await use_cases.projection.run_once()
    assert await use_cases.routes.get_agent(agent.agent_id) == changed


async def test_what_was_deleted_is_withdrawn(use_cases, cut_off, owner) -> None:
    agent, number = await new_number(use_cases, owner)
    await cut_off.agents.delete(owner.actor, owner, agent.agent_id)
    await cut_off.numbers.delete(owner, NUMBER)
    assert await use_cases.routes.get_route(number.number) is not None
    await use_cases.projection.run_once()
    assert await use_cases.routes.get_route(number.number) is None
    assert await use_cases.routes.get_agent(agent.agent_id) is None


async def test_a_balance_that_redis_lost_becomes_known_again(use_cases, owner, redis) -> None:
    await redis.delete(redis_keys.balance(owner.organization_id))
    assert await use_cases.balances.get(owner.organization_id) is None
    await use_cases.projection.run_once()
    assert await use_cases.balances.get(owner.organization_id) == 0


async def test_a_top_up_written_down_before_a_crash_is_applied_once(
    use_cases, owner, database
) -> None:
    await use_cases.credits.top_up(ADMINISTRATOR, owner.organization_id, amount_microcredits=1_000)
    async with database.transaction() as db:
        await ledger.ensure_entry(
            db,
            owner.organization_id,
            LedgerKind.TOPUP,
            amount_microcredits=50,
            reason="",
            operation_id="crashed",
        )
    for _ in range(2):
        await use_cases.projection.run_once()
    assert await use_cases.balances.get(owner.organization_id) == 1_050


async def test_a_top_up_that_redis_knew_before_a_crash_is_not_applied_again(
    use_cases, owner, database
) -> None:
    await use_cases.projection.run_once()
    async with database.transaction() as db:
        await ledger.ensure_entry(
            db,
            owner.organization_id,
            LedgerKind.TOPUP,
            amount_microcredits=50,
            reason="",
            operation_id="crashed",
        )
    async with database.reading() as db:
        (entry,) = await ledger.list_untold(db, owner.organization_id, believed_after=timedelta(0))
    await use_cases.balances.apply_top_up(owner.organization_id, entry.operation_id, 50)
    await use_cases.projection.run_once()
    assert await use_cases.balances.get(owner.organization_id) == 50


async def test_a_top_up_that_a_crashed_redis_forgot_is_applied_again(
    use_cases, owner, redis
) -> None:
    await use_cases.credits.top_up(ADMINISTRATOR, owner.organization_id, amount_microcredits=1_000)
    before = {key: await redis.get(key) for key in await redis.keys("dp:[bo]*")}
    await use_cases.credits.top_up(ADMINISTRATOR, owner.organization_id, amount_microcredits=50)
    await redis.flushdb()
    await redis.mset(before)
    await use_cases.projection.run_once()
    assert await use_cases.balances.get(owner.organization_id) == 1_050


async def test_a_balance_deleted_by_hand_is_rebuilt(use_cases, owner, redis) -> None:
    await use_cases.credits.top_up(ADMINISTRATOR, owner.organization_id, amount_microcredits=1_000)
    await use_cases.projection.run_once()
    await redis.delete(f"dp:balance:{owner.organization_id}")
    await use_cases.projection.run_once()
    assert await use_cases.balances.get(owner.organization_id) == 1_000


async def test_everything_comes_back_after_redis_lost_its_data(
    use_cases, owner, stranger, redis
) -> None:
    agent, number = await new_number(use_cases, owner)
    await use_cases.credits.top_up(ADMINISTRATOR, owner.organization_id, amount_microcredits=1_000)
    assert (await use_cases.projection.run_once()).full
    assert not (await use_cases.projection.run_once()).full
    await redis.flushdb()
    assert (await use_cases.projection.run_once()).full
    assert await use_cases.balances.get(owner.organization_id) == 1_000
    assert await use_cases.balances.get(stranger.organization_id) == 0
    assert await use_cases.routes.get_agent(agent.agent_id) == agent
    assert await use_cases.routes.get_route(number.number) is not None


async def test_a_run_that_fails_is_made_up_for_by_the_next(use_cases, cut_off, owner) -> None:
    agent = await cut_off.agents.create(owner.actor, owner, AgentDraft(name="Reception"))
    with pytest.raises(StoreUnavailable):
        await cut_off.projection.run_once()
    assert (await use_cases.projection.run_once()).full
    assert await use_cases.routes.get_agent(agent.agent_id) == agent


async def test_more_than_one_batch_is_published(use_cases, owner, redis) -> None:
    created = [
        await use_cases.agents.create(owner.actor, owner, AgentDraft(name=f"Agent {n}"))
        for n in range(105)
    ]
    await redis.flushdb()
    assert (await use_cases.projection.run_once()).agents == 105
    for agent in created:
        assert await use_cases.routes.get_agent(agent.agent_id) == agent


async def test_a_projected_route_is_the_one_the_use_case_publishes(use_cases, owner, redis) -> None:
    number = await use_cases.numbers.create(owner, provider="custom", number=NUMBER)
    published = await use_cases.routes.get_route(number.number)
    await redis.flushdb()
    await use_cases.projection.run_once()
    assert await use_cases.routes.get_route(number.number) == published
