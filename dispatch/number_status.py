"""What a number's owner is told about it."""

from collections.abc import Sequence
from dataclasses import replace

from dispatch.errors import StoreUnavailable
from dispatch.numbers import PhoneNumber, SyncState
from dispatch.store.loop_signals import LoopBeat, LoopSignals

CONVERGENCE = "convergence"

WAITING = "LiveKit is being told about the number."
NOT_RUNNING = "LiveKit was not told about the number yet: `python -m dispatch` is not running."
FAILING = "What is saved is kept, and LiveKit is told as soon as it can be; at the moment: {detail}"
NO_REDIS = "Redis does not answer, so no call can be routed; the number works when it is back."


class NumberStatuses:
    """Combines what is on record with whether LiveKit can be reached now."""

    def __init__(self, signals: LoopSignals) -> None:
        self._signals = signals

    async def of(self, number: PhoneNumber) -> PhoneNumber:
        """Return the number with the status its owner should see."""
        (judged,) = await self.of_all([number])
        return judged

    async def of_all(self, numbers: Sequence[PhoneNumber]) -> tuple[PhoneNumber, ...]:
        """Return the numbers with the statuses their owner should see: one read for all."""
        if not numbers:
            return ()
        try:
            beat = await self._signals.find_beat(CONVERGENCE)
        except StoreUnavailable:
            return tuple(_pending(number, NO_REDIS) for number in numbers)
        return tuple(judge(number, beat) for number in numbers)


def judge(number: PhoneNumber, beat: LoopBeat | None) -> PhoneNumber:
    """Return the number with its status corrected by convergence's last sign of life.

    Args:
        number: As it is on record.
        beat: None when convergence gave no sign of life for 30 s.
    """
    if number.status is SyncState.CONFLICT:
        return number
    if beat is not None and not beat.ok:
        return _pending(number, FAILING.format(detail=beat.detail))
    if number.status is SyncState.PENDING:
        return _pending(number, NOT_RUNNING if beat is None else WAITING)
    # A number LiveKit held when convergence last ran is still served without it.
    return number


def _pending(number: PhoneNumber, reason: str) -> PhoneNumber:
    return replace(number, status=SyncState.PENDING, status_reason=reason)
