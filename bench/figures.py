"""Medians, ratios and their uncertainty."""

import random
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

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


def compare(ours: Sequence[float], bare: Sequence[float], *, seed: int = 1) -> Ratio:
    """Return the ratio of the medians with a percentile bootstrap interval.

    Args:
        ours: One value for each call, any unit.
        bare: The same for the bare framework, measured in the same run.
        seed: Fixes the resampling, so that the same data give the same interval.
    """
    source = random.Random(seed)
    ratios = sorted(
        statistics.median(source.choices(ours, k=len(ours)))
        / statistics.median(source.choices(bare, k=len(bare)))
        for _ in range(_RESAMPLES)
    )
    middle_ours, middle_bare = statistics.median(ours), statistics.median(bare)
    return Ratio(
        ours=middle_ours,
        bare=middle_bare,
        ratio=middle_ours / middle_bare,
        low=ratios[int(0.025 * _RESAMPLES)],
        high=ratios[int(0.975 * _RESAMPLES)],
        samples=min(len(ours), len(bare)),
    )
