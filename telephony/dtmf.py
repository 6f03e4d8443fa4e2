"""DTMF: which keys there are, their codes on the wire, and how to pace them (pure).

Source: RFC 4733 section 3.2 (event codes), ITU-T Q.24 (a tone and a gap of at least 40 ms each).
"""

from dataclasses import dataclass
from typing import Final

DIGITS: Final = "0123456789*#ABCD"
"""Every DTMF key, at the index of its RFC 4733 event code."""

_PAUSES_MS: Final = {"w": 500, ",": 2000}
"""Pause letters: `w` as LiveKit and Twilio read it, `,` as V.250 and phone dial strings do."""

_SHORTEST_MS: Final = 40

MOST_KEYS: Final = 64
"""Keys pressed in one go; no menu, account or card needs more."""

_LONGEST_PAUSES_MS: Final = 30_000


class InvalidDtmf(ValueError):
    """The text holds something that is not a DTMF key or a pause."""


@dataclass(frozen=True, slots=True)
class DtmfPacing:
    """How long keys are pressed and released.

    Raises:
        InvalidDtmf: A length is too short for receivers to tell keys apart.
    """

    tone_ms: int = 160
    """Length of one tone, at least 40 ms."""

    gap_ms: int = 100
    """Silence after one tone, at least 40 ms."""

    def __post_init__(self) -> None:
        if min(self.tone_ms, self.gap_ms) < _SHORTEST_MS:
            raise InvalidDtmf(f"tones and gaps last at least {_SHORTEST_MS} ms")


@dataclass(frozen=True, slots=True)
class DtmfStep:
    """One key press and the silence after it; a pause is a step without a digit."""

    digit: str | None
    tone_ms: int
    gap_ms: int


def event_code(digit: str) -> int:
    """Return the RFC 4733 event code of a key, 0 to 15.

    Raises:
        InvalidDtmf: Not one of `DIGITS`; letters may be lower case.
    """
    code = DIGITS.find(digit.upper()) if len(digit) == 1 else -1
    if code < 0:
        raise InvalidDtmf("a DTMF key is one of 0-9, *, #, A-D")
    return code


def check_keys(keys: str) -> str:
    """Return keys that may be pressed in one go, letters in upper case but for the pause `w`.

    Raises:
        InvalidDtmf: No key at all, something that is not a key, too many keys, or pauses of more
            than half a minute in all.
    """
    steps = plan_dtmf(keys)
    count = sum(step.digit is not None for step in steps)
    if not 1 <= count <= MOST_KEYS:
        raise InvalidDtmf(f"1 to {MOST_KEYS} keys are pressed in one go, not {count}")
    if sum(step.gap_ms for step in steps if step.digit is None) > _LONGEST_PAUSES_MS:
        raise InvalidDtmf(f"pauses last {_LONGEST_PAUSES_MS // 1000} s in all at most")
    return "".join(key if key in _PAUSES_MS else key.upper() for key in keys if key not in " -")


def plan_dtmf(keys: str, pacing: DtmfPacing | None = None) -> tuple[DtmfStep, ...]:
    """Turn keys into timed steps.

    Args:
        keys: Keys `0-9*#A-D`, with `w` for a pause of 0.5 s and `,` for one of 2 s; spaces and
            hyphens are only for the reader and are skipped.
        pacing: Lengths of tones and gaps; 160 ms and 100 ms when not given.

    Raises:
        InvalidDtmf: No key at all, or something that is not a key.
    """
    pacing = pacing or DtmfPacing()
    steps: list[DtmfStep] = []
    for key in keys:
        if key in _PAUSES_MS:
            steps.append(DtmfStep(None, 0, _PAUSES_MS[key]))
        elif key not in " -":
            digit = DIGITS[event_code(key)]
            steps.append(DtmfStep(digit, pacing.tone_ms, pacing.gap_ms))
    if not steps:
        raise InvalidDtmf("no key to send")
    return tuple(steps)
