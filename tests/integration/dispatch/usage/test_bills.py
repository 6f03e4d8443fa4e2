"""A call's bill: parts, ledger and balance agree to the last micro-credit, whatever died."""

import re
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path

import pytest
from redis.asyncio import Redis
from sqlalchemy import func, select, text, update

from dispatch.accounts import Principal
from dispatch.balances import Balances
from dispatch.billing.items import Service, Unit, UsageItem
from dispatch.billing.prices import PriceBook
from dispatch.billing.pricing import price_usage
from dispatch.billing.record import UsagePart
from dispatch.billing.reports import GroupBy, Period
from dispatch.call_history import CallDetails
from dispatch.call_records import CallRecords
from dispatch.calls import Admitted, Arrival, CallEnd
from dispatch.event_drain import EventDrain
from dispatch.live_calls import LiveCalls
from dispatch.store import redis_keys
from dispatch.store.engine import Database
from dispatch.store.tables import UsageDayRow, UsageEventRow
from dispatch.usage.usage import Payer, Usage
from telephony.calls import EndedBy, EndReason
from tests.builders.live_calls import Tenant, lapse, live_calls, settings, shift_clock

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("one_day")]

HANG_UP = CallEnd(EndedBy.CALLER, EndReason.HANG_UP)
START = 1_000_000
ROOT = Path(__file__).parents[4]


def used(words: int) -> list[UsageItem]:
    """What some words take: 0.15 and 0.6 micro-credits a token, 30 a character."""
    return [
        UsageItem(Service.LLM, "openai", "gpt-4o-mini", Unit.INPUT_TOKENS, 7 * words),
        UsageItem(Service.LLM, "openai", "gpt-4o-mini", Unit.OUTPUT_TOKENS, words),
        UsageItem(Service.TTS, "deepgram", "aura-2", Unit.CHARACTERS, words),
        UsageItem(Service.STT, "builtin", "", Unit.AUDIO_MS, 1_000 * words),
    ]


@pytest.fixture
async def tenant(redis: Redis) -> Tenant:
    tenant = Tenant()
    await tenant.publish(redis, balance=START)
    return tenant


@pytest.fixture
def principal(tenant: Tenant) -> Principal:
    return Principal(tenant.organization_id, tenant.project_id, uuid.uuid4(), "tests")


class Call:
    """A call of the tenant's, through the real scripts, on record once it is `drained`."""

    def __init__(self, redis: Redis, database: Database, tenant: Tenant, calls: LiveCalls) -> None:
        self.redis, self.database, self.tenant, self.calls = redis, database, tenant, calls
        self.arrival: Arrival = tenant.arrival()
        self.admitted: Admitted | None = None
        self.ended_at: datetime | None = None

    async def talk(self, seconds: float, items: Sequence[UsageItem] = ()) -> None:
        """Be admitted and answered, heard of after so many seconds, and hung up then, not later."""
        admitted = await self.calls.admit(self.arrival)
        assert isinstance(admitted, Admitted)
        self.admitted = admitted
        # By the time at which the call will seem to have been answered, it has talked for so long.
        self.ended_at = await self.calls.answered(self.arrival.call_id, datetime.now(UTC))
        await shift_clock(self.redis, self.arrival.call_id, seconds)
        await self.beat(items)

    async def beat(self, items: Sequence[UsageItem]) -> None:
        assert self.admitted is not None
        usage = price_usage(items, self.admitted.prices)
        await self.calls.beat(self.arrival.call_id, usage=usage)

    async def hang_up(self, items: Sequence[UsageItem] = ()) -> None:
        assert self.admitted is not None
        usage = price_usage(items, self.admitted.prices)
        await self.calls.end(self.arrival.call_id, HANG_UP, self.ended_at, usage=usage)

    async def drained(self) -> CallDetails:
        """The record, after checking that all three books agree."""
        drain = EventDrain(self.redis, self.database, wait_s=0)
        while await drain.run_once():
            pass
        details = await CallRecords(self.database).get(
            Principal(self.tenant.organization_id, self.tenant.project_id, uuid.uuid4(), ""),
            self.arrival.call_id,
        )
        balance = await Balances(self.redis).get(self.tenant.organization_id)
        assert balance is not None
        moved = sum(entry.amount_microcredits for entry in details.ledger)
        charged = -sum(
            entry.amount_microcredits for entry in details.ledger if entry.kind == "charge"
        )
        parts = sum(part.cost_microcredits for part in details.usage)
        assert parts == charged == -moved == START - balance == details.record.cost_microcredits
        return details


