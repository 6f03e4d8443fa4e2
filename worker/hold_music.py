"""What a caller on hold hears: a second audio track of the agent."""

import asyncio
import logging
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np
from livekit import rtc
from livekit.rtc.participant import PublishTrackError
from numpy.typing import NDArray

from dispatch.transfer_policy import BUILTIN_MUSIC
from telephony.errors import VendorUnavailable
from telephony.speech.resampling import resample

logger = logging.getLogger(__name__)

MUSIC_TRACK: Final = "hold_music"
"""Name of the track, by which it is told from the agent's voice."""

RATE_HZ: Final = 16_000

_FRAME_SAMPLES: Final = RATE_HZ // 50
_QUEUE_MS: Final = 100
"""Little: what is queued is still heard after a stop."""

NOTES_HZ: Final = (523.25, 659.25, 783.99, 1046.5, 783.99, 659.25)
"""C major, up and down: pure notes pass a telephone line and are told from speech."""
_NOTE_S: Final = 0.5
_LEVEL: Final = 0.12
"""Of full scale, -21 dBFS at its loudest: as loud as speech on the line."""

_LONGEST_FILE_BYTES: Final = 32 * 1024 * 1024

Pcm: TypeAlias = NDArray[np.int16]


def builtin_tune() -> Pcm:
    """Return the tune that needs no file: int16, mono, at `RATE_HZ`; it repeats without a click."""
    time_s = np.arange(round(_NOTE_S * RATE_HZ)) / RATE_HZ
    swell = 0.6 + 0.4 * np.sin(np.pi * time_s / _NOTE_S)
    notes = [swell * np.sin(2 * np.pi * note * time_s) for note in NOTES_HZ]
    edge = np.minimum(1.0, np.minimum(time_s, _NOTE_S - time_s) / 0.01)
    tune = np.concatenate([note * edge for note in notes])
    return (tune * _LEVEL * 32_767).astype(np.int16)


def read_tune(name: str, directory: Path | None) -> Pcm:
    """Return the music of an agent; the builtin tune when its file is missing or unreadable.

    Args:
        name: `builtin` or the name of a 16 bit WAV file.
        directory: Where files are; None when the installation has none.
    """
    if name == BUILTIN_MUSIC:
        return builtin_tune()
    try:
        if directory is None:
            raise FileNotFoundError(name)
        return _read_wave(directory / Path(name).name)
    except (OSError, EOFError, ValueError, wave.Error):
        logger.warning("hold music not readable, the builtin tune plays", exc_info=True)
        return builtin_tune()


def _read_wave(path: Path) -> Pcm:
    if path.stat().st_size > _LONGEST_FILE_BYTES:
        raise ValueError("the file of hold music is too large")
    with wave.open(str(path), "rb") as file:
        if file.getsampwidth() != 2:
            raise ValueError("hold music has 16 bits a sample")
        samples = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2")
        mono = samples.reshape(-1, file.getnchannels()).mean(axis=1).astype(np.int16)
        tune = resample(mono, file.getframerate(), RATE_HZ)
    if not tune.size:
        raise ValueError("the file of hold music is empty")
    return tune


class HoldMusic:
    """Music for one call; silent until played, and published when first needed.

    Args:
        room: The call's room.
        read: Returns the tune, int16, mono, at `RATE_HZ`, repeated for as long as it plays; called
            once, in a thread.
    """

    def __init__(self, room: rtc.Room, read: Callable[[], Pcm]) -> None:
        self._room = room
        self._read = read
        self._tune: Pcm | None = None
        self._source: rtc.AudioSource | None = None
        self._playing: asyncio.Task[None] | None = None

    async def publish(self) -> None:
        """Make the track, silent, so that listeners can be placed before it plays.

        Raises:
            VendorUnavailable: LiveKit did not take it.
        """
        if self._source is not None:
            return
        self._tune = await asyncio.to_thread(self._read)
        source = rtc.AudioSource(RATE_HZ, 1, queue_size_ms=_QUEUE_MS)
        track = rtc.LocalAudioTrack.create_audio_track(MUSIC_TRACK, source)
        # Not a microphone: whoever looks for the agent's voice must not find the music.
        options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_UNKNOWN)
        try:
            await self._room.local_participant.publish_track(track, options)
        except PublishTrackError as exc:
            raise VendorUnavailable("livekit", "publish_track", "not taken") from exc
        self._source = source

    def play(self) -> None:
        """Play from the beginning, over and over; no-op while it plays.

        Raises:
            RuntimeError: The track is not published.
        """
        if self._source is None or self._tune is None:
            raise RuntimeError("hold music is played on a published track")
        if self._playing is None:
            self._playing = asyncio.ensure_future(_play(self._source, self._tune))

    async def stop(self) -> None:
        """Fall silent."""
        playing, self._playing = self._playing, None
        if playing is not None:
            playing.cancel()
            await asyncio.gather(playing, return_exceptions=True)
        if self._source is not None:
            self._source.clear_queue()


async def _play(source: rtc.AudioSource, tune: Pcm) -> None:
    at = 0
    while True:
        samples = np.take(tune, range(at, at + _FRAME_SAMPLES), mode="wrap")
        at = (at + _FRAME_SAMPLES) % tune.size
        await source.capture_frame(rtc.AudioFrame(samples.tobytes(), RATE_HZ, 1, _FRAME_SAMPLES))
