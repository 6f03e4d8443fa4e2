"""G.711 against the tables of the standard."""

import numpy as np
import pytest

from telephony.softphone.g711 import PCMA, PCMU, Codec, Pcm, as_pcm, level_dbfs

pytestmark = pytest.mark.unit

EVERY_SAMPLE: Pcm = np.arange(-32768, 32768).astype(np.int16)


@pytest.mark.parametrize(
    ("codec", "octet", "sample"),
    [
        # ITU-T G.711 tables 2a and 2b (mu-law) in 16 bits: four times the 14-bit values.
        (PCMU, 0x00, -32124),
        (PCMU, 0x80, 32124),
        (PCMU, 0xFF, 0),
        (PCMU, 0x7F, 0),
        (PCMU, 0xFE, 8),
        (PCMU, 0x7E, -8),
        (PCMU, 0xEF, 132),
        # ITU-T G.711 tables 1a and 1b (A-law) in 16 bits: eight times the 13-bit values.
        (PCMA, 0xD5, 8),
        (PCMA, 0x55, -8),
        (PCMA, 0xAA, 32256),
        (PCMA, 0x2A, -32256),
        (PCMA, 0xC5, 264),
    ],
)
def test_decodes_the_values_of_the_standard(codec: Codec, octet: int, sample: int) -> None:
    assert codec.decode(bytes([octet])).tolist() == [sample]


@pytest.mark.parametrize("codec", [PCMU, PCMA])
def test_every_code_survives_decoding_and_encoding(codec: Codec) -> None:
    codes = bytes(range(256))
    # Mu-law writes zero in two ways; the encoder always picks the positive one.
    expected = codes.replace(b"\x7f", b"\xff") if codec is PCMU else codes
    assert codec.encode(codec.decode(codes)) == expected


@pytest.mark.parametrize("codec", [PCMU, PCMA])
def test_no_sample_is_off_by_more_than_half_a_step_of_its_segment(codec: Codec) -> None:
    sample = EVERY_SAMPLE.astype(np.int32)
    error = np.abs(codec.decode(codec.encode(EVERY_SAMPLE)).astype(np.int32) - sample)
    # Sixteen steps double the level, so half a step is a 32nd; mu-law adds its bias of 132.
    assert np.all(error <= (np.abs(sample) + 132) / 32 + 8)


@pytest.mark.parametrize("codec", [PCMU, PCMA])
def test_a_louder_sample_never_becomes_quieter(codec: Codec) -> None:
    assert np.all(np.diff(codec.decode(codec.encode(EVERY_SAMPLE)).astype(np.int32)) >= 0)


@pytest.mark.parametrize("codec", [PCMU, PCMA])
def test_silence_is_the_code_of_zero(codec: Codec) -> None:
    assert codec.encode(np.zeros(1, dtype=np.int16)) == codec.silence


def test_levels_are_relative_to_full_scale() -> None:
    assert level_dbfs(np.full(160, -32768, dtype=np.int16)) == pytest.approx(0)
    assert level_dbfs(np.full(160, 3277, dtype=np.int16)) == pytest.approx(-20, abs=0.01)


def test_silence_and_nothing_have_the_lowest_level() -> None:
    assert level_dbfs(np.zeros(160, dtype=np.int16)) == -96
    assert level_dbfs(np.zeros(0, dtype=np.int16)) == -96


def test_takes_bytes_as_little_endian_samples() -> None:
    assert as_pcm(b"\x01\x00\xff\xff").tolist() == [1, -1]


def test_refuses_sound_that_is_not_mono_int16() -> None:
    with pytest.raises(ValueError, match="int16"):
        as_pcm(np.zeros((2, 160), dtype=np.int16))