@pytest.fixture
def call(redis: Redis, database: Database, tenant: Tenant) -> Call:
    return Call(redis, database, tenant, live_calls(redis))


def costs(parts: Sequence[UsagePart]) -> dict[tuple[str, str], int]:
    return {(part.service, part.unit): part.cost_microcredits for part in parts}


async def test_a_bill_has_the_time_and_every_item_and_agrees_with_ledger_and_balance(call):
    await call.talk(29.5, used(10))
    await call.hang_up(used(33))
    details = await call.drained()
    # 231 x 0.15 + 33 x 0.6 + 33 x 30 = 1044.45: one more micro-credit for the largest remainder.
    assert costs(details.usage) == {
        ("telephony", "seconds"): 50_000,
        ("llm", "input_tokens"): 35,
        ("llm", "output_tokens"): 20,
        ("tts", "characters"): 990,
        ("stt", "audio_ms"): 0,
    }
    assert details.usage[0].quantity == 30
    assert {part.price_version for part in details.usage} == {"2026-11"}


async def test_a_call_with_nothing_but_time_costs_what_it_always_did(call):
    await call.talk(29.5)
    await call.hang_up()
    assert costs((await call.drained()).usage) == {("telephony", "seconds"): 50_000}


async def test_a_worker_that_dies_has_billed_what_its_last_heartbeat_told(call, redis, tenant):
    await call.talk(9.5, used(10))
    await call.beat(used(20))
    await lapse(redis, tenant, call.arrival.call_id)
    await call.calls.end_lost(call.arrival.call_id)
    details = await call.drained()
    assert costs(details.usage)["tts", "characters"] == 600
    assert costs(details.usage)["telephony", "seconds"] > 0


async def test_what_no_credit_was_left_for_is_a_part_of_the_bill(call, redis, tenant):
    await call.talk(5)
    await call.hang_up(used(50_000))
    details = await call.drained()
    part = details.usage[-1]
    assert (part.service, part.unit) == ("uncollected", "microcredits")
    assert part.cost_microcredits == -part.quantity < 0
    assert await Balances(redis).get(tenant.organization_id) == 0


async def test_an_unanswered_call_has_no_bill_whatever_it_used(call):
    await call.calls.admit(call.arrival)
    admitted = await call.calls.admit(call.arrival)
    await call.calls.end(
        call.arrival.call_id, HANG_UP, usage=price_usage(used(100), admitted.prices)
    )
    assert (await call.drained()).usage == ()


async def test_a_call_keeps_the_prices_it_was_admitted_with(redis, database, tenant, tmp_path):
    table_text = files("dispatch.billing").joinpath("prices.toml").read_text("utf-8")
    dear = (
        table_text.replace('id = "2026-11"', 'id = "dear"')
        .replace("seconds = 100_000", "seconds = 200_000")
        .replace("characters = 30_000", "characters = 60_000")
    )
    now = datetime.now(UTC)
    table = tmp_path / "prices.toml"
    table.write_text(
        table_text + dear.replace("2026-01-01T00:00:00Z", f"{now + timedelta(days=1):%FT%TZ}")
    )
    began = Call(redis, database, tenant, live_calls(redis, dialplane_price_table=table))
    await began.talk(9.5, used(10))
    # The new version comes into force while the call goes on.
    later = tmp_path / "later.toml"
    later.write_text(table_text + dear.replace("2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"))
    began.calls = live_calls(redis, dialplane_price_table=later)
    again = await began.calls.admit(began.arrival)
    assert again.prices.version == "2026-11"
    await began.hang_up(used(10))
    parts = (await began.drained()).usage
    assert {part.price_version for part in parts} == {"2026-11"}
    assert costs(parts)["tts", "characters"] == 300
    assert parts[0].price_microcredits == 100_000
    next_call = await began.calls.admit(tenant.arrival())
    assert next_call.prices.version == "dear"
    assert next_call.price_microcredits_per_minute == 200_000


