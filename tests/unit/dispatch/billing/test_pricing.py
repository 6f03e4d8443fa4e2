"""Quantities to whole micro-credits: exact, and never a part that does not add up."""

from datetime import UTC, datetime
from fractions import Fraction
from math import ceil

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch.billing.items import UNITS_OF, KeySource, Service, Unit, UsageItem
from dispatch.billing.prices import PriceBook
from dispatch.billing.pricing import PricedUsage, price_usage, split_up

pytestmark = pytest.mark.unit

TABLE = PriceBook.load().in_force(datetime(2026, 11, 21, tzinfo=UTC))


def item(service: Service, model: str, unit: Unit, quantity: int, **changes) -> UsageItem:
    return UsageItem(service, changes.pop("provider", "openai"), model, unit, quantity, **changes)


ITEMS = st.lists(
    st.sampled_from(list(UNITS_OF)).flatmap(
        lambda service: st.builds(
            UsageItem,
            service=st.just(service),
            provider=st.sampled_from(["openai", "deepgram", "builtin", "other"]),
            model=st.sampled_from(["gpt-4o-mini", "nova-3", "", "x"]),
            unit=st.sampled_from(UNITS_OF[service]),
            quantity=st.integers(0, 10**9),
            keys=st.sampled_from(KeySource),
        )
    ),
    max_size=12,
)


def test_a_bill_can_be_worked_out_by_hand():
    usage = price_usage(
        [
            item(Service.LLM, "gpt-4o-mini", Unit.INPUT_TOKENS, 1_234),  # 0.15 a token: 185.1
            item(Service.LLM, "gpt-4o-mini", Unit.OUTPUT_TOKENS, 321),  # 0.6 a token: 192.6
            item(Service.STT, "nova-3", Unit.AUDIO_MS, 30_001, provider="deepgram"),  # 2400.08
        ],
        TABLE,
    )
    # 2777.78 is rounded up once; 185 + 192 + 2400 lack one, which the largest remainder gets.
    assert usage.cost_microcredits == 2_778
    assert [part.cost_microcredits for part in usage.parts] == [185, 193, 2_400]


@given(ITEMS)
def test_parts_add_up_to_the_exact_sum_rounded_up_once(items):
    usage = price_usage(items, TABLE)
    exact = sum((TABLE.price_of(one).of(one.quantity) for one in items), Fraction())
    assert usage.cost_microcredits == ceil(exact)
    for part in usage.parts:
        alone = part.price.of(part.item.quantity)
        assert abs(part.cost_microcredits - alone) < 1
        assert part.cost_microcredits == 0 or alone > 0


@given(ITEMS, ITEMS)
def test_using_more_never_costs_less_and_is_told_from_less(before, more):
    early, late = price_usage(before, TABLE), price_usage([*before, *more], TABLE)
    assert late.cost_microcredits >= early.cost_microcredits
    assert late.total_quantity >= early.total_quantity


@given(ITEMS)
def test_survives_its_way_through_redis(items):
    usage = price_usage(items, TABLE)
    assert PricedUsage.of_json(orjson.loads(usage.to_json())) == usage


@given(st.lists(st.fractions(0, 1_000), max_size=9))
def test_rounding_moves_no_amount_by_a_whole_micro_credit(amounts):
    whole = split_up(amounts)
    assert sum(whole) == ceil(sum(amounts, Fraction()))
    assert all(abs(part - exact) < 1 for part, exact in zip(whole, amounts, strict=True))


def test_items_of_the_same_thing_are_one_part():
    one = item(Service.TTS, "tts-1", Unit.CHARACTERS, 10)
    assert [part.item.quantity for part in price_usage([one, one], TABLE).parts] == [20]


def test_what_is_built_in_costs_nothing_and_is_counted():
    usage = price_usage([item(Service.STT, "", Unit.AUDIO_MS, 60_000, provider="builtin")], TABLE)
    assert usage.cost_microcredits == 0
    assert usage.total_quantity == 60_000


def test_a_tenant_with_keys_of_its_own_pays_the_vendor_and_not_us():
    usage = price_usage(
        [item(Service.LLM, "gpt-4o", Unit.INPUT_TOKENS, 10**6, keys=KeySource.OWN)], TABLE
    )
    assert usage.cost_microcredits == 0


@pytest.mark.parametrize("quantity", [-1, -(10**9)])
def test_nothing_is_used_less_than_not_at_all(quantity):
    with pytest.raises(ValueError, match="0 or more"):
        item(Service.TTS, "tts-1", Unit.CHARACTERS, quantity)


def test_a_service_is_not_counted_in_another_ones_units():
    with pytest.raises(ValueError, match="tts is not counted in audio_ms"):
        item(Service.TTS, "tts-1", Unit.AUDIO_MS, 1)
