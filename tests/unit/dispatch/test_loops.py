"""A loop outlives every failure and says what is in its way."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from dispatch import loops
from dispatch.errors import StoreUnavailable
from dispatch.loops import Loop, LoopRunner, run_loops
from telephony.errors import VendorUnavailable

pytestmark = pytest.mark.unit

UNREACHABLE = VendorUnavailable("livekit", "list_rooms", "could not be reached")


@dataclass
class FakeSignals:
    """Beats in a list and pauses that end at once, until enough pauses were made."""

    turns: int
    loops: set[str] = field(default_factory=set)
    beats: list[tuple[bool, str]] = field(default_factory=list)
    pauses: list[float] = field(default_factory=list)
    reachable: bool = True
    done: asyncio.Event = field(default_factory=asyncio.Event)

    async def beat(self, loop: str, *, ok: bool, detail: str) -> None:
        self.loops.add(loop)
        if not self.reachable:
            raise StoreUnavailable("Redis did not answer.")
        self.beats.append((ok, detail))

    async def wait(self, loop: str, seconds: float) -> None:
        self.loops.add(loop)
        self.pauses.append(seconds)
        if len(self.pauses) >= self.turns:
            self.done.set()
            await asyncio.Event().wait()


@dataclass
class Done:
    sentence: str


@dataclass
class FakeLock:
    held: bool
    asked: int = 0

    async def hold(self) -> bool:
        self.asked += 1
        return self.held


def failing_with(*errors: Exception | None) -> Callable[[], Awaitable[Done]]:
    left = list(errors)

    async def run_once() -> Done:
        error = left.pop(0)
        if error is not None:
            raise error
        return Done("All is well.")

    return run_once


async def run(
    work: Callable[[], Awaitable[object]], *, turns: int, lock: FakeLock | None = None
) -> FakeSignals:
    signals = FakeSignals(turns)
    loop = Loop("convergence", work, timedelta(seconds=5), lock)
    task = asyncio.create_task(LoopRunner(loop, signals).run())
    await asyncio.wait_for(signals.done.wait(), 30)
    task.cancel()
    return signals


async def test_beats_with_what_the_run_has_to_say() -> None:
    signals = await run(failing_with(None), turns=1)

    assert signals.beats == [(True, "All is well.")]
    assert signals.pauses == [5.0]


async def test_says_what_fails_and_since_when_and_goes_on() -> None:
    signals = await run(failing_with(UNREACHABLE, UNREACHABLE, None), turns=3)

    assert [ok for ok, _ in signals.beats] == [False, False, True]
    first, second = signals.beats[0][1], signals.beats[1][1]
    assert first.startswith("livekit list_rooms: could not be reached (since 20")
    assert first == second


async def test_waits_longer_the_longer_it_fails_but_never_long() -> None:
    signals = await run(failing_with(*[UNREACHABLE] * 8), turns=8)

    assert signals.pauses == [0.25, 0.5, 1.0, 2.0, 4.0, 5.0, 5.0, 5.0]


async def test_starts_again_at_the_shortest_pause_after_a_run_that_went_well() -> None:
    signals = await run(failing_with(UNREACHABLE, UNREACHABLE, None, UNREACHABLE), turns=4)

    assert signals.pauses == [0.25, 0.5, 5.0, 0.25]


async def test_logs_a_failure_once_and_its_end_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "dispatch.loops")

    await run(failing_with(UNREACHABLE, UNREACHABLE, UNREACHABLE, None, None), turns=5)

    assert [record.getMessage() for record in caplog.records] == ["loop fails", "loop works again"]


async def test_a_bug_stops_nothing_and_is_logged_with_its_traceback(
    caplog: pytest.LogCaptureFixture,
) -> None:
    signals = await run(failing_with(KeyError("+12015550100"), None), turns=2)

    (record,) = caplog.records
    assert record.exc_info
    assert signals.beats[0][1].startswith("An unexpected KeyError; the log has the details.")
    assert signals.beats[1] == (True, "All is well.")


async def test_a_run_that_takes_long_is_heard_of_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loops, "_STILL_AT_WORK", timedelta(milliseconds=1))
    signals = FakeSignals(turns=1)

    async def take_long() -> Done:
        async with asyncio.timeout(30):
            while len(signals.beats) < 2:
                await asyncio.sleep(0)
        return Done("All is well.")

    loop = Loop("convergence", take_long, timedelta(0), may_take=timedelta(hours=1))
    task = asyncio.create_task(LoopRunner(loop, signals).run())
    await asyncio.wait_for(signals.done.wait(), 30)
    task.cancel()

    *meanwhile, last = signals.beats
    assert all(ok and detail.startswith("At work since ") for ok, detail in meanwhile)
    assert last == (True, "All is well.")


async def test_leaves_work_and_wake_ups_to_the_process_that_holds_the_lock(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(loops, "_STANDBY_S", 0.0)
    signals, lock = FakeSignals(turns=1), FakeLock(held=False)
    loop = Loop("convergence", failing_with(), timedelta(0), lock)
    task = asyncio.create_task(LoopRunner(loop, signals).run())
    async with asyncio.timeout(30):
        while lock.asked < 3:
            await asyncio.sleep(0)
    task.cancel()

    assert signals.beats == []
    assert signals.pauses == []


async def test_goes_on_when_it_cannot_say_so(caplog: pytest.LogCaptureFixture) -> None:
    signals = FakeSignals(turns=3, reachable=False)
    loop = Loop("drain", failing_with(None, None, None), timedelta(0))
    task = asyncio.create_task(LoopRunner(loop, signals).run())
    await asyncio.wait_for(signals.done.wait(), 30)
    task.cancel()

    assert [record.getMessage() for record in caplog.records] == ["loop cannot say that it lives"]


async def test_stops_all_loops_when_asked() -> None:
    stopping = asyncio.Event()
    signals = FakeSignals(turns=2)
    loops = [
        Loop(name, failing_with(None), timedelta(seconds=5)) for name in ("drain", "convergence")
    ]
    running = asyncio.create_task(run_loops(loops, signals, stopping))
    await asyncio.wait_for(signals.done.wait(), 30)

    stopping.set()

    await asyncio.wait_for(running, 30)
    assert signals.loops == {"drain", "convergence"}


async def test_stops_a_loop_that_does_not_hear_the_first_time() -> None:
    stopping, begun, cancellations = asyncio.Event(), asyncio.Event(), 0

    async def deaf() -> None:
        nonlocal cancellations
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancellations += 1
            if cancellations > 1:
                raise

    loop = Loop("drain", deaf, timedelta(seconds=5))
    running = asyncio.create_task(run_loops([loop], FakeSignals(turns=100), stopping))
    await begun.wait()
    stopping.set()

    await asyncio.wait_for(running, 30)
    assert cancellations == 2
