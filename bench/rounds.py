"""Rounds of calls against one side and then the other, in the order A B B A."""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from bench.calls import CallFigures, check_words, place_call, question_sound
from bench.resources import Usage, machine_cpu_s, usage_of
from bench.sides import Side

_CALM_CORES = 0.15
"""A worker that uses less than this much of a core has put its last calls away; a dozen warm
processes that wait use about half of it."""
_CALM_WINDOW_S = 0.5
_CALM_TIMEOUT_S = 30.0
_MID_CALL_S = 1.0
"""Into the question, when every caller speaks: the moment memory is read."""


@dataclass(slots=True)
class Samples:
    """Everything one side showed at one number of callers."""

    calls: list[CallFigures] = field(default_factory=list)
    uss_bytes_per_call: list[float] = field(default_factory=list)
    pss_bytes_per_call: list[float] = field(default_factory=list)
    cpu_s_per_call: list[float] = field(default_factory=list)
    generator_share: list[float] = field(default_factory=list)
    """Cores the callers themselves used, of all cores; much of it would void the run."""
    machine_share: list[float] = field(default_factory=list)
    """Cores in use by anything, of all cores, from the first INVITE until all have hung up. Near 1
    every figure is about waiting for a processor, and speech arrives in pieces."""


def abba(ours: Side, bare: Side, pairs: int) -> Iterator[Side]:
    """Yield both sides `pairs` times each, so that a drift of the machine hits both alike."""
    for pair in range(pairs):
        yield from (ours, bare) if pair % 2 == 0 else (bare, ours)


async def run_rounds(
    sip_address: str, sides: tuple[Side, Side], callers: int, pairs: int, cores: int
) -> dict[str, Samples]:
    """Let so many callers call at once, in rounds, and return what each side showed."""
    samples = {side.name: Samples() for side in sides}
    for side in abba(*sides, pairs):
        await _calm(side.pid)
        await _round(sip_address, side, callers, cores, samples[side.name])
    return samples


async def _round(sip_address: str, side: Side, callers: int, cores: int, samples: Samples) -> None:
    question = question_sound()
    talking = asyncio.Barrier(callers + 1)
    before, began_s, own_cpu_s = usage_of(side.pid), time.monotonic(), time.process_time()
    machine_s = machine_cpu_s()
    calls = [
        asyncio.create_task(place_call(sip_address, side.number, question, talking))
        for _ in range(callers)
    ]
    during = await _usage_while_talking(side.pid, talking)
    finished = await asyncio.gather(*calls)
    core_s = (time.monotonic() - began_s) * cores
    own_share = (time.process_time() - own_cpu_s) / core_s
    machine_share = (machine_cpu_s() - machine_s) / core_s
    after = await _calm(side.pid)
    for figures, greeting, reply in finished:
        check_words(figures, greeting, reply)
        samples.calls.append(figures)
    samples.generator_share.append(own_share)
    samples.machine_share.append(machine_share)
    samples.cpu_s_per_call.append((after.cpu_s - before.cpu_s) / callers)
    if during is not None:
        samples.uss_bytes_per_call.append((during.uss_bytes - before.uss_bytes) / callers)
        samples.pss_bytes_per_call.append((during.pss_bytes - before.pss_bytes) / callers)


async def _usage_while_talking(pid: int, talking: asyncio.Barrier) -> Usage | None:
    try:
        await talking.wait()
    except asyncio.BrokenBarrierError:
        return None
    await asyncio.sleep(_MID_CALL_S)
    return await asyncio.to_thread(usage_of, pid)


async def _calm(pid: int) -> Usage:
    """Wait until the worker has put its calls away and refilled its warm processes."""
    deadline = time.monotonic() + _CALM_TIMEOUT_S
    usage = usage_of(pid)
    while time.monotonic() < deadline:
        await asyncio.sleep(_CALM_WINDOW_S)
        latest = usage_of(pid)
        if (latest.cpu_s - usage.cpu_s) / _CALM_WINDOW_S < _CALM_CORES:
            return latest
        usage = latest
    return usage
