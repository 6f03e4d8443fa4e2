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


class UnansweredCalls:
    """Dispatches jobs to telephone calls that ring and were not admitted.

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
        tried = await asyncio.gather(*(self._try(call_id) for call_id in due[:free]))
        return sum(tried)

    def _due(self, waiting: list[uuid.UUID]) -> list[uuid.UUID]:
        """Return the calls to try: those never tried first, and of these the longest waiting."""
        latest = monotonic() - self._patience_s
        due = [call_id for call_id in waiting if self._tried_at.get(call_id, latest) <= latest]
        return sorted(due, key=lambda call_id: self._tried_at.get(call_id, 0.0))

    async def _try(self, call_id: uuid.UUID) -> bool:
        self._tried_at[call_id] = monotonic()
        call = await self._live_calls.find(call_id)
        if call is None or call.kind is not CallKind.SIP or call.state is not CallState.RINGING:
            return False
        return await self._ensure_job(call)

    async def _ensure_job(self, call: LiveCall) -> bool:
        fields = {"call_id": str(call.call_id)}
        try:
            dispatched = await self._rooms.ensure_job(call.room_name, self._worker_name)
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
