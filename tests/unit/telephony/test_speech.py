"""The words of a text, their sounds, the change of sample rate, and what espeak-ng accepts."""

import numpy as np
import pytest

from telephony.speech import espeak
from telephony.speech.errors import UnknownVoiceError
from telephony.speech.pronunciation import pronunciations
from telephony.speech.resampling import resample
from telephony.speech.words import words_of

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("What's your PRICE?", ("what's", "your", "price")),
        ("press 2, then 45", ("press", "two", "then", "forty", "five")),
        ("room 007 or 365", ("room", "zero", "zero", "seven", "or", "365")),
        ("Müller\u2019s café", ("müller's", "café")),
        ("9-to-5 (really)", ("nine", "to", "five", "really")),
        ("…", ()),
    ],
)
def test_reads_the_words_of_a_text(text: str, words: tuple[str, ...]) -> None:
    assert words_of(text) == words


def test_a_known_word_sounds_as_in_the_dictionary_with_its_alternatives() -> None:
    assert pronunciations("what") == ("W AH T", "HH W AH T")
    assert pronunciations("opening") == ("OW P AH N IH NG",)


def test_an_unknown_word_sounds_as_espeak_would_say_it() -> None:
    assert pronunciations("dialplane") == ("D AY AH L P L EY N",)
    assert pronunciations("365")[0].startswith("TH R IY HH AH N D R")


def test_a_sentence_that_was_broken_off_leaves_nothing_in_the_sound_of_the_next_word() -> None:
    undisturbed = espeak.phonemes("dialplane")
    espeak.speak("Hello there. How can I help you?", lambda _chunk: False)
    assert espeak.phonemes("dialplane") == undisturbed


@pytest.mark.parametrize(("from_hz", "to_hz"), [(22_050, 8_000), (8_000, 16_000), (24_000, 16_000)])
def test_a_tone_keeps_its_pitch_and_strength_at_another_rate(from_hz: int, to_hz: int) -> None:
    def tone(rate_hz: int) -> np.ndarray:
        return 10_000 * np.sin(2 * np.pi * 1_000 * np.arange(rate_hz) / rate_hz)

    changed = resample(tone(from_hz).astype(np.int16), from_hz, to_hz)
    assert len(changed) == to_hz
    assert np.abs(changed - tone(to_hz))[200:-200].max() < 10


def test_a_sound_too_high_for_the_new_rate_vanishes() -> None:
    high = 10_000 * np.sin(2 * np.pi * 5_000 * np.arange(22_050) / 22_050)
    assert np.abs(resample(high.astype(np.int16), 22_050, 8_000)[100:-100]).max() < 10


def test_refuses_a_rate_of_zero() -> None:
    with pytest.raises(ValueError, match="positive"):
        resample(np.zeros(10, np.int16), 0, 8_000)


def test_speaks_for_as_long_as_the_text_takes() -> None:
    speech = espeak.synthesize("What are your opening hours?", words_per_minute=150)
    assert speech.sample_rate_hz == 22_050
    assert 1.2 < speech.duration_s < 2.5
    assert np.abs(speech.pcm).max() > 5_000


def test_hands_over_speech_while_it_is_made_and_stops_when_told() -> None:
    chunks: list[bytes] = []

    def one_is_enough(chunk: bytes) -> bool:
        chunks.append(chunk)
        return False

    espeak.speak("One, two, three, four, five.", one_is_enough)
    assert [len(chunk) for chunk in chunks] == [pytest.approx(2_646, abs=4)]


def test_what_the_listener_raises_reaches_the_speaker() -> None:
    def broken(_chunk: bytes) -> bool:
        raise LookupError("nobody there")

    with pytest.raises(LookupError, match="nobody there"):
        espeak.speak("Hello.", broken)
    assert espeak.synthesize("Hello.").duration_s > 0.2


def test_nothing_to_say_is_silence() -> None:
    assert espeak.synthesize("  ").duration_s == 0


@pytest.mark.parametrize("voice", ["", "xx", "en-us+nobody", "en-us+../../etc", "en-us+"])
def test_refuses_a_voice_that_does_not_exist(voice: str) -> None:
    with pytest.raises(UnknownVoiceError, match="unknown voice"):
        espeak.synthesize("Hello.", voice=voice)


@pytest.mark.parametrize("voice", ["en-us+f3", "en-gb", "de", "en-us+klatt"])
def test_accepts_a_language_with_or_without_a_variant(voice: str) -> None:
    assert espeak.synthesize("Hello.", voice=voice).duration_s > 0.2


@pytest.mark.parametrize("speed", [0, 79, 451])
def test_refuses_a_speed_that_cannot_be_spoken(speed: int) -> None:
    with pytest.raises(ValueError, match="80 to 450"):
        espeak.synthesize("Hello.", words_per_minute=speed)
