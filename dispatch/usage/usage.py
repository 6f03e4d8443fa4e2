"""Use of paid services by operations that are not calls, and reports of all that was used."""

import uuid
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime

from dispatch.accounts import Principal
from dispatch.billing.items import Unit, UsageItem
from dispatch.billing.prices import PriceBook
from dispatch.billing.pricing import price_usage
from dispatch.billing.reports import GroupBy, Period, UsageGroup, UsageQuantity, UsageReport
from dispatch.billing.reservation import Charge, Payer, UsageSource
from dispatch.settings import DispatchSettings
from dispatch.store.engine import Database
from dispatch.store.redis_client import RedisClient
from dispatch.store.repositories import usage as usage_rows
from dispatch.store.repositories.usage import UsageSum
from dispatch.usage.reservations import Reservations

__all__ = ["Charge", "Payer", "Usage", "UsageSource"]


class Usage:
    """What is used, paid for and reported.

    An operation that costs money goes: `reserve` (or it must not begin), do it, `charge`. A process
    that dies in between leaves the credit set aside; it goes back when the reservation lapses, ten
    minutes later, unless somebody charges the operation first. Charging late is fine, too: then
    the money comes out of the balance.
    """

    def __init__(self, database: Database, redis: RedisClient, settings: DispatchSettings) -> None:
        self._database = database
        self._reservations = Reservations(redis)
        self._settings = settings
        self._prices = PriceBook.load(settings.dialplane_price_table)

    async def reserve_chat(self, payer: Payer, operation_id: uuid.UUID) -> bool:
        """Set credit aside for one turn of a chat; see `reserve`."""
        return await self.reserve(payer, operation_id, UsageSource.CHAT)

    async def charge_chat(
        self, payer: Payer, operation_id: uuid.UUID, items: Sequence[UsageItem]
    ) -> Charge:
        """Charge one turn of a chat; see `charge`."""
        return await self.charge(payer, operation_id, UsageSource.CHAT, items)

    async def reserve(self, payer: Payer, operation_id: uuid.UUID, source: UsageSource) -> bool:
        """Set a block of credit aside before an operation, once, and fix the prices it will have.

        Args:
            payer: Who pays, and for which agent's work.
            operation_id: Names the operation; repeated with the same id nothing more is set aside.
            source: What the operation is.

        Returns:
            False when the operation was charged already: do not do it again.

        Raises:
            InsufficientCredits: The balance does not cover a block, or is not known: fail closed.
            Conflict: Somebody else's operation has this id.
            StoreUnavailable: Redis did not answer: nothing may be used.
        """
        return await self._reservations.reserve(
            payer,
            operation_id,
            source,
            price_version=self._prices.in_force(datetime.now(UTC)).version,
            amount_microcredits=self._settings.operation_block_microcredits,
        )

    async def charge(
        self,
        payer: Payer,
        operation_id: uuid.UUID,
        source: UsageSource,
        items: Sequence[UsageItem],
    ) -> Charge:
        """Charge an operation for what it used, once, and give back what was set aside beyond it.

        An operation that failed is charged for what it used before, possibly nothing.

        Args:
            payer: As when it was reserved.
            operation_id: As when it was reserved.
            source: As when it was reserved.
            items: All that the operation used.

        Raises:
            StoreUnavailable: A store did not answer; charge again, with the same items.
        """
        version = await self._reservations.price_version(operation_id)
        if version is None:
            # Redis does not know it; it may have known, and have lost its data since.
            async with self._database.reading() as db:
                charged = await usage_rows.find_charge(db, operation_id)
            if charged is not None:
                return charged
            table = self._prices.in_force(datetime.now(UTC))
        else:
            table = self._prices.version(version)
        return await self._reservations.charge(
            payer, operation_id, source, price_usage(items, table)
        )

    async def report(
        self,
        principal: Principal,
        period: Period = Period.MONTH,
        group_by: GroupBy = GroupBy.DAY,
    ) -> UsageReport:
        """Return what the principal's project used, as far as it is on record.

        Calls that are still on are not in it.

        Raises:
            StoreUnavailable: Postgres did not answer.
        """
        today = datetime.now(UTC).date()
        since = period.begins(today)
        async with self._database.reading() as db:
            sums = await usage_rows.sum_usage(db, principal.project_id, since, group_by)
        groups = _groups(sums)
        if group_by is GroupBy.DAY:
            groups.sort(key=lambda group: group.key)
        else:
            groups.sort(key=lambda group: (-group.cost_microcredits, group.key))
        return UsageReport(
            period=period,
            group_by=group_by,
            since=since,
            until=today,
            cost_microcredits=sum(group.cost_microcredits for group in groups),
            calls=sum(group.calls for group in groups),
            groups=tuple(groups),
        )

    async def messages_since(self, principal: Principal, since: date) -> int:
        """Return how many messages the principal's organisation had answered, from a day on.

        Raises:
            StoreUnavailable: Postgres did not answer.
        """
        async with self._database.reading() as db:
            return await usage_rows.quantity_since(
                db, principal.organization_id, since, Unit.MESSAGES
            )


def _groups(sums: Iterable[UsageSum]) -> list[UsageGroup]:
    by_key: dict[str, list[UsageSum]] = {}
    for found in sums:
        by_key.setdefault(found.key, []).append(found)
    return [
        UsageGroup(
            key=key,
            name=found[0].name,
            cost_microcredits=sum(one.cost_microcredits for one in found),
            calls=sum(one.calls for one in found),
            quantities=tuple(
                UsageQuantity(one.service, one.unit, one.quantity)
                for one in sorted(found, key=lambda one: (one.service, one.unit))
            ),
        )
        for key, found in by_key.items()
    ]
