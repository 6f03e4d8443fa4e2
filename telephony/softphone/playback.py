"""What a phone says: a queue of sound, taken out 20 ms at a time."""

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import Final

import numpy as np

from telephony.softphone.g711 import SAMPLE_RATE_HZ, Pcm

FRAME_SAMPLES: Final = SAMPLE_RATE_HZ // 50
FRAME_S: Final = FRAME_SAMPLES / SAMPLE_RATE_HZ


@dataclass(frozen=True, slots=True)
class Played:
    """What became of a piece of sound."""

    started_s: float | None
    """Monotonic seconds at which its first packet left; None when it was stopped before."""
    ended_s: float | None
    """Monotonic seconds at which its last sample had been said; None when never started."""
    is_complete: bool
    """False when playing was stopped or the call ended."""


class _Piece:
    def __init__(self, pcm: Pcm) -> None:
        self.rest = pcm
        self.started_s: float | None = None
        self.ended_s: float | None = None
        self.done: asyncio.Future[Played] = asyncio.get_running_loop().create_future()

    def finish(self, *, is_complete: bool) -> None:
        if not self.done.done():
            self.done.set_result(Played(self.started_s, self.ended_s, is_complete))


class PlaybackQueue:
    """Pieces of sound, said one after the other without a gap."""

    def __init__(self) -> None:
        self._pieces: deque[_Piece] = deque()

    async def play(self, pcm: Pcm) -> Played:
        """Queue a piece and wait until it has been said, or stopped.

        Cancelling the wait takes the piece out of the queue.
        """
        piece = _Piece(pcm)
        self._pieces.append(piece)
        try:
            return await piece.done
        finally:
            if piece in self._pieces:
                self._pieces.remove(piece)

    def stop(self) -> None:
        """Drop everything queued; each waiting `play` returns what was said of it."""
        while self._pieces:
            self._pieces.popleft().finish(is_complete=False)

    def next_frame(self, sent_s: float) -> Pcm | None:
        """Take the next 160 samples, padded with silence; None when there is nothing to say.

        Args:
            sent_s: Monotonic seconds at which the frame leaves.
        """
        if not self._pieces:
            return None
        frame = np.zeros(FRAME_SAMPLES, dtype=np.int16)
        filled = 0
        while self._pieces and filled < FRAME_SAMPLES:
            piece = self._pieces[0]
            chunk = piece.rest[: FRAME_SAMPLES - filled]
            frame[filled : filled + len(chunk)] = chunk
            filled += len(chunk)
            if piece.started_s is None:
                piece.started_s = sent_s
            piece.ended_s = sent_s + filled / SAMPLE_RATE_HZ
            piece.rest = piece.rest[len(chunk) :]
            if not piece.rest.size:
                self._pieces.popleft().finish(is_complete=True)
        return frame
