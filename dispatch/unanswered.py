"""Gives calls that ring and that no job took another chance, as soon as a worker is free.

LiveKit offers a job once. Where all workers are busy, restarting or not connected at that moment,
it drops the job, and the caller would ring until the trunk gives up, although a worker is free a
second later.
"""

import asyncio
import logging
import uuid
from time import monotonic
from typing import Final

from dispatch.live_calls import LiveCall, LiveCalls
from dispatch.workers import WorkerPresence
from telephony.calls import CallKind, CallState
from telephony.errors import VendorError, VendorNotFound
from telephony.ports import RoomControl

_log = logging.getLogger(__name__)

PATIENCE_S: Final = 3.0
"""A call rings so long before it is given a job, and again before it is given the next. Far more
than a free worker needs to admit a call, and several tries within the 20 s a trunk lets it ring."""

_AT_ONCE: Final = 50
"""Calls that Redis is asked for at once, well below the client's number of connections."""


class UnansweredCalls:
    """Dispatches jobs to calls that ring and were not admitted.

    A web call rings from the moment its session is opened, so it is given a job only while somebody
    is in its room. No call is tried for ever: a trunk stops ringing after 20 s, and the reaper
    misses whatever still rings after 90 s.

    Safe to run in several processes: a call that gets two jobs is admitted for the first only.

    Args:
        live_calls: Which calls ring.
        workers: Who could answer.
        rooms: Where jobs are dispatched.
        worker_name: The agent name under which workers register.
        patience_s: Seconds a call rings before each try.
    """

    def __init__(
        self,
        live_calls: LiveCalls,
        workers: WorkerPresence,
        rooms: RoomControl,
        worker_name: str,
        *,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._live_calls = live_calls
        self._workers = workers
        self._rooms = rooms
        self._worker_name = worker_name
        self._patience_s = patience_s
        self._tried_at: dict[uuid.UUID, float] = {}

    async def run_once(self) -> int:
        """Try the calls that are due, as many as workers are free; return how many got a job.

        Raises:
            StoreUnavailable: Redis could not be reached.
        """
        waiting = await self._live_calls.stale_ringing(self._patience_s)
        self._tried_at = {
            call_id: self._tried_at[call_id] for call_id in waiting if call_id in self._tried_at
        }
        due = self._due(waiting)
        if not due:
            return 0
        free = sum(worker.free_calls for worker in await self._workers.list())
        calls = await self._with_callers(due) if free else []
        tried = await asyncio.gather(*(self._try(call) for call in calls[:free]))
        return sum(tried)

    def _due(self, waiting: list[uuid.UUID]) -> list[uuid.UUID]:
        """Return the calls to try: those never tried first, and of these the longest waiting."""
        latest = monotonic() - self._patience_s
        due = [call_id for call_id in waiting if self._tried_at.get(call_id, latest) <= latest]
        return sorted(due, key=lambda call_id: self._tried_at.get(call_id, 0.0))

    async def _with_callers(self, call_ids: list[uuid.UUID]) -> list[LiveCall]:
        """Return those of the calls that ring and whose callers wait, in the same order."""
        ringing: list[LiveCall] = []
        for start in range(0, len(call_ids), _AT_ONCE):
            some = call_ids[start : start + _AT_ONCE]
            found = await asyncio.gather(*(self._live_calls.find(call_id) for call_id in some))
            ringing += [call for call in found if call and call.state is CallState.RINGING]
        joined = await self._joined(
            [call.room_name for call in ringing if call.kind is CallKind.WEB]
        )
        return [call for call in ringing if call.kind is CallKind.SIP or call.room_name in joined]

    async def _joined(self, room_names: list[str]) -> set[str]:
        """Return those of the rooms that somebody is in; LiveKit counts agents out.

        Source: livekit-server pkg/rtc/room.go, updateProto, at most 5 s late.
        """
        if not room_names:
            return set()
        try:
            rooms = await self._rooms.list_rooms(room_names)
        except VendorError as exc:
            # The telephone calls are tried all the same, and these again soon.
            _log.warning("Web callers not looked for", extra={"error": str(exc)})
            return set()
        return {room.name for room in rooms if room.num_participants}

    async def _try(self, call: LiveCall) -> bool:
        self._tried_at[call.call_id] = monotonic()
        return await self._ensure_job(call)

    async def _ensure_job(self, call: LiveCall) -> bool:
        fields = {"call_id": str(call.call_id)}
        try:
            dispatched = await self._rooms.ensure_job(
                call.room_name, self._worker_name, metadata=call.seat
            )
        except VendorNotFound:
            # The caller hung up; LiveKit's webhook or the reaper ends the call.
            return False
        except VendorError as exc:
            # The other calls are tried all the same, and this one again soon.
            fields["error"] = str(exc)
            _log.warning("Unanswered call not dispatched again", extra=fields)
            return False
        if dispatched:
            _log.info("Unanswered call dispatched again", extra=fields)
        return dispatched
