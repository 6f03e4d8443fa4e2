"""What a caller on hold hears."""

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from livekit.rtc.participant import PublishTrackError

from telephony.errors import VendorUnavailable
from worker.hold_music import HoldMusic, builtin_tune, read_tune

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


async def test_a_track_that_livekit_does_not_take_is_tried_again_next_time() -> None:
    failures = [PublishTrackError("the room is gone")]
    published = []

    async def publish_track(track: Any, _options: Any) -> None:
        if failures:
            raise failures.pop()
        published.append(track.name)

    room = SimpleNamespace(local_participant=SimpleNamespace(publish_track=publish_track))
    music = HoldMusic(cast("Any", room), builtin_tune)
    with pytest.raises(VendorUnavailable):
        await music.publish()
    await music.publish()
    await music.publish()
    assert published == ["hold_music"]
