"""Credit set aside for one operation that is not a call, kept in Redis: one script a step."""

import uuid
from typing import Final

from dispatch.billing.pricing import NO_USAGE, PricedUsage
from dispatch.billing.reservation import (
    Charge,
    OpenReservation,
    Payer,
    UsageSource,
    lease_args,
)
from dispatch.errors import BalanceUnknown, Conflict, InsufficientCredits
from dispatch.store import redis_keys
from dispatch.store.lua_scripts import LuaScripts
from dispatch.store.redis_client import RedisClient, translate_redis_errors

_MOST_AT_ONCE: Final = 500


class Reservations:
    """Operations and their credit. Every method raises `StoreUnavailable` without Redis.

    Each step may be repeated; what it was asked to do is done once.
    """

    def __init__(self, redis: RedisClient) -> None:
        self._redis = redis
        self._scripts = LuaScripts(redis)

    async def reserve(
        self,
        payer: Payer,
        operation_id: uuid.UUID,
        source: UsageSource,
        *,
        price_version: str,
        amount_microcredits: int,
    ) -> bool:
        """Set credit aside, once; False when the operation was charged already.

        Raises:
            InsufficientCredits: The balance does not cover the amount, or is unknown.
            Conflict: Somebody else's operation has this id.
        """
        answer = await self._run(
            "reserve",
            str(operation_id),
            *_payer_args(payer),
            source,
            price_version,
            amount_microcredits,
            *lease_args(),
        )
        match answer:
            case ["refused", "operation_in_use"]:
                raise Conflict("This operation id is in use.")
            case ["refused", "balance_unknown"]:
                raise InsufficientCredits("The organisation's balance is being rebuilt; try again.")
            case ["refused", _]:
                raise InsufficientCredits("The organisation's balance does not cover this.")
            case [state]:
                return state == "reserved"
            case _:
                raise AssertionError("The reserve script gave an answer of another shape.")

    async def price_version(self, operation_id: uuid.UUID) -> str | None:
        """Return the version of the prices an operation began with; None when it is not known."""
        with translate_redis_errors():
            found = await self._redis.hget(redis_keys.reservation(operation_id), "price_version")
        return None if found is None else str(found)

    async def holds(self, reservation: OpenReservation) -> bool:
        """Return whether Redis knows this beginning of an operation, be it open or over."""
        with translate_redis_errors():
            attempt = await self._redis.hget(
                redis_keys.reservation(reservation.operation_id), "attempt"
            )
        return attempt is not None and int(attempt) == reservation.attempt

    async def charge(
        self, payer: Payer, operation_id: uuid.UUID, source: UsageSource, usage: PricedUsage
    ) -> Charge:
        """Charge what was used and give the rest back, once.

        What exceeds the reservation comes out of the balance as far as it goes. A reservation that
        lapsed, or that Redis lost, is charged from the balance alone.

        Raises:
            BalanceUnknown: The organisation's balance is being rebuilt; charge again.
        """
        answer = await self._run(
            "charge",
            str(operation_id),
            "charge",
            *_payer_args(payer),
            source,
            usage.cost_microcredits,
            usage.to_json(),
            lease_args()[1],
        )
        if answer == ["balance_unknown"]:
            raise BalanceUnknown("The organisation's balance is being rebuilt; charge again.")
        cost, uncollected, repeated = answer
        return Charge(int(cost), int(uncollected), repeated == "1")

    async def release_lapsed(self) -> int:
        """Give back the credit of operations nobody finished; return how many there were."""
        lapsed = await self._run("overdue", "reservations", 0, _MOST_AT_ONCE)
        nobody = ("", "", "", "")
        for operation_id in lapsed:
            await self._run(
                "charge",
                operation_id,
                "lapse",
                *nobody,
                0,
                NO_USAGE.to_json(),
                lease_args()[1],
            )
        return len(lapsed)

    async def _run(self, script: str, *args: str | int) -> list[str]:
        with translate_redis_errors():
            answer: list[str] = await self._scripts.run(script, [], args)
        return answer


def _payer_args(payer: Payer) -> tuple[str, str, str]:
    agent_id = "" if payer.agent_id is None else str(payer.agent_id)
    return str(payer.organization_id), str(payer.project_id), agent_id
