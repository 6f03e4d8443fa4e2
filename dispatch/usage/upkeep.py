"""Gives back the credit of operations that nobody finished."""

import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from dispatch.billing.reservation import LEASE
from dispatch.store.engine import Database
from dispatch.store.event_stream import EventStream
from dispatch.store.redis_client import RedisClient
from dispatch.store.repositories import ledger, usage
from dispatch.usage.reservations import Reservations

_log = logging.getLogger(__name__)

_BATCH: Final = 200


@dataclass(frozen=True, slots=True)
class ReservationsTended:
    """What a run found."""

    lapsed: int
    """Reservations given back because their time was over."""
    lost: int
    """Reservations given back on record because Redis had forgotten making them."""


class ReservationUpkeep:
    """Ends reservations by their lease; safe to stop anywhere.

    A Redis that crashed may have forgotten its last second: a reservation that is on record but not
    in Redis was undone in the live balance together with it, and is undone on record here. A Redis
    that lost everything is told of open reservations when its balances are rebuilt.
    """

    def __init__(self, redis: RedisClient, database: Database) -> None:
        self._reservations = Reservations(redis)
        self._stream = EventStream(redis, "reservations")
        self._database = database

    async def run_once(self) -> ReservationsTended:
        """Give back what is due.

        Raises:
            StoreUnavailable: Redis or Postgres did not answer.
        """
        lapsed = await self._reservations.release_lapsed()
        return ReservationsTended(lapsed, await self._release_lost())

    async def _release_lost(self) -> int:
        # The order is what makes the conclusion safe: stream, then record, then Redis.
        if await self._stream.lag_s() > LEASE.total_seconds():
            return 0
        async with self._database.reading() as db:
            open_for_long = await usage.list_open_reservations(
                db, datetime.now(UTC) - 2 * LEASE, _BATCH
            )
        lost = 0
        for reservation in open_for_long:
            if await self._reservations.holds(reservation):
                continue
            async with self._database.transaction() as db:
                if await usage.close_reservation(db, reservation.operation_id, reservation.seq):
                    await ledger.release_operation(
                        db,
                        reservation.organization_id,
                        reservation.operation_id,
                        reservation.seq + 1,
                        reservation.amount_microcredits,
                    )
                    lost += 1
        if lost:
            _log.warning("Credit given back: Redis had lost its reservation", extra={"count": lost})
        return lost
