"""Ends the calls nobody ends: workers that died, callers nobody answered, rooms left behind."""

import logging
import uuid
from collections.abc import Callable
from time import monotonic
from typing import Final

from dispatch.errors import StoreUnavailable
from dispatch.live_calls import LiveCall, LiveCalls
from dispatch.room_events import ABANDONED, NO_WORKER
from telephony.calls import CallKind
from telephony.errors import VendorError
from telephony.ports import RoomControl

_log = logging.getLogger(__name__)

STALE_RINGING_S: Final = 15.0
"""A call ringing for longer is looked for in LiveKit: its webhooks may have been lost. Longer than
the creation of a web session's room can take."""

SWEEP_INTERVAL_S: Final = 10.0
"""How often all rooms are compared with the calls known to be over. A room that two sweeps in a
row find left behind is deleted, so a call has at least this long to say goodbye and go."""

UNANSWERED_S: Final = 90.0
"""A call that still rings after this is nobody's: a trunk gives up after 20 s, and a job after
waiting 60 s for a browser. Without this a web caller would wait in silence where no worker is."""

HEAL_S: Final = 6.0
"""After an outage of Redis the heartbeats of all calls look missed: until each worker has had time
to try again (every 0.5 s, with a timeout of 4 s) nobody is taken for lost."""

_STEP_S: Final = 5.0
"""A clock of Redis that ran ahead by so much between two looks was set, or its machine was paused:
all heartbeats look missed then, too. An answer that comes late looks like less."""


class Reaper:
    """Makes the live view agree with LiveKit's rooms and the workers' heartbeats.

    Safe to run in several processes and to stop anywhere: each step is found again by the next
    run, because a room is deleted only for a call already settled, and the sweep finds the rooms
    of such calls.
    """

    def __init__(
        self,
        live_calls: LiveCalls,
        rooms: RoomControl,
        *,
        sweep_interval_s: float = SWEEP_INTERVAL_S,
        stale_ringing_s: float = STALE_RINGING_S,
        unanswered_s: float = UNANSWERED_S,
        heal_s: float = HEAL_S,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._live_calls = live_calls
        self._rooms = rooms
        self._sweep_interval_s = sweep_interval_s
        self._stale_ringing_s = stale_ringing_s
        self._unanswered_s = unanswered_s
        self._heal_s = heal_s
        self._clock = clock
        self._reachable_since: float | None = None
        self._ahead_s: float | None = None
        self._next_sweep = monotonic()
        self._left_behind: set[str] = set()
        self._stuck: set[str] = set()

    async def run_once(self) -> int:
        """Reap once and return how many calls were ended.

        Raises:
            StoreUnavailable: Redis could not be reached.
            VendorError: LiveKit could not be reached; lapsed calls were settled all the same.
        """
        try:
            ended = await self._end_lost_calls()
            ended += await self._miss_gone_calls()
            ended += await self._miss_unanswered_calls()
        except StoreUnavailable:
            self._reachable_since = None
            raise
        if monotonic() >= self._next_sweep:
            await self._sweep_rooms()
            # After the sweep: one that failed is due again at once, and its beat stays bad.
            self._next_sweep = monotonic() + self._sweep_interval_s
        return ended

    async def _end_lost_calls(self) -> int:
        ended = 0
        lapsed = await self._live_calls.lapsed()
        await self._mistrust_a_clock_that_jumped()
        if self._reachable_since is None:
            self._reachable_since = self._clock()
        if self._clock() - self._reachable_since < self._heal_s:
            return 0
        for call_id in lapsed:
            call = await self._live_calls.find(call_id)
            settlement = await self._live_calls.end_lost(call_id)
            if settlement is None or call is None:
                continue
            ended += 1
            _log.warning("Call ended: its worker was lost", extra={"call_id": str(call_id)})
            await self._delete_room(call)
        return ended

    async def _mistrust_a_clock_that_jumped(self) -> None:
        was_s, self._ahead_s = self._ahead_s, await self._live_calls.now_s() - self._clock()
        if was_s is not None and self._ahead_s - was_s > _STEP_S:
            _log.warning("Clock of Redis jumped; waiting for heartbeats")
            self._reachable_since = None

    async def _delete_room(self, call: LiveCall) -> None:
        try:
            await self._rooms.delete_room(call.room_name)
        except VendorError:
            # Other calls wait for their settlement; the sweep deletes the room later.
            _log.warning("Room of an ended call not deleted", extra={"call_id": str(call.call_id)})

    async def _miss_gone_calls(self) -> int:
        """Miss the calls that still ring in Redis and whose room LiveKit no longer has."""
        stale = await self._live_calls.stale_ringing(self._stale_ringing_s)
        calls: dict[uuid.UUID, LiveCall] = {}
        for call_id in stale:
            call = await self._live_calls.find(call_id)
            if call is not None:
                calls[call_id] = call
        if not calls:
            return 0
        names = [call.room_name for call in calls.values()]
        present = {room.name for room in await self._rooms.list_rooms(names)}
        missed = 0
        for call_id, call in calls.items():
            if call.room_name not in present:
                unanswered = NO_WORKER if call.kind is CallKind.SIP else ABANDONED
                missed += await self._live_calls.miss(call_id, unanswered)
        return missed

    async def _miss_unanswered_calls(self) -> int:
        """Miss the calls that no job took, although their callers are still there."""
        missed = 0
        for call_id in await self._live_calls.stale_ringing(self._unanswered_s):
            call = await self._live_calls.find(call_id)
            if call is not None and await self._live_calls.miss(call_id, NO_WORKER):
                missed += 1
                # Other agents may be talking in the room; if none is, the sweep finds it.
                if not call.seat:
                    await self._delete_room(call)
        return missed

    async def _sweep_rooms(self) -> None:
        """Delete rooms whose call is known to be over.

        A room of no known call is left alone: LiveKit may be shared, and the room somebody else's.
        One that LiveKit does not delete is asked for last the next time and keeps no other waiting.

        Raises:
            VendorError: LiveKit could not be reached, or did not delete a room.
        """
        left_behind: set[str] = set()
        rooms = await self._rooms.list_rooms()
        for room in sorted(rooms, key=lambda one: one.name in self._stuck):
            call = await self._live_calls.find_in_room(room.name)
            if call is None or not call.state.is_final:
                continue
            if room.name not in self._left_behind:
                left_behind.add(room.name)
                continue
            try:
                await self._rooms.delete_room(room.name)
            except VendorError:
                self._stuck.add(room.name)
                self._left_behind |= left_behind
                raise
            _log.info("Room left behind deleted", extra={"call_id": str(call.call_id)})
        self._left_behind = left_behind
        self._stuck.clear()
