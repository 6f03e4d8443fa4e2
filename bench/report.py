"""The table of ratios."""

import statistics
from collections import Counter
from collections.abc import Callable, Sequence

from bench.calls import CallFigures
from bench.figures import compare
from bench.http_load import Load
from bench.resources import Memory
from bench.rounds import Samples

_MB = 1024 * 1024
_MOST_GENERATOR_SHARE = 0.14
"""Callers that use more of the machine than this measure themselves."""
_SATURATED_SHARE = 0.9
"""From here on the processors are the bottleneck: at times they are all busy."""

_LATENCIES: tuple[tuple[str, Callable[[CallFigures], float]], ...] = (
    ("INVITE to 200 OK, ms", lambda call: call.answer_s * 1_000),
    ("INVITE to first agent audio, ms", lambda call: call.greeting_s * 1_000),
    ("caller's last word to reply, ms", lambda call: call.turn_s * 1_000),
)
_MEMORY: tuple[tuple[str, Callable[[Memory], int]], ...] = (
    ("USS, MB a call", lambda memory: memory.uss_bytes),
    ("PSS, MB a call", lambda memory: memory.pss_bytes),
)


def print_header(cores: int) -> None:
    """Say what is compared."""
    print(
        f"Dialplane against a minimal livekit-agents worker, same stack, {cores} cores, ABBA.\n"
        "Ratio of medians [95 % bootstrap interval over pairs of rounds]; below 1 Dialplane is "
        "better.\n"
        f"{'callers':>7}  {'figure':<34} {'dialplane':>10} {'minimal':>10}   ratio"
    )


def print_calls(callers: int, samples: dict[str, Samples]) -> int:
    """Print the rows of one number of callers and return how many calls void the run.

    Those are the faulty ones, and on a machine that had processors to spare also the misheard.
    """
    ours, bare = samples["dialplane"], samples["minimal"]
    for label, figure in _LATENCIES:
        _row(callers, label, _of_good(ours, figure), _of_good(bare, figure))
    cpu = ([[each.cpu_s_per_call * 1_000] for each in side.rounds] for side in (ours, bare))
    _row(callers, "CPU, ms a call", *cpu)
    idle = ([[side.idle_cores * 1_000]] for side in (ours, bare))
    _row(callers, "CPU, ms a second nobody calls", *idle)
    for label, measured in _MEMORY:
        _row(callers, label, *(_of_rounds(side, measured) for side in (ours, bare)))
    faults = Counter(
        f"{name}: {call.fault}"
        for name, side in samples.items()
        for call in side.calls
        if call.fault
    )
    misheard = [sum(call.misheard for call in side.calls) for side in (ours, bare)]
    busy = [statistics.mean(each.machine_share for each in side.rounds) for side in (ours, bare)]
    saturated = [share > _SATURATED_SHARE for share in busy]
    share = statistics.mean(each.generator_share for each in ours.rounds + bare.rounds)
    print(
        f"{callers:>7}  {'integrity':<34} {len(ours.calls)} and {len(bare.calls)} calls, "
        f"{faults.total()} faulty, {misheard[0]} and {misheard[1]} misheard; "
        f"callers used {share:.0%} of the machine"
        + (" (too much: read with care)" if share > _MOST_GENERATOR_SHARE else "")
    )
    print(
        f"{callers:>7}  {'machine in use':<34} {busy[0]:>10.0%} {busy[1]:>10.0%}"
        + ("  saturated: calls wait for processors, and speech breaks up" if any(saturated) else "")
    )
    for fault, times in faults.items():
        print(f"         fault: {times} times {fault}")
    return faults.total() + sum(
        calls for calls, excused in zip(misheard, saturated, strict=True) if not excused
    )


def print_latencies(clients: int, label: str, ours: Load, bare: Load) -> None:
    """Print the row of an endpoint's latencies; below 1 ours is faster."""
    _row(clients, label, *([_in_ms(block) for block in each.latencies_s] for each in (ours, bare)))


def print_rates(clients: int, label: str, ours: Load, bare: Load) -> None:
    """Print the row of an endpoint's throughput; above 1 ours serves more."""
    _row(clients, label, *([[rate] for rate in each.rates] for each in (ours, bare)))


def _of_good(samples: Samples, figure: Callable[[CallFigures], float]) -> list[list[float]]:
    return [[figure(call) for call in each.calls if call.fault is None] for each in samples.rounds]


def _of_rounds(samples: Samples, measured: Callable[[Memory], int]) -> list[list[float]]:
    held = (each.memory_per_call for each in samples.rounds)
    return [[] if each is None else [measured(each) / _MB] for each in held]


def _in_ms(values_s: Sequence[float]) -> list[float]:
    return [value * 1_000 for value in values_s]


def _row(
    callers: int, label: str, ours: Sequence[Sequence[float]], bare: Sequence[Sequence[float]]
) -> None:
    ratio = compare(ours, bare)
    if ratio is None:
        print(f"{callers:>7}  {label:<34} no figures")
        return
    print(f"{callers:>7}  {label:<34} {ratio.ours:>10.1f} {ratio.bare:>10.1f}  {ratio}")
