"""An organisation's credit: put in here, spent by calls.

The ledger in Postgres is the truth; Redis holds the balance that calls reserve from. A top-up is
written down first and then told to Redis, once, however often either step is repeated.
"""

import logging
import uuid
from datetime import timedelta

from dispatch.access.audit import record_change
from dispatch.accounts import Actor
from dispatch.balances import Balances
from dispatch.errors import Conflict, InvalidField, StoreUnavailable
from dispatch.ledger import LedgerEntry, LedgerKind, TopUp
from dispatch.paging import Page, PageRequest
from dispatch.store.engine import Database
from dispatch.store.repositories import accounts, ledger, usage

__all__ = ["Credits", "LedgerEntry", "TopUp"]

logger = logging.getLogger(__name__)

LARGEST_TOP_UP_MICROCREDITS = 10**13
"""Ten million credits; keeps every sum far inside what Redis scripts count exactly (2^53)."""
_LONGEST_OPERATION_ID = 120
_LONGEST_REASON = 500
RECENT = timedelta(days=1)
"""Entries this recent could still be on their way to Redis in another process. A whole machine that
crashed is back by then, too, and Redis may have forgotten what it was told just before."""
BELIEVED_AFTER = timedelta(minutes=1)
"""Redis writes to disk every second, so what it has known for a minute survives its crash."""


