"""Credit of chat turns on a real Redis and Postgres: checked before, charged once, never lost."""

import asyncio
import contextlib
import uuid
from datetime import UTC, datetime, timedelta
from importlib.resources import files

import hypothesis
import pytest
from hypothesis import strategies as st
from redis.asyncio import Redis
from sqlalchemy import select, update

from dispatch.balances import Balances
from dispatch.billing.items import Service, Unit, UsageItem
from dispatch.credits import Credits
from dispatch.errors import Conflict, InsufficientCredits, StoreUnavailable
from dispatch.event_drain import EventDrain
from dispatch.ledger import LedgerKind
from dispatch.store import redis_keys
from dispatch.store.engine import Database
from dispatch.store.repositories import ledger, usage
from dispatch.store.tables import LedgerEntryRow, OpenReservationRow
from dispatch.usage.upkeep import ReservationUpkeep
from dispatch.usage.usage import Payer, Usage
from tests.builders.live_calls import settings

pytestmark = pytest.mark.integration

BLOCK = 20_000
START = 100_000


def tokens(count: int) -> list[UsageItem]:
    """Output of a model at 10 micro-credits a token."""
    return [UsageItem(Service.LLM, "openai", "gpt-4o", Unit.OUTPUT_TOKENS, count)]


@pytest.fixture
async def payer(database: Database, redis: Redis) -> Payer:
    """A payer whose balance stands in the ledger, too."""
    payer = Payer(uuid.uuid4(), uuid.uuid4(), uuid.uuid4())
    await enter(database, redis, payer, LedgerKind.TOPUP, START)
    return payer


async def enter(
    database: Database, redis: Redis, payer: Payer, kind: LedgerKind, amount: int
) -> None:
    """Change a payer's balance by hand, in both places."""
    async with database.transaction() as db:
        await ledger.ensure_entry(
            db,
            payer.organization_id,
            kind,
            amount_microcredits=amount,
            reason="",
            operation_id=uuid.uuid4().hex,
        )
    await Credits(database, Balances(redis)).apply_outstanding(payer.organization_id)


@pytest.fixture
def service(database: Database, redis: Redis) -> Usage:
    return Usage(database, redis, settings())


class Books:
    """The payer's money in both places, after everything was written down."""

    def __init__(self, database: Database, redis: Redis, payer: Payer) -> None:
        self.database, self.redis, self.payer = database, redis, payer

    async def drain(self) -> None:
        drain = EventDrain(self.redis, self.database, wait_s=0)
        while await drain.run_once():
            pass

    async def balance(self) -> int:
        """The live balance, which the ledger must replay to."""
        await self.drain()
        async with self.database.reading() as db:
            recorded = await ledger.sum_of_entries(db, self.payer.organization_id)
        live = await Balances(self.redis).get(self.payer.organization_id)
        assert live == recorded
        return recorded

    async def kinds(self) -> list[tuple[str, int]]:
        query = (
            select(LedgerEntryRow.kind, LedgerEntryRow.amount_microcredits)
            .where(LedgerEntryRow.organization_id == self.payer.organization_id)
            .order_by(LedgerEntryRow.position)
        )
        async with self.database.reading() as db:
            return [(row.kind, row.amount_microcredits) for row in await db.execute(query)][1:]

    async def parts(self, operation_id: uuid.UUID) -> list[tuple[str, int, int]]:
        async with self.database.reading() as db:
            parts = await usage.parts_of(db, operation_id)
        return [(part.service, part.quantity, part.cost_microcredits) for part in parts]

    async def open_on_record(self) -> int:
        query = select(OpenReservationRow.operation_id).where(
            OpenReservationRow.organization_id == self.payer.organization_id
        )
        async with self.database.reading() as db:
            return len((await db.execute(query)).all())


@pytest.fixture
def books(database: Database, redis: Redis, payer: Payer) -> Books:
    return Books(database, redis, payer)


