"""The table of ratios."""

import statistics
from collections import Counter
from collections.abc import Callable, Sequence

from bench.calls import CallFigures
from bench.figures import Ratio, compare
from bench.http_load import Load
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


def print_header(cores: int) -> None:
    """Say what is compared."""
    print(
        f"Dialplane against a minimal livekit-agents worker, same stack, {cores} cores, ABBA.\n"
        "Ratio of medians [95 % bootstrap interval]; below 1 Dialplane is better.\n"
        f"{'callers':>7}  {'figure':<34} {'dialplane':>10} {'minimal':>10}   ratio"
    )


def print_calls(callers: int, samples: dict[str, Samples]) -> int:
    """Print the rows of one number of callers and return how many calls void the run.

    Those are the faulty ones, and on a machine that had processors to spare also the misheard.
    """
    ours, bare = samples["dialplane"], samples["minimal"]
    good = {
        name: [call for call in side.calls if call.fault is None] for name, side in samples.items()
    }
    for label, figure in _LATENCIES:
        _row(
            callers,
            label,
            [figure(call) for call in good["dialplane"]],
            [figure(call) for call in good["minimal"]],
        )
    _row(
        callers,
        "CPU, ms a call",
        _scaled(ours.cpu_s_per_call, 1_000),
        _scaled(bare.cpu_s_per_call, 1_000),
    )
    for label, mine, theirs in (
        ("USS, MB a call", ours.uss_bytes_per_call, bare.uss_bytes_per_call),
        ("PSS, MB a call", ours.pss_bytes_per_call, bare.pss_bytes_per_call),
    ):
        _row(callers, label, _scaled(mine, 1 / _MB), _scaled(theirs, 1 / _MB))
    faults = Counter(
        f"{name}: {call.fault}"
        for name, side in samples.items()
        for call in side.calls
        if call.fault
    )
    misheard = [sum(call.misheard for call in side.calls) for side in (ours, bare)]
    busy = [statistics.mean(side.machine_share) for side in (ours, bare)]
    saturated = [share > _SATURATED_SHARE for share in busy]
    share = statistics.mean(ours.generator_share + bare.generator_share)
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
    _row(clients, label, _scaled(ours.latencies_s, 1_000), _scaled(bare.latencies_s, 1_000))


def print_rates(clients: int, label: str, ours: Load, bare: Load) -> None:
    """Print the row of an endpoint's throughput; above 1 ours serves more."""
    _row(clients, label, ours.rates, bare.rates)


def _scaled(values: Sequence[float], factor: float) -> list[float]:
    return [value * factor for value in values]


def _row(callers: int, label: str, ours: Sequence[float], bare: Sequence[float]) -> None:
    if not ours or not bare:
        print(f"{callers:>7}  {label:<34} no figures")
        return
    ratio: Ratio = compare(ours, bare)
    print(f"{callers:>7}  {label:<34} {ratio.ours:>10.1f} {ratio.bare:>10.1f}  {ratio}")
