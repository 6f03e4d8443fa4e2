"""Credit that an organisation is free to reserve, kept in Redis."""

import uuid
from collections.abc import Sequence

from dispatch.billing.reservation import OpenReservation, lease_args
from dispatch.store import redis_keys
from dispatch.store.lua_scripts import LuaScripts
from dispatch.store.redis_client import RedisClient, translate_redis_errors

_OPERATION_TTL_S = 30 * 86_400


class Balances:
    """Free credit per organisation, in micro-credits; the ledger in Postgres replays to it.

    A balance that Redis does not hold is unknown, never zero: calls are refused until it was
    restored from the ledger.
    """

    def __init__(self, redis: RedisClient) -> None:
        self._redis = redis
        self._scripts = LuaScripts(redis)

    async def get(self, organization_id: uuid.UUID) -> int | None:
        """Return the free credit, or None when Redis does not hold it.

        Raises:
            StoreUnavailable: Redis could not be reached.
        """
        with translate_redis_errors():
            amount = await self._redis.get(redis_keys.balance(organization_id))
        return None if amount is None else int(amount)

    async def apply_top_up(
        self, organization_id: uuid.UUID, operation_id: str, amount_microcredits: int
    ) -> int | None:
        """Add an entry that the ledger already holds, once per operation, and return the balance.

        Returns None, with nothing changed, when the balance is unknown (a new organisation, or
        Redis lost its data): then `restore` the ledger's sum, naming this operation among those
        it counts, and apply again. Whoever else restored in between, the top-up counts once.

        Args:
            organization_id: Whose balance.
            operation_id: Names the top-up; remembered for 30 days.
            amount_microcredits: Negative to take credit away, below 0 if need be: what is
                reserved already stays so.

        Raises:
            StoreUnavailable: Redis could not be reached; apply again.
        """
        with translate_redis_errors():
            balance = await self._scripts.run(
                "apply_top_up",
                [redis_keys.balance(organization_id), redis_keys.operation(operation_id)],
                [amount_microcredits, _OPERATION_TTL_S],
            )
        return None if balance is None else int(balance)

    async def restore(
        self,
        organization_id: uuid.UUID,
        amount_microcredits: int,
        counted_operation_ids: Sequence[str] = (),
        open_reservations: Sequence[OpenReservation] = (),
    ) -> bool:
        """Set an unknown balance to the ledger's sum; False when there is a balance already.

        Args:
            organization_id: Whose balance.
            amount_microcredits: Sum of the organisation's ledger entries, read in one snapshot.
            counted_operation_ids: Operation ids of the top-ups of the last days that this sum
                counts, read in the same snapshot, so that none is applied a second time.
            open_reservations: What the ledger says is set aside for operations, read likewise: they
                go on, and what they do not use comes back.

        Raises:
            StoreUnavailable: Redis could not be reached.
        """
        operations = [redis_keys.operation(name) for name in counted_operation_ids]
        with translate_redis_errors():
            restored = await self._scripts.run(
                "restore_balance",
                [redis_keys.balance(organization_id), *operations],
                [
                    amount_microcredits,
                    _OPERATION_TTL_S,
                    str(organization_id),
                    *lease_args(),
                    *(
                        value
                        for reservation in open_reservations
                        for value in reservation.to_args()
                    ),
                ],
            )
        return bool(restored)
