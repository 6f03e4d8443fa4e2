"""What time on the line costs: from the price table, or as the installation's settings have it."""

import math
from dataclasses import dataclass, replace
from datetime import datetime

from dispatch.billing.items import KeySource, Service, Unit
from dispatch.billing.prices import ANY, Price, PriceBook, PriceTable
from dispatch.settings import DispatchSettings
from telephony.calls import CallKind

SERVICE_OF: dict[CallKind, Service] = {
    CallKind.SIP: Service.TELEPHONY,
    CallKind.WEB: Service.WEB,
}
"""What time on the line is for each kind of call."""


@dataclass(frozen=True, slots=True)
class TimeRate:
    """Micro-credits for time on the line."""

    per_minute: int
    block: int
    """What one reservation sets aside."""


class TimeRates:
    """The rates of an installation."""

    def __init__(self, settings: DispatchSettings) -> None:
        book = PriceBook.load(settings.dialplane_price_table)
        set_here = {
            (SERVICE_OF[kind], ANY, ANY, Unit.SECONDS, keys): Price(per_minute, 60)
            for kind, per_minute in (
                (CallKind.SIP, settings.sip_price_microcredits_per_minute),
                (CallKind.WEB, settings.web_price_microcredits_per_minute),
            )
            if per_minute is not None
            for keys in KeySource
        }
        self.prices = PriceBook(
            tuple(replace(table, prices={**table.prices, **set_here}) for table in book.tables)
        )
        """Every version of the prices; time on the line costs what the settings say."""
        self._block_s = settings.credit_block.total_seconds()

    def table(self, at: datetime) -> PriceTable:
        """Return the price table in force at a time."""
        return self.prices.in_force(at)

    def rate(self, table: PriceTable, kind: CallKind, keys: KeySource) -> TimeRate:
        """Return the rate for a kind of call, by whose keys its models are used."""
        per_minute = table.per_minute(SERVICE_OF[kind], keys)
        return TimeRate(per_minute, math.ceil(per_minute * self._block_s / 60))
