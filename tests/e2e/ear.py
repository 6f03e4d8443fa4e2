"""Who heard what, and when: phones that hum a tone of their own, and recordings read by ear.

A tone is told by the share of a window's energy that lies at its pitch; the hold music by the share
at its notes; speech by being loud and neither.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import numpy as np

from telephony.softphone.call import PhoneCall
from telephony.softphone.errors import CallIsOver
from telephony.softphone.g711 import SAMPLE_RATE_HZ, SILENCE_DBFS, Pcm, level_dbfs
from tests.e2e.waiting import until
from worker.hold_music import NOTES_HZ

CALLER_HZ: Final = 1_700.0
HUMAN_HZ: Final = 2_300.0
_WINDOW_S: Final = 0.04
_HOP_S: Final = 0.02
_WINDOW: Final = round(_WINDOW_S * SAMPLE_RATE_HZ)
_HUM_DBFS: Final = -20.0
_WIDTH_HZ: Final = 50.0
_AHEAD_S: Final = 0.25
"""How far a sound may stand before its arrival; beyond, the recorder sets its clock anew."""
_AGAIN_S: Final = 1.0
"""So much of what was read is read again: more than a sound may stand before its arrival."""
_PURE: Final = 0.5
HEARD_DBFS: Final = -35.0
PAUSE_S: Final = 0.5
"""Music that a busy machine lets fall silent goes on sooner."""


def hum(hz: float, seconds: float = 1.0) -> Pcm:
    """Return a tone, int16, mono, 8000 Hz; a whole number of its periods fits a second."""
    at_s = np.arange(round(seconds * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    peak = 32_767 * 10 ** (_HUM_DBFS / 20) * np.sqrt(2)
    return (peak * np.sin(2 * np.pi * hz * at_s)).astype(np.int16)


@asynccontextmanager
async def humming(call: PhoneCall, hz: float) -> AsyncIterator[None]:
    """Hum on a call for as long as the context lasts, or the call."""

    async def go_on() -> None:
        try:
            while True:
                await call.play(hum(hz))
        except CallIsOver:
            return

    task = asyncio.ensure_future(go_on())
    try:
        yield
    finally:
        task.cancel()
        if not call.is_over:
            call.stop_playing()
        await asyncio.gather(task, return_exceptions=True)


@dataclass(frozen=True)
class Window:
    """What 40 ms of a recording hold."""

    at_s: float
    """Monotonic seconds: of its middle, or of its arrival."""
    level_dbfs: float
    caller_dbfs: float
    """Level at the caller's pitch."""
    human_dbfs: float
    music_share: float
    """Share of the energy at the notes of the music, 0 to 1."""
    voices_share: float
    """Share of the energy at the caller's and the human's pitch."""

    @property
    def is_music(self) -> bool:
        return self.level_dbfs > -45 and self.music_share > 0.7

    @property
    def is_speech(self) -> bool:
        return self.level_dbfs > -40 and self.music_share < 0.5 and self.voices_share < 0.5


def windows(call: PhoneCall, since_s: float = 0.0) -> list[Window]:
    """Read what a call heard, all of it or since a moment, on a time line."""
    heard = call.heard
    first = max(0, round((since_s - heard.started_s) * SAMPLE_RATE_HZ))
    begun_s = heard.started_s + first / SAMPLE_RATE_HZ
    return _read(heard.pcm[first:], lambda end: begun_s + (end - _WINDOW / 2) / SAMPLE_RATE_HZ)


def tone_dbfs(call: PhoneCall, hz: float, start_s: float, end_s: float) -> float:
    """Return the loudest level of a tone in any packet that arrived between two moments.

    Whatever else is heard must have nothing at that pitch: hold music, not speech.
    """
    levels = [SILENCE_DBFS]
    for packet in call.heard_packets:
        if start_s <= packet.arrived_s <= end_s:
            pcm = packet.codec.decode(packet.payload).astype(float)
            shape = np.hanning(len(pcm))
            turns = np.exp(-2j * np.pi * hz * np.arange(len(pcm)) / SAMPLE_RATE_HZ)
            peak = 2 * abs((pcm * shape * turns).sum()) / shape.sum() / 32_767
            levels.append(20 * float(np.log10(max(peak / np.sqrt(2), 1e-9))))
    return max(levels)


