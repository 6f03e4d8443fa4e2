"""G.711: 16-bit linear PCM to and from 8-bit mu-law and A-law, by table.

Both directions are one table lookup for each sample; Python has no `audioop` from 3.13 on.

Source: ITU-T G.711, tables 1 and 2.
"""

from dataclasses import dataclass, field
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

Pcm: TypeAlias = NDArray[np.int16]
"""Sound: int16, mono, 8000 Hz, one dimension."""

SAMPLE_RATE_HZ: Final = 8000
SILENCE_DBFS: Final = -96.0
"""Level given to digital silence, where the logarithm has no value."""


@dataclass(frozen=True, slots=True, eq=False)
class Codec:
    """One G.711 law: its name in SDP, its static payload type and its tables."""

    name: str
    payload_type: int
    silence: bytes
    """The octet of the smallest positive level, as one byte."""
    _encode_table: NDArray[np.uint8] = field(repr=False)
    _decode_table: Pcm = field(repr=False)

    def encode(self, pcm: Pcm) -> bytes:
        """Encode int16 samples, one octet each."""
        return self._encode_table[pcm.view(np.uint16)].tobytes()

    def decode(self, payload: bytes) -> Pcm:
        """Decode octets into int16 samples, one each."""
        return self._decode_table[np.frombuffer(payload, dtype=np.uint8)]


def level_dbfs(pcm: Pcm) -> float:
    """Return the RMS level in dB relative to full scale; -96 for silence."""
    if not pcm.size:
        return SILENCE_DBFS
    rms = float(np.sqrt(np.mean(np.square(pcm, dtype=np.float64))))
    if rms == 0:
        return SILENCE_DBFS
    return max(SILENCE_DBFS, 20 * float(np.log10(rms / 32768)))


def as_pcm(sound: Pcm | bytes) -> Pcm:
    """Return sound as int16 samples in one dimension; bytes are little-endian int16.

    Raises:
        ValueError: Not int16, not one-dimensional, or half a sample too long.
    """
    if isinstance(sound, bytes):
        return np.frombuffer(sound, dtype="<i2").astype(np.int16)
    if sound.dtype != np.int16 or sound.ndim != 1:
        raise ValueError("sound is int16, mono, one dimension")
    return np.ascontiguousarray(sound)


def _mulaw_decode_table() -> NDArray[np.int32]:
    code: NDArray[np.int32] = ~np.arange(256, dtype=np.int32) & 0xFF
    exponent = (code >> 4) & 0x07
    magnitude = ((((code & 0x0F) << 3) + 0x84) << exponent) - 0x84
    return np.where(code & 0x80, -magnitude, magnitude).astype(np.int32, copy=False)


def _alaw_decode_table() -> NDArray[np.int32]:
    code: NDArray[np.int32] = np.arange(256, dtype=np.int32) ^ 0x55
    exponent = (code >> 4) & 0x07
    magnitude = ((code & 0x0F) << 4) + 8
    magnitude = np.where(
        exponent > 0, (magnitude + 0x100) << np.maximum(exponent - 1, 0), magnitude
    )
    return np.where(code & 0x80, magnitude, -magnitude).astype(np.int32, copy=False)


def _encode_magnitude_mulaw(magnitude: NDArray[np.int32]) -> NDArray[np.int32]:
    biased = np.minimum(magnitude, 32635) + 0x84
    exponent = np.floor(np.log2(biased)).astype(np.int32) - 7
    code: NDArray[np.int32] = (exponent << 4) | ((biased >> (exponent + 3)) & 0x0F)
    return code


def _encode_magnitude_alaw(magnitude: NDArray[np.int32]) -> NDArray[np.int32]:
    exponent = np.maximum(np.floor(np.log2(np.maximum(magnitude, 1))).astype(np.int32) - 7, 0)
    mantissa = (magnitude >> np.maximum(exponent + 3, 4)) & 0x0F
    code: NDArray[np.int32] = (exponent << 4) | mantissa
    return code


def _mulaw_encode_table() -> NDArray[np.uint8]:
    # Indexed by the sample's two's complement bits, so encoding is one lookup per sample.
    sample = np.arange(65536, dtype=np.uint16).view(np.int16).astype(np.int32)
    code = _encode_magnitude_mulaw(np.abs(sample)) | np.where(sample < 0, 0x80, 0)
    return (~code & 0xFF).astype(np.uint8)


def _alaw_encode_table() -> NDArray[np.uint8]:
    sample = np.arange(65536, dtype=np.uint16).view(np.int16).astype(np.int32)
    # The negative half is mirrored around -0.5: A-law has no zero, only the two smallest steps.
    magnitude = np.where(sample < 0, -sample - 1, sample)
    code = _encode_magnitude_alaw(magnitude) | np.where(sample < 0, 0, 0x80)
    return (code ^ 0x55).astype(np.uint8)


PCMU: Final = Codec(
    "PCMU", 0, b"\xff", _mulaw_encode_table(), _mulaw_decode_table().astype(np.int16)
)
PCMA: Final = Codec("PCMA", 8, b"\xd5", _alaw_encode_table(), _alaw_decode_table().astype(np.int16))
CODECS: Final = {codec.payload_type: codec for codec in (PCMU, PCMA)}
"""The codecs by static payload type (RFC 3551 section 6)."""