async def lapse(redis: Redis, operation_id: uuid.UUID) -> None:
    """Let a reservation's time be over."""
    await redis.zadd(redis_keys.RESERVATIONS, {str(operation_id): 1}, xx=True)


async def test_a_turn_is_reserved_charged_and_on_record_in_its_parts(service, payer, books):
    turn = uuid.uuid4()
    assert await service.reserve_chat(payer, turn)
    assert await books.balance() == START - BLOCK
    charge = await service.charge_chat(payer, turn, tokens(123))
    assert (charge.cost_microcredits, charge.uncollected_microcredits) == (1_230, 0)
    assert await books.balance() == START - 1_230
    assert await books.kinds() == [("reserve", -BLOCK), ("release", BLOCK), ("charge", -1_230)]
    assert await books.parts(turn) == [("llm", 123, 1_230)]
    assert await books.open_on_record() == 0


async def test_each_step_may_be_repeated_and_counts_once(service, payer, books):
    turn = uuid.uuid4()
    assert (
        await asyncio.gather(*(service.reserve_chat(payer, turn) for _ in range(5))) == [True] * 5
    )
    charges = await asyncio.gather(
        *(service.charge_chat(payer, turn, tokens(10)) for _ in range(5))
    )
    assert {charge.cost_microcredits for charge in charges} == {100}
    assert sum(not charge.repeated for charge in charges) == 1
    assert not await service.reserve_chat(payer, turn)
    assert await books.balance() == START - 100