def loudest_before(call: PhoneCall, pitch: str, moment_s: float) -> float:
    """Return the loudest level at a pitch of all that had reached a phone by a moment.

    On the time line a sound may stand before its arrival, by as much as the sender fell behind its
    own clock; so what came last is read by its arrival.
    """
    return max(
        loudest(windows(call), pitch, 0, moment_s - _AHEAD_S),
        loudest(_arrivals(call), pitch, 0, moment_s),
    )


def _arrivals(call: PhoneCall) -> list[Window]:
    """Read everything a call heard, each window at the moment in which the last of it arrived."""
    packets = call.heard_packets
    sounds = [packet.codec.decode(packet.payload) for packet in packets]
    ends = np.cumsum([len(sound) for sound in sounds])
    pcm = np.concatenate([np.zeros(0, np.int16), *sounds])
    return _read(pcm, lambda end: packets[int(np.searchsorted(ends, end))].arrived_s)


def _read(sound: Pcm, at_s: Callable[[int], float]) -> list[Window]:
    """Read a sound in windows.

    Args:
        sound: int16, mono, 8000 Hz.
        at_s: Returns the moment of the window that ends before a sample.
    """
    hop = round(_HOP_S * SAMPLE_RATE_HZ)
    pitches = np.fft.rfftfreq(_WINDOW, 1 / SAMPLE_RATE_HZ)
    shape = np.hanning(_WINDOW)
    near = {hz: np.abs(pitches - hz) <= _WIDTH_HZ for hz in (*NOTES_HZ, CALLER_HZ, HUMAN_HZ)}
    notes = np.any([near[hz] for hz in NOTES_HZ], axis=0)
    found = []
    for start in range(0, len(sound) - _WINDOW, hop):
        pcm = sound[start : start + _WINDOW]
        energy = np.abs(np.fft.rfft(pcm * shape)) ** 2
        total = float(energy.sum()) or 1.0
        shares = {hz: float(energy[mask].sum()) / total for hz, mask in near.items()}
        level = level_dbfs(pcm)
        found.append(
            Window(
                at_s(start + _WINDOW),
                level,
                _at_pitch(level, shares[CALLER_HZ]),
                _at_pitch(level, shares[HUMAN_HZ]),
                float(energy[notes].sum()) / total,
                shares[CALLER_HZ] + shares[HUMAN_HZ],
            )
        )
    return found


def _at_pitch(level: float, share: float) -> float:
    """Return the level of a tone; of what only has some energy there, such as speech, none."""
    return level if share > _PURE else SILENCE_DBFS


def loudest(found: Sequence[Window], pitch: str, start_s: float, end_s: float) -> float:
    """Return the loudest level at a pitch (`caller_dbfs`, `human_dbfs`) between two moments."""
    levels = [getattr(one, pitch) for one in found if start_s <= one.at_s <= end_s]
    return max(levels, default=SILENCE_DBFS)


async def hears(call: PhoneCall, pitch: str, after_s: float = 0.0) -> float:
    """Wait until a pitch was heard after a moment; return when it was."""
    return await _first(call, lambda one: getattr(one, pitch) > HEARD_DBFS, after_s)


async def hears_music(call: PhoneCall, after_s: float) -> float:
    """Wait until music was heard after a moment; return when it was first."""
    return await _first(call, lambda one: one.is_music, after_s)


async def hears_speech(call: PhoneCall, after_s: float) -> float:
    """Wait until speech was heard after a moment; return when it was first."""
    return await _first(call, lambda one: one.is_speech, after_s)


async def _first(call: PhoneCall, is_it: Callable[[Window], bool], after_s: float) -> float:
    """Wait for a window after a moment; return when it was.

    Read again and again from the beginning, a long call would take all the time in which its
    telephone should speak.
    """
    unread_s = after_s

    async def look() -> float | None:
        nonlocal unread_s
        found = windows(call, unread_s)
        if found:
            unread_s = max(unread_s, found[-1].at_s - _AGAIN_S)
        return next((one.at_s for one in found if one.at_s >= after_s and is_it(one)), None)

    return await until(look)


async def music_ends(call: PhoneCall, after_s: float = 0.0) -> float:
    """Wait until music that was heard after a moment is over; return when it was last heard."""

    async def look() -> float | None:
        found = windows(call, after_s)
        music = [one.at_s for one in found if one.at_s >= after_s and one.is_music]
        return music[-1] if music and found[-1].at_s > music[-1] + PAUSE_S else None

    return await until(look)
