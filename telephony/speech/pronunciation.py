"""How a word sounds, in the phones of the English acoustic model that PocketSphinx carries.

Known words come from the CMU dictionary of the wheel. Any other word (a brand, a street, a long
number) is pronounced by espeak-ng, whose phonetic alphabet is translated into the model's phones.

Source: ``cmudict-en-us.dict`` and ``en-us/mdef`` of pocketsphinx 5.1 (40 phones, no stress); the
International Phonetic Alphabet as espeak-ng writes it for ``en-us``.
"""

import mmap
from functools import cache, lru_cache
from pathlib import Path

from pocketsphinx import get_model_path

from telephony.speech import espeak

# ruff: noqa: RUF001  (these letters are phonetic symbols and mean to look as they do)
# The longest symbol that fits wins, so diphthongs and affricates come before their parts.
_ARPABET_BY_IPA = {
    "aɪə": "AY AH", "aɪɚ": "AY ER", "aʊɚ": "AW ER", "ɪɹ": "IH R", "ɛɹ": "EH R",
    "aɪ": "AY", "aʊ": "AW", "eɪ": "EY", "oʊ": "OW", "əʊ": "OW", "ɔɪ": "OY", "tʃ": "CH",
    "dʒ": "JH", "ɑː": "AA", "ɔː": "AO", "iː": "IY", "uː": "UW", "ɜː": "ER", "əl": "AH L",
    "a": "AA", "ɑ": "AA", "ɒ": "AA", "æ": "AE", "ʌ": "AH", "ə": "AH", "ɐ": "AH", "ɔ": "AO",
    "o": "OW", "ɛ": "EH", "e": "EH", "ɚ": "ER", "ɜ": "ER", "ɪ": "IH", "ᵻ": "IH", "i": "IY",
    "ʊ": "UH", "u": "UW", "y": "UW", "ø": "ER", "œ": "ER", "b": "B", "d": "D", "ð": "DH",
    "f": "F", "ɡ": "G", "g": "G", "h": "HH", "x": "K", "ç": "SH", "k": "K", "l": "L", "ɫ": "L",
    "m": "M", "n": "N", "ɲ": "N Y", "ŋ": "NG", "p": "P", "ɹ": "R", "r": "R", "ʁ": "R", "s": "S",
    "ʃ": "SH", "t": "T", "ɾ": "T", "ʔ": "T", "θ": "TH", "v": "V", "w": "W", "j": "Y", "z": "Z",
    "ʒ": "ZH",
}  # fmt: skip
_LONGEST_SYMBOL = max(map(len, _ARPABET_BY_IPA))


@cache
def _dictionary() -> mmap.mmap:
    # Mapped and not read: 3 MB that every job process shares, searched in about a millisecond.
    with Path(get_model_path("en-us/cmudict-en-us.dict")).open("rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def _look_up(word: str) -> tuple[str, ...]:
    """The entry of a word and the alternatives ``word(2)``, ``word(3)`` on the lines behind it."""
    dictionary = _dictionary()
    # Without an explicit start a map searches from its position, not from its beginning.
    start = dictionary.find(f"\n{word} ".encode(), 0) + 1
    found: list[str] = []
    while start:
        end = dictionary.find(b"\n", start)
        entry, _, phones = dictionary[start:end].decode().strip().partition(" ")
        if entry != word and not entry.startswith(f"{word}("):
            break
        found.append(phones.strip())
        start = end + 1
    return tuple(found)


@lru_cache(maxsize=4096)
def pronunciations(word: str) -> tuple[str, ...]:
    """The ways to pronounce a word of ``words_of``, such as ``("HH AH L OW", "HH EH L OW")``.

    Empty when nothing about the word can be spoken.
    """
    known = _look_up(word)
    if known:
        return known
    guessed = _to_arpabet(espeak.phonemes(word))
    return (guessed,) if guessed else ()


def _to_arpabet(ipa: str) -> str:
    phones: list[str] = []
    position = 0
    while position < len(ipa):
        for length in range(_LONGEST_SYMBOL, 0, -1):
            found = _ARPABET_BY_IPA.get(ipa[position : position + length])
            if found:
                phones.append(found)
                position += length
                break
        else:
            # Stress marks, spaces and sounds that English does not have.
            position += 1
    return " ".join(phones)
