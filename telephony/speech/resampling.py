"""Change of sample rate by a windowed-sinc polyphase filter, in numpy alone."""

from functools import lru_cache
from math import gcd

import numpy as np
from numpy.typing import NDArray

_ZERO_CROSSINGS = 16
_KAISER_BETA = 8.0
_ROLLOFF = 0.94
_BLOCK = 16_384


@lru_cache(maxsize=16)
def _phases(up: int, down: int) -> NDArray[np.float32]:
    """One row of filter taps for each of the ``up`` positions between two input samples."""
    cutoff = _ROLLOFF * min(1.0, up / down)
    half = int(np.ceil(_ZERO_CROSSINGS / cutoff))
    offsets = np.arange(-half + 1, half + 1)[None, :] - np.arange(up)[:, None] / up
    window = np.i0(_KAISER_BETA * np.sqrt(np.clip(1 - (offsets / half) ** 2, 0, None)))
    taps = cutoff * np.sinc(cutoff * offsets) * window / np.i0(_KAISER_BETA)
    return np.asarray(taps / taps.sum(axis=1, keepdims=True), dtype=np.float32)


def resample(pcm: NDArray[np.int16], from_rate_hz: int, to_rate_hz: int) -> NDArray[np.int16]:
    """The same sound at another sample rate, without aliasing.

    Args:
        pcm: 16-bit mono samples.
        from_rate_hz: Their rate.
        to_rate_hz: The rate wanted.

    Raises:
        ValueError: A rate is not positive.
    """
    if from_rate_hz <= 0 or to_rate_hz <= 0:
        raise ValueError(f"sample rates must be positive: {from_rate_hz}, {to_rate_hz}")
    if from_rate_hz == to_rate_hz or not len(pcm):
        return pcm
    common = gcd(from_rate_hz, to_rate_hz)
    up, down = to_rate_hz // common, from_rate_hz // common
    phases = _phases(up, down)
    half = phases.shape[1] // 2
    padded = np.pad(pcm.astype(np.float32), (half - 1, half))
    windows = np.lib.stride_tricks.sliding_window_view(padded, phases.shape[1])
    steps = np.arange(-(-len(pcm) * up // down), dtype=np.int64) * down
    out = np.empty(len(steps), dtype=np.int16)
    # In blocks, because each gathers a copy of every window it needs.
    for start in range(0, len(steps), _BLOCK):
        block = steps[start : start + _BLOCK]
        mixed = np.einsum("nt,nt->n", windows[block // up], phases[block % up])
        out[start : start + _BLOCK] = np.clip(np.rint(mixed), -32768, 32767).astype(np.int16)
    return out
