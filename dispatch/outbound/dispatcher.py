"""Begins outbound calls when they are due and there is room for them."""

import logging
import uuid
from collections import Counter
from dataclasses import dataclass
from typing import Literal

from dispatch.calls import Arrival, RefusalReason
from dispatch.errors import DispatchError
from dispatch.outbound_call import CALLEE_IDENTITY, CarrierLimits, OutboundCall
from dispatch.settings import DispatchSettings
from dispatch.store.engine import Database, WriteSession
from dispatch.store.outbound_store import OutboundStore
from dispatch.store.redis_client import RedisClient
from dispatch.store.repositories import outbound_calls
from telephony.calls import CallDirection, CallKind, EndedBy, EndReason
from telephony.e164 import E164
from telephony.errors import TelephonyError
from telephony.ports import RoomControl, RoomSpec

OUTBOUND_LOOP = "outbound"

_MOST_OF_A_NUMBER = 50
"""Calls from one number that a run looks at: more than any carrier begins within a second."""

_EMPTY_ROOM_S = 90
"""How long a room waits for its called party: the longest ringing and a little more."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Dispatched:
    """What a run did."""

    begun: int
    waiting: int
    """Calls that are due and for which their carrier, or their tenant, has no room yet."""

    @property
    def sentence(self) -> str:
        """For operators."""
        return f"{self.begun} calls begun, {self.waiting} waiting for room."


class OutboundDispatcher:
    """The queue's other end: rooms and jobs for the calls that are due.

    A call is begun in three steps while its row is locked: Redis rings it, LiveKit makes its room
    with a job, Postgres takes it off the queue. Whoever dies in between leaves it queued, and the
    next run does the same three again, of which those already done change nothing. It is *dialled*
    by the job that is admitted, and a call admits one job in its life: so nobody's telephone rings
    twice, whatever dies here or there. A call that rings and gets no job is one for the loop of
    unanswered calls, and after 90 s for the reaper.
    """

    def __init__(
        self,
        database: Database,
        redis: RedisClient,
        rooms: RoomControl,
        settings: DispatchSettings,
    ) -> None:
        self._database = database
        self._store = OutboundStore(redis, settings)
        self._rooms = rooms
        self._settings = settings

    async def run_once(self) -> Dispatched:
        """Begin what is due and has room.

        Raises:
            StoreUnavailable: Postgres or Redis could not be reached.
            VendorError: LiveKit did not make a room; that call is tried again by the next run.
        """
        async with self._database.reading() as db:
            due = await outbound_calls.list_due(db, _MOST_OF_A_NUMBER)
        done: Counter[str] = Counter()
        full: set[uuid.UUID | E164] = set()
        bug: Exception | None = None
        for one in due:
            if not full.isdisjoint((one.connection_id, one.from_number)):
                # Without a look at it: a customer with thousands waiting keeps nobody from theirs.
                done["waiting"] += 1
                continue
            try:
                done[await self._take(one.id, full)] += 1
            except (DispatchError, TelephonyError):
                raise
            except Exception as exc:  # noqa: BLE001 - raised below
                # One customer's call must not keep all others from being placed.
                bug = exc
        if bug is not None:
            raise bug
        return Dispatched(done["begun"], done["waiting"])

    async def _take(
        self, call_id: uuid.UUID, full: set[uuid.UUID | E164]
    ) -> Literal["begun", "waiting", "gone"]:
        async with self._database.transaction() as db:
            call = await outbound_calls.take_queued(db, call_id)
            if call is None:
                return "gone"
            waits_for = await self._begin(db, call)
            if waits_for is None:
                return "begun"
            is_number = waits_for == RefusalReason.CAPACITY_NUMBER
            full.add(call.from_number if is_number else call.connection_id)
            return "waiting"

    async def _begin(self, db: WriteSession, call: OutboundCall) -> str | None:
        """Begin a call whose row is locked; what for when it must wait."""
        trunk = await outbound_calls.find_trunk(db, call.connection_id)
        if trunk is None or not await outbound_calls.may_show(db, call):
            # The carrier or the number was taken away meanwhile; it may be another customer's now.
            await outbound_calls.end_queued(db, call.id, EndedBy.SYSTEM, EndReason.DIAL_FAILED)
            return None
        a_second, at_once = await outbound_calls.limits_of(db, call.connection_id)
        limits = CarrierLimits(
            a_second or self._settings.outbound_calls_per_second,
            at_once or self._settings.max_outbound_calls,
        )
        answer, reason = await self._store.begin(call, arrival_of(call), limits)
        if answer == "wait":
            _log.debug("call waits", extra={"call_id": str(call.id), "reason": reason})
            return reason
        if answer == "begun":
            await self._rooms.create_room(
                RoomSpec(
                    name=call.room_name,
                    worker_name=self._settings.dialplane_worker_name,
                    empty_timeout_s=_EMPTY_ROOM_S,
                )
            )
        await outbound_calls.mark_begun(db, call.id)
        return None


def arrival_of(call: OutboundCall) -> Arrival:
    """Return an outbound call as one that asks to be admitted."""
    return Arrival(
        call_id=call.id,
        kind=CallKind.SIP,
        direction=CallDirection.OUTBOUND,
        room_name=call.room_name,
        caller_identity=CALLEE_IDENTITY,
        did=call.to_number,
        caller_number=call.from_number,
    )
