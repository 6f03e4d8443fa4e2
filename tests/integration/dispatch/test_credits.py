"""Top-ups on a real Postgres and Redis: once, whatever happens in between."""

import asyncio
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from dispatch.accounts import ADMINISTRATOR
from dispatch.errors import Conflict, InvalidField, NotFound
from dispatch.ledger import LedgerKind
from dispatch.paging import PageRequest
from dispatch.store import redis_keys
from dispatch.store.engine import Database
from dispatch.store.tables import LedgerEntryRow

pytestmark = pytest.mark.integration


async def ledger_sum(use_cases, organization_id) -> int:
    page = await use_cases.credits.ledger(organization_id, PageRequest(limit=100))
    return sum(entry.amount_microcredits for entry in page.items)


async def test_a_top_up_is_on_record_and_free_to_use(use_cases, owner) -> None:
    organization_id = owner.organization_id
    done = await use_cases.credits.top_up(
        ADMINISTRATOR,
        organization_id,
        amount_microcredits=5_000_000,
        reason="invoice 7",
        operation_id="inv-7",
    )
    assert done.balance_microcredits == 5_000_000
    assert (done.entry.kind, done.entry.operation_id) == (LedgerKind.TOPUP, "inv-7")
    assert await use_cases.balances.get(organization_id) == 5_000_000
    page = await use_cases.credits.ledger(organization_id, PageRequest())
    assert page.items == (done.entry,)
    organization = await use_cases.tenants.get_organization(organization_id)
    assert organization.balance_microcredits == 5_000_000


async def test_the_same_operation_counts_once(use_cases, owner) -> None:
    first, second = [
        await use_cases.credits.top_up(
            ADMINISTRATOR, owner.organization_id, amount_microcredits=1_000, operation_id="once"
        )
        for _ in range(2)
    ]
    assert first == second
    assert await ledger_sum(use_cases, owner.organization_id) == 1_000


async def test_the_same_operation_sent_many_times_at_once_counts_once(use_cases, owner) -> None:
    done = await asyncio.gather(
        *(
            use_cases.credits.top_up(
                ADMINISTRATOR, owner.organization_id, amount_microcredits=1_000, operation_id="once"
            )
            for _ in range(8)
        )
    )
    assert {top_up.entry.id for top_up in done} == {done[0].entry.id}
    assert await use_cases.balances.get(owner.organization_id) == 1_000
    assert await ledger_sum(use_cases, owner.organization_id) == 1_000


async def test_top_ups_without_an_operation_are_each_their_own(use_cases, owner) -> None:
    await asyncio.gather(
        *(
            use_cases.credits.top_up(
                ADMINISTRATOR, owner.organization_id, amount_microcredits=1_000
            )
            for _ in range(8)
        )
    )
    assert await use_cases.balances.get(owner.organization_id) == 8_000
    assert await ledger_sum(use_cases, owner.organization_id) == 8_000


async def test_an_operation_cannot_be_reused_for_another_amount(use_cases, owner) -> None:
    await use_cases.credits.top_up(
        ADMINISTRATOR, owner.organization_id, amount_microcredits=1_000, operation_id="once"
    )
    with pytest.raises(Conflict):
        await use_cases.credits.top_up(
            ADMINISTRATOR, owner.organization_id, amount_microcredits=2_000, operation_id="once"
        )
    assert await use_cases.balances.get(owner.organization_id) == 1_000


async def test_two_customers_may_use_the_same_operation_id(use_cases, owner, stranger) -> None:
    for who in (owner, stranger):
        await use_cases.credits.top_up(
            ADMINISTRATOR, who.organization_id, amount_microcredits=1_000, operation_id="january"
        )
    assert await use_cases.credits.balance(owner.organization_id) == 1_000
    assert await use_cases.credits.balance(stranger.organization_id) == 1_000


async def test_a_top_up_while_redis_is_down_arrives_once_when_it_is_back(
    use_cases, cut_off, owner
) -> None:
    organization_id = owner.organization_id
    await use_cases.credits.top_up(ADMINISTRATOR, organization_id, amount_microcredits=1_000)
    late = await cut_off.credits.top_up(
        ADMINISTRATOR, organization_id, amount_microcredits=500, operation_id="late"
    )
    assert late.balance_microcredits == 1_500
    assert await use_cases.balances.get(organization_id) == 1_000
    for _ in range(2):
        await use_cases.projection.run_once()
    again = await use_cases.credits.top_up(
        ADMINISTRATOR, organization_id, amount_microcredits=500, operation_id="late"
    )
    assert again.balance_microcredits == 1_500
    assert await use_cases.balances.get(organization_id) == 1_500