async def test_nothing_begins_without_credit_or_with_an_unknown_balance(service, payer, redis):
    for _ in range(START // BLOCK):
        await service.reserve_chat(payer, uuid.uuid4())
    with pytest.raises(InsufficientCredits, match="does not cover"):
        await service.reserve_chat(payer, uuid.uuid4())
    with pytest.raises(InsufficientCredits, match="rebuilt"):
        await service.reserve_chat(Payer(uuid.uuid4(), uuid.uuid4()), uuid.uuid4())
    assert await Balances(redis).get(payer.organization_id) == 0


async def test_nothing_begins_without_redis(database, dead_redis, payer):
    with pytest.raises(StoreUnavailable):
        await Usage(database, dead_redis, settings()).reserve_chat(payer, uuid.uuid4())


async def test_what_exceeds_the_credit_is_named_and_takes_no_balance_below_zero(
    service, payer, books
):
    turn = uuid.uuid4()
    await service.reserve_chat(payer, turn)
    charge = await service.charge_chat(payer, turn, tokens(11_000))
    assert (charge.cost_microcredits, charge.uncollected_microcredits) == (START, 10_000)
    assert await books.balance() == 0
    assert await books.parts(turn) == [
        ("llm", 11_000, 110_000),
        ("uncollected", 10_000, -10_000),
    ]


@pytest.mark.parametrize(
    ("count", "cost", "uncollected"), [(0, 0, 0), (1_000, 10_000, 0), (3_000, BLOCK, 10_000)]
)
async def test_a_balance_corrected_below_zero_pays_what_is_reserved_and_no_more(
    service, payer, books, count, cost, uncollected
):
    turn = uuid.uuid4()
    await service.reserve_chat(payer, turn)
    await enter(books.database, books.redis, payer, LedgerKind.ADJUST, -5 * START)
    charge = await service.charge_chat(payer, turn, tokens(count))
    assert (charge.cost_microcredits, charge.uncollected_microcredits) == (cost, uncollected)
    assert await books.balance() == START - 5 * START - cost
    with pytest.raises(InsufficientCredits, match="does not cover"):
        await service.reserve_chat(payer, uuid.uuid4())


async def test_a_turn_that_used_nothing_costs_nothing(service, payer, books):
    turn = uuid.uuid4()
    await service.reserve_chat(payer, turn)
    assert (await service.charge_chat(payer, turn, [])).cost_microcredits == 0
    assert await books.balance() == START
    assert await books.parts(turn) == []


async def test_a_turn_nobody_finished_gives_its_credit_back_when_its_time_is_over(
    service, payer, books, redis, database
):
    turn = uuid.uuid4()
    await service.reserve_chat(payer, turn)
    upkeep = ReservationUpkeep(redis, database)
    assert (await upkeep.run_once()).lapsed == 0
    await lapse(redis, turn)
    assert (await upkeep.run_once()).lapsed == 1
    assert (await upkeep.run_once()).lapsed == 0
    assert await books.balance() == START
    assert await books.open_on_record() == 0


async def test_a_turn_charged_after_its_time_is_paid_all_the_same(
    service, payer, books, redis, database
):
    turn = uuid.uuid4()
    await service.reserve_chat(payer, turn)
    await lapse(redis, turn)
    await ReservationUpkeep(redis, database).run_once()
    assert (await service.charge_chat(payer, turn, tokens(10))).cost_microcredits == 100
    assert await books.balance() == START - 100


async def test_a_turn_that_lapsed_may_be_begun_again(service, payer, books, redis, database):
    turn = uuid.uuid4()
    for _ in range(2):
        assert await service.reserve_chat(payer, turn)
        await lapse(redis, turn)
        await ReservationUpkeep(redis, database).run_once()
    assert await service.reserve_chat(payer, turn)
    await service.charge_chat(payer, turn, tokens(10))
    assert await books.balance() == START - 100


async def test_another_customer_cannot_use_the_same_operation(service, payer, redis):
    turn = uuid.uuid4()
    await service.reserve_chat(payer, turn)
    stranger = Payer(uuid.uuid4(), uuid.uuid4())
    await Balances(redis).restore(stranger.organization_id, START)
    with pytest.raises(Conflict):
        await service.reserve_chat(stranger, turn)
    assert await Balances(redis).get(stranger.organization_id) == START


async def test_a_turn_goes_on_when_redis_lost_everything_in_the_middle(
    service, payer, books, redis, database
):
    finished, abandoned = uuid.uuid4(), uuid.uuid4()
    for turn in (finished, abandoned):
        await service.reserve_chat(payer, turn)
    await books.drain()
    await redis.flushdb()
    await Credits(database, Balances(redis)).apply_outstanding(payer.organization_id)
    assert await books.balance() == START - 2 * BLOCK
    await service.charge_chat(payer, finished, tokens(10))
    await lapse(redis, abandoned)
    await ReservationUpkeep(redis, database).run_once()
    assert await books.balance() == START - 100


async def test_a_reservation_that_only_the_record_remembers_is_given_back_there(
    service, payer, books, redis, database
):
    turn = uuid.uuid4()
    await service.reserve_chat(payer, turn)
    await books.drain()
    # Redis crashed and forgot its last second: the reservation and what it took, together.
    await redis.delete(redis_keys.reservation(turn))
    await redis.zrem(redis_keys.RESERVATIONS, str(turn))
    await redis.incrby(redis_keys.balance(payer.organization_id), BLOCK)
    upkeep = ReservationUpkeep(redis, database)
    assert (await upkeep.run_once()).lost == 0, "it could still be on its way"
    long_ago = datetime.now(UTC) - timedelta(hours=1)
    async with database.transaction() as db:
        await db.execute(update(OpenReservationRow).values(reserved_at=long_ago))
    assert (await upkeep.run_once()).lost == 1
    assert (await upkeep.run_once()).lost == 0
    assert await books.balance() == START


async def test_a_turn_is_priced_by_the_version_it_began_with(
    payer, database, redis, tmp_path, books
):
    text = files("dispatch.billing").joinpath("prices.toml").read_text("utf-8")
    dear = text.replace('id = "2026-11"', 'id = "dear"').replace("= 10_000_000 }", "= 99_000_000 }")
    table = tmp_path / "prices.toml"
    table.write_text(text)
    turn = uuid.uuid4()
    before = Usage(database, redis, settings(dialplane_price_table=table))
    await before.reserve_chat(payer, turn)
    both = tmp_path / "later.toml"
    both.write_text(text + dear.replace("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"))
    after = Usage(database, redis, settings(dialplane_price_table=both))
    assert (await after.charge_chat(payer, turn, tokens(10))).cost_microcredits == 100
    assert (await after.charge_chat(payer, uuid.uuid4(), tokens(10))).cost_microcredits == 990
    assert await books.balance() == START - 1_090


async def test_a_charge_waits_for_a_balance_that_is_being_rebuilt(
    service, payer, books, redis, database
):
    turn = uuid.uuid4()
    await service.reserve_chat(payer, turn)
    await books.drain()
    await redis.flushdb()
    with pytest.raises(StoreUnavailable, match="charge again"):
        await service.charge_chat(payer, turn, tokens(10))
    await Credits(database, Balances(redis)).apply_outstanding(payer.organization_id)
    assert (await service.charge_chat(payer, turn, tokens(10))).cost_microcredits == 100
    assert await books.balance() == START - 100


STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            ["reserve", "reserve", "charge", "charge", "lapse", "upkeep", "drain", "lose_all"]
        ),
        st.integers(0, 3),
        st.sampled_from([0, 1, 7, 3_000, 9_000]),
    ),
    min_size=4,
    max_size=20,
)


