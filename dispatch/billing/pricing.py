"""From quantities to whole micro-credits, exactly: parts add up to their total."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor
from typing import Any, Final

import orjson

from dispatch.billing.items import KeySource, Service, Unit, UsageItem
from dispatch.billing.prices import Price, PriceTable


@dataclass(frozen=True, slots=True)
class PricedPart:
    """One item of a bill."""

    item: UsageItem
    price: Price
    cost_microcredits: int


@dataclass(frozen=True, slots=True)
class PricedUsage:
    """What was used so far and what it costs; never less than at an earlier moment."""

    price_version: str
    parts: tuple[PricedPart, ...]

    @property
    def cost_microcredits(self) -> int:
        """The sum of the parts."""
        return sum(part.cost_microcredits for part in self.parts)

    @property
    def total_quantity(self) -> int:
        """All quantities in one number: of two states of one usage the larger is the later."""
        return sum(part.item.quantity for part in self.parts)

    def to_json(self) -> str:
        """Return the text that is kept with a live call and carried by its last event."""
        return orjson.dumps(
            {
                "price_version": self.price_version,
                "parts": [_part_fields(part) for part in self.parts],
            }
        ).decode()

    @staticmethod
    def of_json(fields: Any) -> "PricedUsage":
        """Return the usage that `to_json` wrote, from its parsed text.

        Raises:
            KeyError: A field is missing.
            ValueError: A value is not what it should be.
        """
        return PricedUsage(
            fields["price_version"], tuple(_to_part(part) for part in fields["parts"])
        )


NO_USAGE: Final = PricedUsage("", ())
"""Nothing but time on the line."""


def price_usage(items: Sequence[UsageItem], table: PriceTable) -> PricedUsage:
    """Return what items cost together.

    The exact sum is rounded up once, to a whole micro-credit; the parts are rounded by largest
    remainder, so that they add up to it. An item that costs nothing stays at nothing. Items of
    the same thing are added up first; those of quantity 0 are left out.
    """
    items = _added_up(items)
    prices = [table.price_of(item) for item in items]
    costs = split_up([price.of(item.quantity) for item, price in zip(items, prices, strict=True)])
    parts = zip(items, prices, costs, strict=True)
    return PricedUsage(table.version, tuple(PricedPart(*part) for part in parts))


def split_up(amounts: Sequence[Fraction]) -> list[int]:
    """Round amounts to whole numbers whose sum is the amounts' sum, rounded up."""
    whole = [floor(amount) for amount in amounts]
    missing = ceil(sum(amounts, Fraction())) - sum(whole)
    by_remainder = sorted(
        range(len(amounts)), key=lambda index: amounts[index] - whole[index], reverse=True
    )
    for index in by_remainder[:missing]:
        whole[index] += 1
    return whole


def _added_up(items: Sequence[UsageItem]) -> list[UsageItem]:
    sums: dict[tuple[Service, str, str, Unit, KeySource], int] = {}
    for item in items:
        key = (item.service, item.provider, item.model, item.unit, item.keys)
        sums[key] = sums.get(key, 0) + item.quantity
    return [
        UsageItem(service, provider, model, unit, quantity, keys)
        for (service, provider, model, unit, keys), quantity in sums.items()
        if quantity
    ]


def _part_fields(part: PricedPart) -> dict[str, Any]:
    item = part.item
    return {
        "service": item.service,
        "provider": item.provider,
        "model": item.model,
        "unit": item.unit,
        "keys": item.keys,
        "quantity": item.quantity,
        "price_microcredits": part.price.microcredits,
        "price_per": part.price.per,
        "cost_microcredits": part.cost_microcredits,
    }


def _to_part(fields: Any) -> PricedPart:
    return PricedPart(
        UsageItem(
            service=Service(fields["service"]),
            provider=fields["provider"],
            model=fields["model"],
            unit=Unit(fields["unit"]),
            quantity=int(fields["quantity"]),
            keys=KeySource(fields["keys"]),
        ),
        Price(int(fields["price_microcredits"]), int(fields["price_per"])),
        int(fields["cost_microcredits"]),
    )
