"""Rounds of calls against one side and then the other, in the order A B B A."""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from bench.calls import CallFigures, check_words, place_call, question_sound
from bench.resources import Memory, Work, machine_cpu_s, memory_of, work_of
from bench.sides import Side

_CALM_CORES = 0.15
"""A worker that uses less than this much of a core has put its last calls away; a dozen warm
processes that wait use about half of it."""
_CALM_WINDOW_S = 0.5
_CALM_TIMEOUT_S = 30.0
_IDLE_S = 4.0
_MID_CALL_S = 1.0
"""Into the question, when every caller speaks: the moment memory is read."""


@dataclass(frozen=True, slots=True)
class Round:
    """What one side showed while so many callers called at once."""

    calls: list[CallFigures]
    cpu_s_per_call: float
    """From the first INVITE until the calls are put away and the warm processes they took are
    replaced, without what the side uses when nobody calls."""
    memory_per_call: Memory | None
    """None when the callers never talked all at once."""
    generator_share: float
    """Cores the callers themselves used, of all cores; much of it would void the run."""
    machine_share: float
    """Cores in use by anything, of all cores, from the first INVITE until all have hung up. Near 1
    every figure is about waiting for a processor, and speech arrives in pieces."""


@dataclass(slots=True)
class Samples:
    """Everything one side showed at one number of callers."""

    idle_cores: float
    """What it uses when nobody calls."""
    processes: int
    """How many it has then."""
    rounds: list[Round] = field(default_factory=list)

    @property
    def calls(self) -> list[CallFigures]:
        """All calls."""
        return [call for each in self.rounds for call in each.calls]


def abba(ours: Side, bare: Side, pairs: int) -> Iterator[Side]:
    """Yield both sides `pairs` times each, so that a drift of the machine hits both alike."""
    for pair in range(pairs):
        yield from (ours, bare) if pair % 2 == 0 else (bare, ours)


async def run_rounds(
    sip_address: str, sides: tuple[Side, Side], callers: int, pairs: int, cores: int
) -> dict[str, Samples]:
    """Let so many callers call at once, in rounds, and return what each side showed."""
    samples = {side.name: await _idle(side.pid) for side in sides}
    for side in abba(*sides, pairs):
        known = samples[side.name]
        await _calm(side.pid, known.processes)
        known.rounds.append(await _round(sip_address, side, callers, cores, known))
    return samples


async def _round(sip_address: str, side: Side, callers: int, cores: int, known: Samples) -> Round:
    question = question_sound()
    talking = asyncio.Barrier(callers + 1)
    memory, work = memory_of(side.pid), work_of(side.pid)
    began_s, own_cpu_s, machine_s = time.monotonic(), time.process_time(), machine_cpu_s()
    calls = [
        asyncio.create_task(place_call(sip_address, side.number, question, talking))
        for _ in range(callers)
    ]
    during = await _memory_while_talking(side.pid, talking)
    finished = await asyncio.gather(*calls)
    core_s = (time.monotonic() - began_s) * cores
    own_share = (time.process_time() - own_cpu_s) / core_s
    machine_share = (machine_cpu_s() - machine_s) / core_s
    after = await _calm(side.pid, known.processes)
    idle_s = (time.monotonic() - began_s) * known.idle_cores
    for figures, greeting, reply in finished:
        check_words(figures, greeting, reply)
    return Round(
        calls=[figures for figures, _greeting, _reply in finished],
        cpu_s_per_call=(after.cpu_s - work.cpu_s - idle_s) / callers,
        memory_per_call=None if during is None else _grown(memory, during, callers),
        generator_share=own_share,
        machine_share=machine_share,
    )


def _grown(before: Memory, during: Memory, callers: int) -> Memory:
    return Memory(
        (during.uss_bytes - before.uss_bytes) // callers,
        (during.pss_bytes - before.pss_bytes) // callers,
    )


async def _memory_while_talking(pid: int, talking: asyncio.Barrier) -> Memory | None:
    try:
        await talking.wait()
    except asyncio.BrokenBarrierError:
        return None
    await asyncio.sleep(_MID_CALL_S)
    return await asyncio.to_thread(memory_of, pid)


async def _idle(pid: int) -> Samples:
    """Return how many processes a side has when nobody calls, and what they use."""
    before, began_s = await _calm(pid, None), time.monotonic()
    await asyncio.sleep(_IDLE_S)
    after = work_of(pid)
    return Samples(
        (after.cpu_s - before.cpu_s) / (time.monotonic() - began_s), processes=after.processes
    )


async def _calm(pid: int, processes: int | None) -> Work:
    """Wait until the worker has put its calls away and has all its warm processes again.

    Args:
        pid: The root of the side's tree.
        processes: How many it has then, where that is known: a lull is no end.
    """
    deadline = time.monotonic() + _CALM_TIMEOUT_S
    work = work_of(pid)
    while time.monotonic() < deadline:
        await asyncio.sleep(_CALM_WINDOW_S)
        latest = work_of(pid)
        is_quiet = (latest.cpu_s - work.cpu_s) / _CALM_WINDOW_S < _CALM_CORES
        if is_quiet and processes in (None, latest.processes):
            return latest
        work = latest
    return work