async def test_a_bill_written_twice_counts_once(call, redis, database, principal):
    await call.talk(29.5, used(10))
    await call.hang_up(used(10))
    entries = await redis.xrange(redis_keys.EVENTS)
    first = await call.drained()
    # The drain died after its commit; its successor finds the same events again.
    for _, fields in entries:
        await redis.xadd(redis_keys.EVENTS, fields)
    # And a Redis that had forgotten the end had the call ended again, under a later number.
    ended = next(fields for _, fields in entries if fields["type"] == "call.ended")
    await redis.xadd(redis_keys.EVENTS, {**ended, "seq": "5000"})
    assert (await call.drained()).usage == first.usage
    assert await redis.xlen(redis_keys.EVENTS_REJECTED) == 0
    report = await Usage(database, redis, settings()).report(principal)
    assert report.cost_microcredits == first.record.cost_microcredits
    assert report.calls == 1


async def test_a_call_whose_usage_was_lost_has_one_part_with_what_was_taken(
    call, redis, database, principal
):
    await call.talk(29.5, used(10))
    drain = EventDrain(redis, database, wait_s=0)
    while await drain.run_once():
        pass
    await redis.delete(redis_keys.call(call.arrival.call_id))
    await call.calls.end(call.arrival.call_id, CallEnd(EndedBy.SYSTEM, EndReason.STATE_LOST))
    while await drain.run_once():
        pass
    details = await CallRecords(database).get(principal, call.arrival.call_id)
    taken = -sum(entry.amount_microcredits for entry in details.ledger)
    assert costs(details.usage) == {("unmetered", "microcredits"): taken}
    assert taken == details.record.cost_microcredits > 0
    assert (await Usage(database, redis, settings()).report(principal)).calls == 1


async def test_an_agent_on_the_tenants_own_keys_pays_the_price_for_those(
    redis, database, tenant, tmp_path
):
    table_text = files("dispatch.billing").joinpath("prices.toml").read_text("utf-8")
    table = tmp_path / "prices.toml"
    own = 'keys = "own"\nper = 60\nunits = { seconds = '
    table.write_text(table_text.replace(f"{own}100_000", f"{own}70_000"))
    await redis.hset(redis_keys.agent(tenant.agent_id), "needed_secrets", "openai")
    secrets = '{"secrets":[{"provider":"openai"}]}'
    await redis.set(redis_keys.secrets(tenant.project_id), secrets)
    call = Call(redis, database, tenant, live_calls(redis, dialplane_price_table=table))
    await call.talk(59.5)
    await call.hang_up()
    (part,) = (await call.drained()).usage
    assert (part.keys, part.cost_microcredits) == ("own", 70_000)


async def test_the_settings_price_also_the_time_of_legs_a_call_placed(redis, database, tenant):
    cheap = live_calls(redis, sip_price_microcredits_per_minute=30_000)
    call = Call(redis, database, tenant, cheap)
    leg = UsageItem(Service.TELEPHONY, "sip", "outbound_leg", Unit.SECONDS, 30)
    await call.talk(59.5, [leg])
    await call.hang_up([leg])
    parts = (await call.drained()).usage
    assert [part.cost_microcredits for part in parts] == [30_000, 15_000]


@pytest.mark.parametrize("group_by", GroupBy)
async def test_a_report_adds_up_to_the_bills_however_it_is_grouped(
    redis, database, tenant, principal, group_by
):
    calls = [Call(redis, database, tenant, live_calls(redis)) for _ in range(3)]
    for words, call in enumerate(calls, 1):
        await call.talk(9.5, used(words))
        await call.hang_up(used(words))
    drain = EventDrain(redis, database, wait_s=0)
    while await drain.run_once():
        pass
    report = await Usage(database, redis, settings()).report(principal, Period.TODAY, group_by)
    balance = await Balances(redis).get(tenant.organization_id)
    assert balance is not None
    assert report.cost_microcredits == START - balance
    assert sum(group.cost_microcredits for group in report.groups) == report.cost_microcredits
    assert report.calls == 3
    seconds = [
        quantity.quantity
        for group in report.groups
        for quantity in group.quantities
        if quantity.unit == "seconds"
    ]
    assert sum(seconds) == 30
    keys = {group.key for group in report.groups}
    assert (
        keys
        == {
            GroupBy.DAY: {datetime.now(UTC).date().isoformat()},
            GroupBy.AGENT: {str(tenant.agent_id)},
            GroupBy.SERVICE: {"telephony", "llm", "tts", "stt"},
            GroupBy.MODEL: {"telephony", "openai/gpt-4o-mini", "deepgram/aura-2", "builtin/"},
        }[group_by]
    )


