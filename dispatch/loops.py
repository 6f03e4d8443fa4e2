"""Runs the work of `dispatch` again and again: each piece in a loop that outlives its failures."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

from dispatch.errors import DispatchError, StoreUnavailable
from telephony.errors import TelephonyError, VendorError

log = logging.getLogger(__name__)

_FIRST_BACKOFF_S: Final = 0.25
_LONGEST_BACKOFF_S: Final = 5.0
"""Short enough that a server that is back is noticed at once, long enough to leave it alone."""

_STANDBY_S: Final = 1.0
"""How soon another process takes a loop over when the one that ran it has died."""

_STILL_AT_WORK: Final = timedelta(seconds=10)
"""How often a run that takes long says so: well within the life of a beat."""

_DEAF_S: Final = 0.2
"""A loop that has not ended so long after it was cancelled did not hear of it."""


class Lock(Protocol):
    """Decides which of several processes runs a loop."""

    async def hold(self) -> bool:
        """Take the lock or check that it is still ours; whether we hold it.

        Raises:
            StoreUnavailable: It cannot be known.
        """
        ...


class Signals(Protocol):
    """Where a loop says that it lives and hears that it is wanted; `LoopSignals` in Redis."""

    async def beat(self, loop: str, *, ok: bool, detail: str) -> None:
        """Say that a loop has just run."""
        ...

    async def wait(self, loop: str, seconds: float) -> None:
        """Return when the loop is asked to run, or after so many seconds."""
        ...


@dataclass(frozen=True, slots=True)
class Loop:
    """A piece of work that is done again and again."""

    name: str
    """As in its Redis keys: `convergence`, `drain`, `reaper`, `unanswered`, `projection`,
    `reconciliation`, `reservations`, `embeddings`, `chats`, `knowledge`,
    `outbound`."""
    run_once: Callable[[], Awaitable[object]]
    """Does what there is to do. Its answer's `sentence`, if it has one, goes into the beat."""
    interval: timedelta
    """Pause after a run that went well, cut short when the loop is woken."""
    lock: Lock | None = None
    """None for work that several processes may do at once."""
    may_take: timedelta = timedelta(0)
    """For how long a run says that it is still at work. One that goes on for longer counts as hung
    some seconds later, as all do that never say so."""


class LoopRunner:
    """Runs one loop until it is cancelled.

    A failure never ends it: the first of a row is logged, the beat says what is in the way and
    since when, and the pauses grow up to five seconds until a run goes well again.

    Args:
        loop: What to run.
        signals: Where it says that it lives and hears that it is wanted.
    """

    def __init__(self, loop: Loop, signals: Signals) -> None:
        self._loop = loop
        self._signals = signals
        self._failures = 0
        self._failing_since: datetime | None = None
        self._mute = False

    async def run(self) -> None:
        """Run for ever."""
        while True:
            pause_s = await self._turn()
            if pause_s is None:
                # Not woken meanwhile: whoever hears a wish first takes it from the others, and it
                # is meant for the process that does the work.
                await asyncio.sleep(max(self._loop.interval.total_seconds(), _STANDBY_S))
            else:
                await self._pause(pause_s)

    async def _turn(self) -> float | None:
        """Run once and return for how many seconds to pause; None when the lock is not ours."""
        try:
            if self._loop.lock is not None and not await self._loop.lock.hold():
                # Another process runs this loop and beats for it.
                return None
            async with self._heard_of():
                done = await self._loop.run_once()
        except (DispatchError, TelephonyError) as exc:
            return await self._failed(exc, None)
        except Exception as exc:  # noqa: BLE001 - a bug in one loop must not stop the others
            return await self._failed(exc, exc)
        await self._succeeded(str(getattr(done, "sentence", "")))
        return self._loop.interval.total_seconds()

    @asynccontextmanager
    async def _heard_of(self) -> AsyncGenerator[None]:
        """Let a run that may take long be heard of meanwhile, in an `async with`."""
        telling = asyncio.create_task(self._tell_of_work())
        try:
            yield
        finally:
            telling.cancel()
            await asyncio.gather(telling, return_exceptions=True)

    async def _tell_of_work(self) -> None:
        began = datetime.now(UTC)
        while (now := datetime.now(UTC)) - began < self._loop.may_take:
            if now > began + _STILL_AT_WORK:
                since = began.isoformat(timespec="seconds")
                is_well = self._failing_since is None
                await self._beat(ok=is_well, detail=f"At work since {since}.")
            await asyncio.sleep(_STILL_AT_WORK.total_seconds())

    async def _succeeded(self, detail: str) -> None:
        if self._failing_since is not None:
            log.info("loop works again", extra={"loop": self._loop.name})
        self._failures = 0
        self._failing_since = None
        await self._beat(ok=True, detail=detail)

    async def _failed(self, error: Exception, bug: Exception | None) -> float:
        if self._failing_since is None:
            self._failing_since = datetime.now(UTC)
            log.warning(
                "loop fails",
                extra={"loop": self._loop.name, "error": type(error).__name__},
                exc_info=bug,
            )
        self._failures += 1
        since = self._failing_since.isoformat(timespec="seconds")
        await self._beat(ok=False, detail=f"{_in_words(error)} (since {since})")
        return min(_FIRST_BACKOFF_S * 2.0 ** min(self._failures - 1, 10), _LONGEST_BACKOFF_S)

    async def _beat(self, *, ok: bool, detail: str) -> None:
        try:
            await self._signals.beat(self._loop.name, ok=ok, detail=detail)
        except StoreUnavailable:
            if not self._mute:
                log.warning("loop cannot say that it lives", extra={"loop": self._loop.name})
            self._mute = True
        else:
            self._mute = False

    async def _pause(self, seconds: float) -> None:
        try:
            await self._signals.wait(self._loop.name, seconds)
        except StoreUnavailable:
            await asyncio.sleep(seconds)


def _in_words(error: Exception) -> str:
    """Name a failure for operators; a bug only by its kind, since its text may hold anything."""
    match error:
        case VendorError():
            return f"{error.vendor} {error.operation}: {error.reason}"
        case DispatchError() | TelephonyError():
            return str(error)
        case _:
            return f"An unexpected {type(error).__name__}; the log has the details."


async def run_loops(loops: list[Loop], signals: Signals, stopping: asyncio.Event) -> None:
    """Run loops side by side until asked to stop; a run under way is cut off where it is.

    That is safe: every piece of work goes on from what the stores and LiveKit hold.
    """
    async with asyncio.TaskGroup() as tasks:
        running = [
            tasks.create_task(LoopRunner(loop, signals).run(), name=loop.name) for loop in loops
        ]
        await stopping.wait()
        # A cancellation can be lost in a library below (asyncio.wait_for of Python 3.11 loses one
        # that comes in the moment its work is done), so it is repeated until it is heard.
        while left := [task for task in running if not task.done()]:
            for task in left:
                task.cancel()
            await asyncio.wait(left, timeout=_DEAF_S)
