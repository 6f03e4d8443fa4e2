"""Ends the calls on record that Redis forgot: nobody else would ever hear of their end."""

import logging
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from time import monotonic
from typing import Final

from dispatch.calls import CallEnd
from dispatch.live_calls import LiveCalls
from dispatch.store.engine import Database
from dispatch.store.event_stream import EventStream
from dispatch.store.redis_client import RedisClient
from dispatch.store.repositories import recorded_calls
from telephony.calls import EndedBy, EndReason
from telephony.errors import VendorError
from telephony.ports import RoomControl

_log = logging.getLogger(__name__)

STATE_LOST: Final = CallEnd(EndedBy.SYSTEM, EndReason.STATE_LOST)

FORGOTTEN_FOR_S: Final = 60.0
"""A worker that lives finds out with its next heartbeat, says goodbye and ends the call itself."""

_LONGEST_LAG_S: Final = 1_800.0
"""Half the time for which a call that is over stays known in Redis. While the stream holds nothing
older, a call that is open on record and unknown in Redis has no end on its way."""

_BATCH: Final = 500


@dataclass(frozen=True, slots=True)
class Reconciled:
    """What a run found."""

    ended: int
    forgotten: int
    """Calls that Redis does not know and that are not ended yet."""


class Reconciliation:
    """Compares the open calls on record with those that Redis knows.

    Safe to stop anywhere: a call is ended by the same script as any other, once.

    Args:
        live_calls: What Redis knows.
        redis: Holds the event stream.
        database: Holds the record.
        rooms: Where a forgotten caller may still be waiting.
        forgotten_for_s: How long Redis must not have known a call.
    """

    def __init__(
        self,
        live_calls: LiveCalls,
        redis: RedisClient,
        database: Database,
        rooms: RoomControl,
        *,
        forgotten_for_s: float = FORGOTTEN_FOR_S,
    ) -> None:
        self._live_calls = live_calls
        self._stream = EventStream(redis, "reconciliation")
        self._database = database
        self._rooms = rooms
        self._forgotten_for_s = forgotten_for_s
        self._forgotten_since: dict[uuid.UUID, float] = {}
        self._stuck: set[uuid.UUID] = set()

    async def run_once(self) -> Reconciled:
        """Compare once, and end what has been forgotten for long enough.

        Raises:
            StoreUnavailable: Redis or Postgres could not be reached.
            VendorError: LiveKit could not be reached; the calls are ended by a later run.
        """
        # The order is what makes the conclusion safe: stream, then record, then Redis.
        if await self._stream.lag_s() > _LONGEST_LAG_S:
            return Reconciled(ended=0, forgotten=len(self._forgotten_since))
        forgotten = await self._find_forgotten()
        now_s = monotonic()
        since = {call_id: self._forgotten_since.get(call_id, now_s) for call_id in forgotten}
        self._forgotten_since = since
        due = [call_id for call_id, at in since.items() if now_s - at >= self._forgotten_for_s]
        for call_id in sorted(due, key=lambda one: one in self._stuck):
            # A caller whose worker died as well still waits in the room.
            try:
                await self._rooms.delete_room(forgotten[call_id])
            except VendorError:
                # The next run asks for it last, so that it keeps no other call open.
                self._stuck.add(call_id)
                raise
            await self._live_calls.end(call_id, STATE_LOST)
            del since[call_id]
            _log.warning("Call ended: Redis had lost it", extra={"call_id": str(call_id)})
        self._stuck.clear()
        return Reconciled(ended=len(due), forgotten=len(since))

    async def _find_forgotten(self) -> Mapping[uuid.UUID, str]:
        """Return the rooms of the calls that are open on record and unknown in Redis."""
        forgotten: dict[uuid.UUID, str] = {}
        after: uuid.UUID | None = None
        while True:
            async with self._database.reading() as db:
                batch = await recorded_calls.list_open_calls(db, after, _BATCH)
            known = await self._live_calls.known([call_id for call_id, _ in batch])
            forgotten |= {call_id: room for call_id, room in batch if call_id not in known}
            if len(batch) < _BATCH:
                return forgotten
            after = batch[-1][0]
