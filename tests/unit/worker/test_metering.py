"""What the meter asks for, in virtual time: nothing here waits."""

import asyncio
import dataclasses

import pytest

from dispatch.calls import Beat
from dispatch.errors import StoreUnavailable
from worker.ending import CREDIT_SPENT, SILENCE, STATE_LOST, TIME_LIMIT, WORKER_LOST, Ending
from worker.metering import Meter, MeterAct, MeterLimits, MeterStep, run_meter

pytestmark = pytest.mark.unit

LIMITS = MeterLimits(
    heartbeat_s=5.0,
    retry_s=0.5,
    max_duration_s=3_600.0,
    silence_s=60.0,
    warning_s=12.0,
    farewell_s=2.0,
)
FINE = Beat(known=True, ended=False, remaining_funded_s=60.0, extendable=True)


class Call:
    """A meter with a clock that jumps to whatever happens next."""

    def __init__(self, limits: MeterLimits = LIMITS, funded_s: float = 60.0) -> None:
        self.now_s = 0.0
        self.meter = Meter(limits, funded_s, self.now_s)
        self.beats: list[float] = []
        self.warnings: list[float] = []

    def answer(self) -> None:
        self.meter.answered(self.now_s)

    def talk(self, *, speaking: bool) -> None:
        self.meter.heard(self.now_s, speaking=speaking)

    def run(self, until_s: float, beat: Beat | None) -> MeterStep | None:
        """Follow the meter; return its end, or None when the time comes first."""
        while self.now_s < until_s:
            step = self.meter.next(self.now_s)
            if step.act is MeterAct.END:
                return step
            if step.act is MeterAct.BEAT:
                self._beat(beat)
            elif step.act is MeterAct.WARN:
                self.warnings.append(self.now_s)
                self.meter.warned()
            else:
                self.now_s = min(until_s, self.now_s + step.wait_s)
        return None

    def _beat(self, beat: Beat | None) -> None:
        self.beats.append(self.now_s)
        if beat is None:
            self.meter.missed(self.now_s)
        else:
            self.meter.beaten(self.now_s, beat)


def left(seconds: float, *, extendable: bool) -> Beat:
    return Beat(known=True, ended=False, remaining_funded_s=seconds, extendable=extendable)


def test_beats_at_every_interval_from_admission_on():
    call = Call()

    assert call.run(21.0, FINE) is None

    assert call.beats == [5.0, 10.0, 15.0, 20.0]


def test_repeats_a_missed_beat_quickly():
    call = Call()

    call.run(6.4, None)

    assert call.beats == [5.0, 5.5, 6.0]


def test_a_ringing_call_spends_nothing_and_may_be_silent():
    call = Call(funded_s=10.0)

    assert call.run(300.0, left(10.0, extendable=False)) is None


def test_talks_on_through_an_outage_while_seconds_are_funded_and_no_longer():
    call = Call()
    call.answer()
    call.talk(speaking=True)

    step = call.run(1_000.0, None)

    assert step is not None
    assert step.cause == CREDIT_SPENT
    assert call.now_s == pytest.approx(58.0)


def test_an_outage_that_passes_changes_nothing():
    call = Call()
    call.answer()
    call.talk(speaking=True)
    call.run(30.0, None)

    assert call.run(200.0, FINE) is None
    assert call.warnings == []


def test_warns_once_and_ends_in_time_for_the_goodbye_when_credit_cannot_be_extended():
    call = Call()
    call.answer()
    call.talk(speaking=True)
    call.run(10.0, FINE)
    call.meter.beaten(call.now_s, left(30.0, extendable=False))
    call.meter = _without_beats(call.meter)

    step = call.run(100.0, FINE)

    assert call.warnings == [28.0]
    assert step is not None
    assert step.cause == CREDIT_SPENT
    assert call.now_s == 38.0


def _without_beats(meter: Meter) -> Meter:
    """Keep the credit as it is: no further heartbeat in the time a test looks at."""
    meter._beat_due_s = 1_000_000.0
    return meter


def test_ends_at_the_time_limit_however_lively_the_talk():
    call = Call(dataclasses.replace(LIMITS, max_duration_s=120.0))
    call.now_s = 7.0
    call.answer()
    call.talk(speaking=True)

    step = call.run(1_000.0, FINE)

    assert step is not None
    assert step.cause == TIME_LIMIT
    assert call.now_s == 127.0


def test_ends_when_nobody_spoke_for_the_silence_limit():
    call = Call()
    call.answer()
    call.talk(speaking=True)
    call.run(100.0, FINE)
    call.talk(speaking=False)

    step = call.run(1_000.0, FINE)

    assert step is not None
    assert step.cause == SILENCE
    assert call.now_s == 160.0


def test_speech_starts_the_silence_over():
    call = Call()
    call.answer()
    for _ in range(10):
        assert call.run(call.now_s + 50.0, FINE) is None
        call.talk(speaking=True)
        call.talk(speaking=False)


def test_a_call_ended_elsewhere_ends_here():
    call = Call()
    call.answer()

    step = call.run(100.0, Beat(known=False, ended=True, remaining_funded_s=0, extendable=False))

    assert step is not None
    assert step.cause == WORKER_LOST


def test_a_call_whose_record_vanished_ends():
    call = Call()
    call.answer()

    step = call.run(100.0, Beat(known=False, ended=False, remaining_funded_s=0, extendable=False))

    assert step is not None
    assert step.cause == STATE_LOST


class Heartbeats:
    """Redis as the loop sees it."""

    def __init__(self, *answers: Beat | None) -> None:
        self._answers = list(answers)
        self.asked = 0
        self.exhausted = asyncio.Event()

    async def beat(self) -> Beat:
        self.asked += 1
        answer = self._answers.pop(0) if self._answers else FINE
        if not self._answers:
            self.exhausted.set()
        if answer is None:
            raise StoreUnavailable("Redis did not answer.")
        return answer


async def test_the_loop_outlives_missed_heartbeats_and_says_goodbye_once():
    limits = dataclasses.replace(LIMITS, heartbeat_s=0.0, retry_s=0.0)
    lost = Beat(known=False, ended=False, remaining_funded_s=0, extendable=False)
    heartbeats = Heartbeats(None, FINE, None, lost)
    ending = Ending()
    goodbyes = 0

    async def say_goodbye() -> None:
        nonlocal goodbyes
        goodbyes += 1
        ending.finish()

    meter = Meter(limits, 60.0, 0.0)
    loop = asyncio.create_task(run_meter(meter, heartbeats.beat, ending, lambda: None, say_goodbye))
    try:
        cause, _ = await ending.wait()
    finally:
        loop.cancel()

    assert cause == STATE_LOST
    assert goodbyes == 1
    assert heartbeats.asked == 4