class Credits:
    """Balances and their ledger."""

    def __init__(self, database: Database, balances: Balances) -> None:
        self._database = database
        self._balances = balances

    async def top_up(
        self,
        actor: Actor,
        organization_id: uuid.UUID,
        *,
        amount_microcredits: int,
        reason: str = "",
        operation_id: str | None = None,
    ) -> TopUp:
        """Add credit and return the entry and the balance after it.

        Args:
            actor: Who adds it.
            organization_id: Whose balance.
            amount_microcredits: More than 0, at most `LARGEST_TOP_UP_MICROCREDITS`.
            reason: For the ledger, at most 500 characters.
            operation_id: Makes the top-up happen once per organisation, however often it is sent;
                without it every request is a top-up of its own.

        Raises:
            InvalidField: A value is out of range.
            NotFound: There is no such organisation.
            Conflict: `operation_id` was used for another amount.
            StoreUnavailable: Postgres did not answer. When only Redis does not, the top-up is on
                record, is answered, and reaches the live balance by projection.
        """
        if amount_microcredits <= 0:
            raise InvalidField(
                "amount_microcredits",
                f"amountMicrocredits must be 1 to {LARGEST_TOP_UP_MICROCREDITS}.",
            )
        return await self._enter(
            actor, organization_id, LedgerKind.TOPUP, amount_microcredits, reason, operation_id
        )

    async def adjust(
        self,
        actor: Actor,
        organization_id: uuid.UUID,
        *,
        amount_microcredits: int,
        reason: str,
        operation_id: str | None = None,
    ) -> TopUp:
        """Correct a balance by hand, up or down, and return the entry and the balance after it.

        What running calls have reserved is theirs: the balance may become negative, and then no
        call is answered until it is not.

        Args:
            actor: Who corrects it.
            organization_id: Whose balance.
            amount_microcredits: Not 0, at most `LARGEST_TOP_UP_MICROCREDITS` either way.
            reason: For the ledger, 1 to 500 characters.
            operation_id: As for `top_up`.

        Raises:
            InvalidField: A value is out of range.
            NotFound: There is no such organisation.
            Conflict: `operation_id` was used for another amount.
            StoreUnavailable: As for `top_up`.
        """
        if amount_microcredits == 0:
            raise InvalidField("amount_microcredits", "An adjustment changes the balance.")
        if not reason.strip():
            raise InvalidField("reason", "An adjustment needs a reason.")
        return await self._enter(
            actor, organization_id, LedgerKind.ADJUST, amount_microcredits, reason, operation_id
        )

    async def _enter(
        self,
        actor: Actor,
        organization_id: uuid.UUID,
        kind: LedgerKind,
        amount_microcredits: int,
        reason: str,
        operation_id: str | None,
    ) -> TopUp:
        _check_entry(amount_microcredits, reason, operation_id)
        async with self._database.transaction() as db:
            await ledger.lock_for_entry(db, organization_id)
            entry, is_new = await ledger.ensure_entry(
                db,
                organization_id,
                kind,
                amount_microcredits=amount_microcredits,
                reason=reason,
                operation_id=operation_id or uuid.uuid4().hex,
            )
            if is_new:
                after = await ledger.sum_of_entries(db, organization_id)
                await record_change(
                    db,
                    actor,
                    f"credits.{kind.value}",
                    target_type="organization",
                    target_id=organization_id,
                    organization_id=organization_id,
                    before={"balance_microcredits": after - amount_microcredits},
                    after={
                        "balance_microcredits": after,
                        "amount_microcredits": amount_microcredits,
                        "reason": reason,
                    },
                )
        if (entry.kind, entry.amount_microcredits) != (kind, amount_microcredits):
            raise Conflict("This operationId was used for a top-up of another amount.")
        return TopUp(entry, await self._tell_redis(organization_id))

    async def balance(self, organization_id: uuid.UUID) -> int:
        """Return the credit free to use, in micro-credits: what running calls reserved is not.

        Raises:
            StoreUnavailable: Redis did not answer, or it has no balance and Postgres did not.
        """
        live = await self._balances.get(organization_id)
        if live is not None:
            return live
        async with self._database.reading() as db:
            return await ledger.sum_of_entries(db, organization_id)

    async def ledger(self, organization_id: uuid.UUID, page: PageRequest) -> Page[LedgerEntry]:
        """Return a page of an organisation's entries, newest first.

        Raises:
            NotFound: There is no such organisation.
        """
        async with self._database.reading() as db:
            await accounts.get_organization(db, organization_id)
            return await ledger.list_entries(db, organization_id, page)

    async def apply_outstanding(
        self, organization_id: uuid.UUID, believed_after: timedelta = BELIEVED_AFTER
    ) -> int:
        """Tell Redis of every entry it may not know, and return the live balance.

        Redis remembers which operations its balance counts, so telling it again changes nothing.
        That also covers a crashed Redis that lost its last second: balance and memory are lost
        together.

        Args:
            organization_id: Whose entries.
            believed_after: For how long Redis must have known an entry to be believed to keep it.

        Raises:
            StoreUnavailable: Postgres or Redis did not answer; to be repeated.
        """
        async with self._database.reading() as db:
            total_microcredits = await ledger.sum_of_entries(db, organization_id)
            recent = await ledger.list_untold(db, organization_id, believed_after=RECENT)
            untold = await ledger.list_untold(db, organization_id, believed_after=believed_after)
            reserved = await usage.list_reservations_of(db, organization_id)
        balance = await self._balances.get(organization_id)
        if balance is None:
            counted = [entry.operation_id for entry in recent]
            await self._balances.restore(organization_id, total_microcredits, counted, reserved)
            balance = total_microcredits
        for entry in untold:
            applied = await self._balances.apply_top_up(
                organization_id, entry.operation_id, entry.amount_microcredits
            )
            if applied is None:
                raise StoreUnavailable("Redis lost its data while a top-up was applied.")
            balance = applied
        if untold:
            async with self._database.transaction() as db:
                await ledger.mark_applied(db, [entry.id for entry in untold])
        return balance

    async def _tell_redis(self, organization_id: uuid.UUID) -> int:
        try:
            return await self.apply_outstanding(organization_id)
        except StoreUnavailable:
            logger.warning(
                "A top-up is on record but not in the live balance yet.",
                extra={"organization_id": str(organization_id)},
            )
            async with self._database.reading() as db:
                return await ledger.sum_of_entries(db, organization_id)


def _check_entry(amount_microcredits: int, reason: str, operation_id: str | None) -> None:
    if abs(amount_microcredits) > LARGEST_TOP_UP_MICROCREDITS:
        raise InvalidField(
            "amount_microcredits",
            f"amountMicrocredits must be at most {LARGEST_TOP_UP_MICROCREDITS}.",
        )
    if len(reason) > _LONGEST_REASON:
        raise InvalidField("reason", f"reason must have at most {_LONGEST_REASON} characters.")
    if operation_id is not None and not 1 <= len(operation_id) <= _LONGEST_OPERATION_ID:
        raise InvalidField(
            "operation_id", f"operationId must have 1 to {_LONGEST_OPERATION_ID} characters."
        )
