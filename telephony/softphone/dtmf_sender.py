"""Keys to be pressed, taken out one packet slot of 20 ms at a time.

Source: RFC 4733 section 2.5.1.2: the packets of one event share the RTP timestamp at which it
began, and only the first carries the marker.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from telephony.dtmf import DtmfStep
from telephony.softphone.dtmf_events import DtmfPayload, tone_payloads

_SLOT_MS: Final = 20


@dataclass(frozen=True, slots=True)
class OutgoingEvent:
    """One telephone-event packet, less its header."""

    payload: DtmfPayload
    timestamp: int
    marker: bool


class _Job:
    def __init__(self, steps: Sequence[DtmfStep]) -> None:
        self.steps = deque(steps)
        self.done: asyncio.Future[bool] = asyncio.get_running_loop().create_future()


class DtmfSender:
    """A queue of key presses."""

    def __init__(self) -> None:
        self._jobs: deque[_Job] = deque()
        self._payloads: deque[DtmfPayload] = deque()
        self._gap_slots = 0
        self._timestamp: int | None = None

    async def press(self, steps: Sequence[DtmfStep]) -> bool:
        """Queue keys and wait until the gap after the last has passed.

        Cancelling the wait drops the keys not yet begun.

        Returns:
            Whether all were sent; False when the sender was stopped.
        """
        job = _Job(steps)
        self._jobs.append(job)
        try:
            return await job.done
        finally:
            if job in self._jobs:
                self._jobs.remove(job)

    def stop(self) -> None:
        """Drop all keys; each waiting `press` returns False."""
        self._payloads.clear()
        while self._jobs:
            job = self._jobs.popleft()
            if not job.done.done():
                job.done.set_result(False)

    def next_event(self, timestamp: int) -> OutgoingEvent | None:
        """Take the packet of this slot; None when it belongs to the audio.

        Args:
            timestamp: RTP timestamp of the slot.
        """
        if not self._payloads and not self._begin_next_step():
            return None
        is_first = self._timestamp is None
        if self._timestamp is None:
            self._timestamp = timestamp
        event = OutgoingEvent(self._payloads.popleft(), self._timestamp, is_first)
        if not self._payloads:
            self._timestamp = None
        return event

    def _begin_next_step(self) -> bool:
        """Load the next tone; False while a gap passes or when nothing is queued."""
        if self._gap_slots:
            self._gap_slots -= 1
            return False
        while self._jobs and not self._jobs[0].steps:
            job = self._jobs.popleft()
            if not job.done.done():
                job.done.set_result(True)
        if not self._jobs:
            return False
        step = self._jobs[0].steps.popleft()
        self._gap_slots = -(-step.gap_ms // _SLOT_MS)
        if step.digit is None:
            return False
        self._payloads.extend(tone_payloads(step.digit, step.tone_ms))
        return True
