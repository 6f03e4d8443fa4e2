"""Seconds of talk against credit and limits: what to do next, as a pure rule, and its loop."""

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final

from dispatch.agent_profile import AgentProfile
from dispatch.calls import Beat, CallEnd
from dispatch.errors import StoreUnavailable
from worker.ending import CREDIT_SPENT, SILENCE, STATE_LOST, TIME_LIMIT, WORKER_LOST, Ending

logger = logging.getLogger(__name__)

_LONGEST_NAP_S: Final = 0.5
"""Speech starts and stops between two looks at the meter; looking costs microseconds."""


@dataclass(frozen=True, slots=True)
class MeterLimits:
    """The limits of one call, in seconds."""

    heartbeat_s: float
    retry_s: float
    """Wait after a heartbeat that Redis did not take."""
    max_duration_s: float
    silence_s: float
    warning_s: float
    """How long before the credit runs out the caller is told."""
    farewell_s: float
    """How long the goodbye takes: the end begins so much before the credit is spent."""

    @staticmethod
    def of(profile: AgentProfile, heartbeat: timedelta) -> "MeterLimits":
        """Return the limits of a call with this agent."""
        words = len(profile.goodbye.split())
        farewell_s = 1.0 + words * 60 / profile.models.tts.words_per_minute
        return MeterLimits(
            heartbeat_s=heartbeat.total_seconds(),
            retry_s=min(0.5, heartbeat.total_seconds() / 2),
            max_duration_s=float(profile.max_duration_s),
            silence_s=float(profile.silence_timeout_s),
            warning_s=farewell_s + 10.0,
            farewell_s=farewell_s,
        )


class MeterAct(StrEnum):
    """What a look at the meter asks for."""

    WAIT = "wait"
    BEAT = "beat"
    WARN = "warn"
    END = "end"


@dataclass(frozen=True, slots=True)
class MeterStep:
    """One thing to do: now, or after `wait_s` seconds when there is nothing to do yet."""

    act: MeterAct
    wait_s: float = 0.0
    cause: CallEnd | None = None
    """Why the call ends; only with `MeterAct.END`."""


class Meter:
    """The clockwork of one call. Pure: every method is told the time in monotonic seconds.

    Talk is funded from the answer on. A reservation that Redis cannot extend, or that cannot be
    asked about, is used up to its last second and no further.

    Args:
        limits: The call's limits.
        funded_s: Seconds of talk reserved at admission.
        now_s: The moment of admission.
    """

    def __init__(self, limits: MeterLimits, funded_s: float, now_s: float) -> None:
        self._limits = limits
        self._funded_s = funded_s
        self._beat_due_s = now_s + limits.heartbeat_s
        self._answered_at_s: float | None = None
        self._funded_until_s = math.inf
        self._quiet_since_s: float | None = None
        self._silence_counts = True
        self._may_run_out = False
        self._warned = False
        self._lost: CallEnd | None = None

    def answered(self, now_s: float) -> None:
        """Note the answer: from here on talk costs credit, and silence counts."""
        self._answered_at_s = now_s
        self._funded_until_s = now_s + self._funded_s
        self._quiet_since_s = now_s

    def heard(self, now_s: float, *, speaking: bool) -> None:
        """Note whether anybody is speaking (or about to) from now on."""
        if self._answered_at_s is not None and self._silence_counts:
            self._quiet_since_s = None if speaking else now_s

    def count_silence(self, now_s: float, *, counts: bool) -> None:
        """Note whether silence between agent and caller means anything from now on.

        It does not while the caller is on hold or talks with somebody else.
        """
        self._silence_counts = counts
        self._quiet_since_s = now_s if counts and self._answered_at_s is not None else None

    def beaten(self, now_s: float, beat: Beat) -> None:
        """Note what a heartbeat learned."""
        self._beat_due_s = now_s + self._limits.heartbeat_s
        if not beat.known:
            self._lost = WORKER_LOST if beat.ended else STATE_LOST
        elif self._answered_at_s is not None:
            self._funded_until_s = now_s + beat.remaining_funded_s
            self._may_run_out = not beat.extendable

    def missed(self, now_s: float) -> None:
        """Note that Redis did not take a heartbeat: try again soon, spend what is funded."""
        self._beat_due_s = now_s + self._limits.retry_s
        self._may_run_out = True

    def warned(self) -> None:
        """Note that the caller was told about the end of the credit."""
        self._warned = True

    def next(self, now_s: float) -> MeterStep:
        """Return what to do now; heartbeats come first, for they change everything else."""
        if self._lost is not None:
            return MeterStep(MeterAct.END, cause=self._lost)
        if now_s >= self._beat_due_s:
            return MeterStep(MeterAct.BEAT)
        credit_end_s = self._funded_until_s - self._limits.farewell_s
        time_end_s, silence_end_s = self._time_end_s(), self._silence_end_s()
        for end_s, cause in (
            (credit_end_s, CREDIT_SPENT),
            (time_end_s, TIME_LIMIT),
            (silence_end_s, SILENCE),
        ):
            if now_s >= end_s:
                return MeterStep(MeterAct.END, cause=cause)
        warning_s = self._warning_s()
        if now_s >= warning_s:
            return MeterStep(MeterAct.WARN)
        due_s = min(self._beat_due_s, credit_end_s, time_end_s, silence_end_s, warning_s)
        return MeterStep(MeterAct.WAIT, wait_s=due_s - now_s)

    def _time_end_s(self) -> float:
        if self._answered_at_s is None:
            return math.inf
        return self._answered_at_s + self._limits.max_duration_s

    def _silence_end_s(self) -> float:
        if self._quiet_since_s is None:
            return math.inf
        return self._quiet_since_s + self._limits.silence_s

    def _warning_s(self) -> float:
        if self._warned or not self._may_run_out:
            return math.inf
        return self._funded_until_s - self._limits.warning_s


async def run_meter(
    meter: Meter,
    beat: Callable[[], Awaitable[Beat]],
    ending: Ending,
    warn: Callable[[], None],
    say_goodbye: Callable[[], Awaitable[None]],
) -> None:
    """Keep the call's lease and end the call at its limits; runs until it is cancelled.

    It beats on while a goodbye is spoken, so that the lease outlives the call and not the reverse.

    Args:
        meter: The call's clockwork.
        beat: Renews the call's lease and extends its credit.
        ending: Where the end is decided.
        warn: Tells the caller that the call is about to end.
        say_goodbye: Speaks the goodbye and lets the call be over.
    """
    goodbye: asyncio.Task[None] | None = None
    try:
        while True:
            now_s = time.monotonic()
            step = meter.next(now_s)
            if step.act is MeterAct.BEAT or ending.is_decided:
                await _beat_or_nap(meter, beat, step)
            elif step.act is MeterAct.WARN:
                meter.warned()
                warn()
            elif step.cause is not None and ending.decide(step.cause):
                goodbye = asyncio.ensure_future(say_goodbye())
            else:
                await asyncio.sleep(min(step.wait_s, _LONGEST_NAP_S))
    finally:
        if goodbye is not None:
            goodbye.cancel()


async def _beat_or_nap(meter: Meter, beat: Callable[[], Awaitable[Beat]], step: MeterStep) -> None:
    if step.act is not MeterAct.BEAT:
        await asyncio.sleep(_LONGEST_NAP_S)
        return
    try:
        learned = await beat()
    except StoreUnavailable:
        logger.warning("heartbeat not taken, Redis is away")
        meter.missed(time.monotonic())
    else:
        meter.beaten(time.monotonic(), learned)
