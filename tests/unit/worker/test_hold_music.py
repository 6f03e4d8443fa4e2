"""What a caller on hold hears."""

from typing import Any

import numpy as np
import pytest

from worker.hold_music import builtin_tune, read_tune

pytestmark = pytest.mark.unit


def test_the_builtin_tune_repeats_without_a_click_and_is_as_loud_as_speech() -> None:
    tune = builtin_tune()
    level_dbfs = 20 * np.log10(np.sqrt(np.mean((tune / 32_768.0) ** 2)))

    assert abs(int(tune[0])) + abs(int(tune[-1])) < 50
    assert -30 < level_dbfs < -18


def test_music_that_cannot_be_read_is_the_builtin_tune(tmp_path: Any) -> None:
    (tmp_path / "noise.wav").write_bytes(b"not a wave file")
    for name, directory in (("noise.wav", tmp_path), ("none.wav", tmp_path), ("a.wav", None)):
        assert np.array_equal(read_tune(name, directory), builtin_tune())
