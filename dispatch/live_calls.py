"""Admission, metering and the end of a call: each step one atomic script in Redis."""

import logging
import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dispatch.calls import Admitted, Arrival, Beat, CallEnd, Refused, Settlement, Turn
from dispatch.settings import DispatchSettings
from dispatch.store.redis_client import RedisClient
from telephony.calls import CallKind, CallState

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LiveCall:
    """A call as Redis holds it: while it lives, and for an hour afterwards."""

    call_id: uuid.UUID
    kind: CallKind
    state: CallState
    admitted: bool
    """Whether it holds (or held) a slot and credit."""
    room_name: str


class LiveCalls:
    """Every call that rings or talks.

    Each method is one round trip and one atomic script that changes state, slots, money and
    appends the events that tell it; the clock is Redis's. All of them may be repeated. Every
    method except `admit` raises `StoreUnavailable` when Redis cannot be reached; what it was
    asked to do may or may not have happened, and asking again is safe.
    """

    def __init__(self, redis: RedisClient, settings: DispatchSettings) -> None:
        raise NotImplementedError

    async def ring(self, arrival: Arrival) -> None:
        """Put a ringing call on record, once; it holds nothing."""
        raise NotImplementedError

    async def admit(self, arrival: Arrival) -> Admitted | Refused:
        """Lease a slot and reserve a first block of credit, or say why not.

        Repeated, it returns the same answer while the call lives, with the profile as it was at
        the first admission; for a call that is over it is Refused(ALREADY_OVER). It puts the call
        on record if `ring` did not. When Redis cannot be reached it returns
        Refused(STORE_UNAVAILABLE): nobody is answered for free.
        """
        raise NotImplementedError

    async def answered(self, call_id: uuid.UUID, at: datetime) -> datetime | None:
        """Start the bill; the first report wins.

        Args:
            call_id: An admitted call.
            at: When the caller's leg was answered; moved into [admission, now].

        Returns:
            When the call was answered, as recorded; None when it is not live.
        """
        raise NotImplementedError

    async def beat(self, call_id: uuid.UUID) -> Beat:
        """Keep the call's slot for another `lease_ttl` and extend its reservation when low."""
        raise NotImplementedError

    async def record_turn(self, call_id: uuid.UUID, turn: Turn) -> None:
        """Put a turn on the call's transcript; a call that is over takes no more."""
        raise NotImplementedError

    async def record_keys(self, call_id: uuid.UUID, digits: str, at: datetime) -> None:
        """Put pressed keys on the call's record."""
        raise NotImplementedError

    async def record_tool(
        self, call_id: uuid.UUID, name: str, arguments: dict[str, Any], result: str
    ) -> None:
        """Put a tool's call and its result on the call's record."""
        raise NotImplementedError

    async def end(
        self, call_id: uuid.UUID, call_end: CallEnd, at: datetime | None = None
    ) -> Settlement:
        """End the call, settle its bill and give back its slot, once.

        An answered call becomes `ended`; one that was never answered becomes `missed` and is
        free. Repeated, it changes nothing and returns the first settlement with `repeated` True.

        Args:
            call_id: A call that rings or talks. One that Redis does not know (it lost its data)
                is put on record as ended with no charge beyond what was reserved before.
            call_end: Who ended it and why.
            at: When it ended; moved into [answer, now]; now when not given.
        """
        raise NotImplementedError

    async def miss(self, call_id: uuid.UUID, call_end: CallEnd) -> bool:
        """End a call that still rings and was never admitted; False when it is any other."""
        raise NotImplementedError

    async def lapsed(self) -> list[uuid.UUID]:
        """Return the admitted calls whose heartbeat stopped for longer than `lease_ttl`."""
        raise NotImplementedError

    async def end_lost(self, call_id: uuid.UUID) -> Settlement | None:
        """End a lapsed call as system/worker_lost, billed up to its last sign of life.

        The last sign is the last heartbeat, recorded event or the answer. None, with nothing
        changed, when its heartbeat came back or it is already over.
        """
        raise NotImplementedError

    async def stale_ringing(self, older_than_s: float) -> list[uuid.UUID]:
        """Return the calls that have been ringing, not admitted, for longer than this."""
        raise NotImplementedError

    async def find(self, call_id: uuid.UUID) -> LiveCall | None:
        """Return the call, or None when Redis does not (or no longer) hold it."""
        raise NotImplementedError