async def test_a_balance_that_redis_lost_is_rebuilt_by_the_next_top_up(
    use_cases, owner, redis
) -> None:
    await use_cases.credits.top_up(ADMINISTRATOR, owner.organization_id, amount_microcredits=1_000)
    await redis.flushdb()
    done = await use_cases.credits.top_up(
        ADMINISTRATOR, owner.organization_id, amount_microcredits=10
    )
    assert done.balance_microcredits == 1_010


async def test_a_balance_below_zero_is_rebuilt_as_it_was(use_cases, owner, redis) -> None:
    corrected = await use_cases.credits.adjust(
        ADMINISTRATOR, owner.organization_id, amount_microcredits=-700, reason="charged back"
    )
    assert corrected.balance_microcredits == -700
    await redis.flushdb()
    assert await use_cases.credits.apply_outstanding(owner.organization_id) == -700
    assert await use_cases.balances.get(owner.organization_id) == -700
    done = await use_cases.credits.top_up(
        ADMINISTRATOR, owner.organization_id, amount_microcredits=1_000
    )
    assert done.balance_microcredits == 300


async def test_many_processes_rebuilding_a_lost_balance_agree(use_cases, owner, redis) -> None:
    await use_cases.credits.top_up(ADMINISTRATOR, owner.organization_id, amount_microcredits=1_000)
    await redis.flushdb()
    await asyncio.gather(
        *(use_cases.credits.apply_outstanding(owner.organization_id) for _ in range(4)),
        *(
            use_cases.credits.top_up(ADMINISTRATOR, owner.organization_id, amount_microcredits=10)
            for _ in range(4)
        ),
    )
    assert await use_cases.balances.get(owner.organization_id) == 1_040


async def test_making_an_organisation_again_leaves_its_lost_balance_to_the_ledger(
    use_cases, owner, redis
) -> None:
    await use_cases.credits.top_up(
        ADMINISTRATOR, owner.organization_id, amount_microcredits=1_000, operation_id="once"
    )
    organization = await use_cases.tenants.get_organization(owner.organization_id)
    await redis.flushdb()
    # Its first answer was lost, and what Redis knew of the request with it.
    await use_cases.tenants.create_organization(
        ADMINISTRATOR, organization.name, new_id=owner.organization_id
    )
    assert await use_cases.balances.get(owner.organization_id) is None
    await use_cases.projection.run_once()
    assert await use_cases.balances.get(owner.organization_id) == 1_000


async def test_a_top_up_that_a_crash_took_back_is_told_again_however_long_the_machine_was_down(
    use_cases, use_cases_over, owner, redis, database: Database
) -> None:
    top_up = await use_cases.credits.top_up(
        ADMINISTRATOR, owner.organization_id, amount_microcredits=1_000, operation_id="once"
    )
    # What a crash of the whole machine a moment later leaves, an hour ago.
    await redis.delete(*[key async for key in redis.scan_iter("dp:operation:*")])
    await redis.set(redis_keys.balance(owner.organization_id), 0)
    async with database.transaction() as db:
        told_at = datetime.now(UTC) - timedelta(hours=1)
        this = LedgerEntryRow.id == top_up.entry.id
        await db.execute(update(LedgerEntryRow).where(this).values(applied_at=told_at))
    await use_cases_over(database, redis).projection.run_once()
    assert await use_cases.balances.get(owner.organization_id) == 1_000


async def test_a_new_organisation_has_nothing(use_cases, owner) -> None:
    assert await use_cases.credits.balance(owner.organization_id) == 0


async def test_refuses_amounts_and_ids_out_of_range(use_cases, owner) -> None:
    for amount in (0, -1, 10**13 + 1):
        with pytest.raises(InvalidField, match="amountMicrocredits"):
            await use_cases.credits.top_up(
                ADMINISTRATOR, owner.organization_id, amount_microcredits=amount
            )
    with pytest.raises(InvalidField, match="operationId"):
        await use_cases.credits.top_up(
            ADMINISTRATOR, owner.organization_id, amount_microcredits=1, operation_id="x" * 121
        )
    assert await ledger_sum(use_cases, owner.organization_id) == 0


async def test_an_unknown_organisation_has_no_ledger(use_cases) -> None:
    with pytest.raises(NotFound):
        await use_cases.credits.top_up(ADMINISTRATOR, uuid.uuid4(), amount_microcredits=1)
    with pytest.raises(NotFound):
        await use_cases.credits.ledger(uuid.uuid4(), PageRequest())