@pytest.mark.parametrize("group_by", GroupBy)
async def test_a_call_that_was_passed_on_is_one_call_in_a_report(
    call, redis, database, principal, group_by
):
    leg = UsageItem(Service.TELEPHONY, "sip", "outbound_leg", Unit.SECONDS, 12)
    await call.talk(29.5)
    await call.hang_up([leg])
    await call.drained()
    report = await Usage(database, redis, settings()).report(principal, Period.TODAY, group_by)
    assert report.calls == sum(group.calls for group in report.groups) == 1


async def test_a_report_goes_back_as_far_as_asked_and_shows_nobody_elses(
    call, redis, database, principal
):
    await call.talk(29.5)
    await call.hang_up()
    await call.drained()
    service = Usage(database, redis, settings())
    stranger = Principal(principal.organization_id, uuid.uuid4(), uuid.uuid4(), "")
    assert (await service.report(stranger, Period.ALL)).groups == ()
    today = datetime.now(UTC).date()
    for days_ago, periods in ((6, 3), (7, 2), (29, 2), (30, 1)):
        async with database.transaction() as db:
            await db.execute(update(UsageDayRow).values(day=today - timedelta(days=days_ago)))
        reports = [await service.report(principal, period) for period in Period]
        assert sum(report.calls for report in reports) == periods


async def test_sums_by_day_are_the_sums_of_the_bills(call, redis, database):
    await call.talk(29.5, used(10))
    await call.hang_up(used(12))
    details = await call.drained()
    async with database.reading() as db:
        query = select(func.sum(UsageDayRow.cost_microcredits), func.sum(UsageDayRow.quantity))
        cost, quantity = (await db.execute(query)).one()
    assert cost == details.record.cost_microcredits
    assert quantity == sum(part.quantity for part in details.usage)


async def test_the_checks_that_the_documentation_gives_find_the_books_in_order(
    call, redis, database, tenant
):
    await call.talk(29.5, used(10))
    await call.hang_up(used(50_000))
    payer, turn = Payer(tenant.organization_id, tenant.project_id), uuid.uuid4()
    await Balances(redis).apply_top_up(tenant.organization_id, "more", START)
    service = Usage(database, redis, settings())
    await service.reserve_chat(payer, turn)
    await service.charge_chat(payer, turn, used(3))
    drain = EventDrain(redis, database, wait_s=0)
    while await drain.run_once():
        pass
    text_of_page = (ROOT / "docs" / "billing.md").read_text()
    [block] = re.findall(r"```sql\n(.*?)```", text_of_page, re.DOTALL)
    by_subject, by_day = (query for query in block.split(";") if query.strip())
    async with database.reading() as db:
        assert (await db.execute(text(by_subject))).all() == []
        assert (await db.execute(text(by_day))).scalar_one() is True
    async with database.transaction() as db:
        await db.execute(update(UsageEventRow).values(cost_microcredits=1))
    async with database.reading() as db:
        assert len((await db.execute(text(by_subject))).all()) == 2
        assert (await db.execute(text(by_day))).scalar_one() is False


def test_the_worked_example_in_the_documentation_is_what_would_be_charged():
    rows = re.findall(
        r"^\| \w+,? ?[\w.-]* \| (\w+) \| (\d+) \| (\d+)/(\d+) \| ([\d.]+) \| (\d+) \|$",
        (ROOT / "docs" / "billing.md").read_text(),
        re.MULTILINE,
    )
    assert len(rows) == 5
    table = PriceBook.load().tables[0]
    parts = {
        part.item.unit.value: (part.item.quantity, str(part.price), part.cost_microcredits)
        for part in price_usage(used(33), table).parts
    }
    for unit, quantity, microcredits, per, exactly, cost in rows[1:]:
        price = f"{microcredits}/{per}"
        assert parts[unit] == (int(quantity), price, int(cost))
        assert int(quantity) * int(microcredits) / int(per) == float(exactly)
    assert rows[0] == ("seconds", "30", "100000", "60", "50000", "50000")
