"""Medians, ratios and their uncertainty."""

import random
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

_RESAMPLES = 2_000


@dataclass(frozen=True, slots=True)
class Ratio:
    """Ours over bare: the ratio of two medians and its 95 % bootstrap interval."""

    ours: float
    bare: float
    ratio: float
    low: float
    high: float
    samples: int

    def __str__(self) -> str:
        return f"{self.ratio:5.2f}  [{self.low:.2f}, {self.high:.2f}]"


def compare(
    ours: Sequence[Sequence[float]], bare: Sequence[Sequence[float]], *, seed: int = 1
) -> Ratio | None:
    """Return the ratio of the medians with a percentile bootstrap interval.

    Whole pairs of rounds are resampled: calls of one round share their moment of the machine, and
    so do the two rounds of a pair, which are measured one after the other.

    Args:
        ours: The values of each round, any unit; a round may have none.
        bare: The same for the bare framework, measured in the same run: as many rounds.
        seed: Fixes the resampling, so that the same data give the same interval.

    Returns:
        None when one of the two has no values.
    """
    source = random.Random(seed)
    pairs = [pair for pair in zip(ours, bare, strict=True) if all(pair)]
    if not pairs:
        return None
    ratios = []
    for _ in range(_RESAMPLES):
        drawn = source.choices(pairs, k=len(pairs))
        of_ours, of_bare = (statistics.median(chain(*side)) for side in zip(*drawn, strict=True))
        ratios.append(of_ours / of_bare)
    ratios.sort()
    all_ours, all_bare = (list(chain(*side)) for side in zip(*pairs, strict=True))
    middle_ours, middle_bare = statistics.median(all_ours), statistics.median(all_bare)
    return Ratio(
        ours=middle_ours,
        bare=middle_bare,
        ratio=middle_ours / middle_bare,
        low=ratios[int(0.025 * _RESAMPLES)],
        high=ratios[int(0.975 * _RESAMPLES)],
        samples=min(len(all_ours), len(all_bare)),
    )
