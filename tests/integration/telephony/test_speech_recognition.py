"""Recognition of the phrases of a telephone menu, spoken by espeak-ng, at the quality of a call."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.typing import NDArray

from telephony.speech import espeak, pocketsphinx
from telephony.speech.errors import UnpronounceableError
from telephony.speech.resampling import resample

pytestmark = pytest.mark.integration

PHRASES = (
    "What are your opening hours?",
    "Talk to a human.",
    "Goodbye!",
    "Book an appointment",
    "Where are you located?",
    "What does it cost?",
    "Cancel my appointment",
    "Yes, please",
    "No, thank you",
    "Leave a message",
    "Speak to sales",
    "Technical support",
    "Check my balance",
)
OTHER_SENTENCES = (
    "The weather in Paris is lovely today",
    "My dog ate seven sandwiches",
    "I would like a pepperoni pizza",
    "How tall is the Eiffel tower",
    "Purple elephants dance slowly",
    "The train leaves at half past nine",
    "Do you sell bicycles",
    "Banana",
)


def on_the_phone(text: str, voice: str, words_per_minute: int) -> NDArray[np.int16]:
    """Speech as it comes out of a call: 8 kHz, through mu-law, with a little noise."""
    speech = espeak.synthesize(text, voice=voice, words_per_minute=words_per_minute)
    narrow = resample(speech.pcm, speech.sample_rate_hz, 8_000) * 0.4
    pause = np.zeros(2_000)
    noise = np.random.default_rng(1).normal(0, 8, len(narrow) + 4_000)
    line = np.clip(np.concatenate([pause, narrow, pause]) + noise, -32_000, 32_000) / 32_768
    encoded = np.rint(127 * np.sign(line) * np.log1p(255 * np.abs(line)) / np.log(256))
    decoded = np.sign(encoded) * (256 ** (np.abs(encoded) / 127) - 1) / 255
    return (decoded * 32_767).astype(np.int16)


def mostly_heard_as(phrase: str, voice: str, words_per_minute: int) -> str:
    """What a phrase is taken for two times of three.

    espeak-ng never says it twice alike: how depends on all that its process said before. One
    utterance in 1,400 of the worst of these voices was taken for another phrase.
    """
    sounds = [on_the_phone(phrase, voice, words_per_minute) for _ in range(3)]
    texts = [pocketsphinx.recognise(sound, 8_000, PHRASES).text for sound in sounds]
    [(text, _)] = Counter(texts).most_common(1)
    return text


@pytest.mark.parametrize(
    ("voice", "words_per_minute"),
    [
        (espeak.DEFAULT_VOICE, espeak.DEFAULT_WORDS_PER_MINUTE),
        (espeak.CALLER_VOICE, espeak.CALLER_WORDS_PER_MINUTE),
        ("en-us", 150),
        ("en-us+f3", 150),
    ],
)
def test_understands_menu_phrases_and_mistakes_none(voice: str, words_per_minute: int) -> None:
    heard = [mostly_heard_as(phrase, voice, words_per_minute) for phrase in PHRASES]
    understood = [text == phrase for text, phrase in zip(heard, PHRASES, strict=True)]
    mistaken = [text for text, right in zip(heard, understood, strict=True) if text and not right]
    assert not mistaken
    assert sum(understood) >= len(PHRASES) - 1


@pytest.mark.parametrize("voice", [espeak.DEFAULT_VOICE, espeak.CALLER_VOICE, "en-us+m3"])
def test_rejects_what_is_not_a_phrase(voice: str) -> None:
    heard = [
        pocketsphinx.recognise(on_the_phone(sentence, voice, 150), 8_000, PHRASES)
        for sentence in OTHER_SENTENCES
    ]
    assert sum(found.is_match for found in heard) <= 1
    assert all(found.is_speech for found in heard)
    assert all(found.text == "" for found in heard if not found.is_match)


def test_understands_a_whole_greeting_with_a_name_that_no_dictionary_has() -> None:
    greeting = "Thank you for calling Dialplane. How can I help you?"
    sound = on_the_phone(greeting, espeak.DEFAULT_VOICE, espeak.DEFAULT_WORDS_PER_MINUTE)
    found = pocketsphinx.recognise(sound, 8_000, [greeting, *PHRASES])
    assert (found.text, found.is_match) == (greeting, True)


def test_the_same_phrase_is_understood_at_the_rate_of_a_browser() -> None:
    speech = espeak.synthesize("Book an appointment", voice="en-us+f3", words_per_minute=150)
    wide = resample(speech.pcm, speech.sample_rate_hz, 48_000)
    assert pocketsphinx.recognise(wide, 48_000, PHRASES).text == "Book an appointment"


@pytest.mark.parametrize(
    "sound",
    [
        np.zeros(0, np.int16),
        np.zeros(8_000, np.int16),
        np.random.default_rng(2).normal(0, 20, 8_000).astype(np.int16),
        np.concatenate([np.zeros(4_000), np.full(400, 9_000), np.zeros(4_000)]).astype(np.int16),
    ],
    ids=["nothing", "silence", "line noise", "a click"],
)
def test_a_sound_that_is_no_speech_is_not_taken_for_it(sound: NDArray[np.int16]) -> None:
    found = pocketsphinx.recognise(sound, 8_000, PHRASES)
    assert (found.text, found.is_match, found.is_speech) == ("", False, False)


def test_without_phrases_speech_is_heard_and_not_understood() -> None:
    found = pocketsphinx.recognise(on_the_phone("Hello there", "en-us", 150), 8_000, [])
    assert (found.is_match, found.is_speech) == (False, True)


def test_names_a_phrase_that_cannot_be_spoken() -> None:
    sound = on_the_phone("Hello there", "en-us", 150)
    with pytest.raises(UnpronounceableError, match=r"'\.\.\.'"):
        pocketsphinx.recognise(sound, 8_000, ["..."])


def test_words_that_look_like_grammar_are_only_words() -> None:
    phrases = ["yes | no;", "<menu> = $20", "{goodbye} /1/"]
    sound = on_the_phone("goodbye one", "en-us+f3", 150)
    assert pocketsphinx.recognise(sound, 8_000, phrases).text == "{goodbye} /1/"


def test_calls_with_different_phrases_share_the_engine_at_the_same_time() -> None:
    agents = [("Book an appointment", "Goodbye"), ("Check my balance", "Talk to a human")] * 4

    def call(phrases: tuple[str, str]) -> str:
        sound = on_the_phone(phrases[0], "en-us+f3", 150)
        return pocketsphinx.recognise(sound, 8_000, phrases).text

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(call, agents)) == [phrases[0] for phrases in agents]


SENTENCES = (
    "Harbour Books. How can I help you?",
    "We are open from nine to five.",
    "We are at twelve Harbour Street.",
    "Thank you for calling. Goodbye.",
)
FRAME = 160
"""Samples of a packet of 20 ms."""

Damage = Callable[[NDArray[np.int16], np.random.Generator], NDArray[np.int16]]


def without(share: float) -> Damage:
    """Lose packets."""

    def lose(sound: NDArray[np.int16], chance: np.random.Generator) -> NDArray[np.int16]:
        frames = sound[: len(sound) // FRAME * FRAME].reshape(-1, FRAME).copy()
        frames[chance.random(len(frames)) < share] = 0
        return frames.reshape(-1)

    return lose


def with_pauses(frames: int, *, instead: bool) -> Damage:
    """Fall silent three times, in the midst of words or instead of them."""

    def pause(sound: NDArray[np.int16], chance: np.random.Generator) -> NDArray[np.int16]:
        silence = np.zeros(frames * FRAME, np.int16)
        for _ in range(3):
            place = int(chance.integers(0, len(sound)))
            after = sound[place + len(silence) if instead else place :]
            sound = np.concatenate([sound[:place], silence, after])
        return sound

    return pause


def cut(start: float, end: float) -> Damage:
    """Keep a part only."""
    return lambda sound, _: sound[round(start * len(sound)) : round(end * len(sound))]


DAMAGES = {
    "5 % lost": without(0.05),
    "20 % lost": without(0.2),
    "40 % lost": without(0.4),
    "100 ms holes": with_pauses(5, instead=True),
    "400 ms holes": with_pauses(20, instead=True),
    "40 ms pauses": with_pauses(2, instead=False),
    "400 ms pauses": with_pauses(20, instead=False),
    "without its first fifth": cut(0.2, 1),
    "without its first half": cut(0.5, 1),
    "without its second half": cut(0, 0.5),
    "without its last fifth": cut(0, 0.8),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_sound_that_broke_on_its_way_is_taken_for_no_other_phrase(damage: Damage) -> None:
    for seed, sentence in enumerate(SENTENCES):
        sound = damage(on_the_phone(sentence, "en-us+f2", 170), np.random.default_rng(seed))
        assert pocketsphinx.recognise(sound, 8_000, SENTENCES).text in {sentence, ""}