def test_no_order_of_steps_and_losses_takes_or_makes_a_micro_credit(
    redis_url: str, clean_postgres: str
) -> None:
    async def example(redis: Redis, database: Database, steps: list[tuple[str, int, int]]) -> None:
        await redis.flushdb()
        payer = Payer(uuid.uuid4(), uuid.uuid4())
        async with database.transaction() as db:
            await ledger.ensure_entry(
                db,
                payer.organization_id,
                LedgerKind.TOPUP,
                amount_microcredits=START,
                reason="",
                operation_id=uuid.uuid4().hex,
            )
        credit = Credits(database, Balances(redis))
        await credit.apply_outstanding(payer.organization_id)
        service, books = Usage(database, redis, settings()), Books(database, redis, payer)
        turns = [uuid.uuid4() for _ in range(4)]
        charged: dict[uuid.UUID, int] = {}
        for name, index, amount in steps:
            turn = turns[index]
            if name == "reserve" and turn not in charged:
                with contextlib.suppress(InsufficientCredits):
                    assert await service.reserve_chat(payer, turn)
            elif name == "charge":
                charge = await service.charge_chat(payer, turn, tokens(amount))
                assert charge.repeated == (turn in charged)
                assert charge.cost_microcredits == charged.get(turn, charge.cost_microcredits)
                charged[turn] = charge.cost_microcredits
            elif name == "lapse":
                await lapse(redis, turn)
            elif name == "upkeep":
                await ReservationUpkeep(redis, database).run_once()
            else:
                await books.drain()
                if name == "lose_all":
                    await redis.flushdb()
                    await credit.apply_outstanding(payer.organization_id)
            balance = await Balances(redis).get(payer.organization_id)
            assert balance is not None
            assert balance >= 0
        for turn in turns:
            await lapse(redis, turn)
        await ReservationUpkeep(redis, database).run_once()
        assert await books.balance() == START - sum(charged.values())
        assert await books.open_on_record() == 0

    with asyncio.Runner() as runner:
        redis = Redis.from_url(redis_url, decode_responses=True)
        database = Database(clean_postgres)

        @hypothesis.settings(
            max_examples=25,
            deadline=None,
            derandomize=True,
            suppress_health_check=[hypothesis.HealthCheck.too_slow],
        )
        @hypothesis.given(steps=STEPS)
        def examples(steps: list[tuple[str, int, int]]) -> None:
            runner.run(example(redis, database, steps))

        try:
            examples()
        finally:
            runner.run(redis.aclose())
            runner.run(database.aclose())
