"""How a word sounds, in the phones of the English acoustic model that PocketSphinx carries.

Known words come from the CMU dictionary of the wheel. Any other word (a brand, a street, a long
number) is pronounced by espeak-ng, whose phonetic alphabet is translated into the model's phones.

Source: ``cmudict-en-us.dict`` and ``en-us/mdef`` of pocketsphinx 5.1 (40 phones, no stress); the
International Phonetic Alphabet as espeak-ng writes it for ``en-us``.
"""

import mmap
import re
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
# espeak-ng marks where it changes to another language and back: ``(hi)kə(en-us)``.
_LANGUAGE_SWITCH = re.compile(r"\([a-z-]+\)")
_LONGEST_SYMBOL = max(map(len, _ARPABET_BY_IPA))


@cache
def _dictionary() -> mmap.mmap:
    # Mapped and not read: 3 MB that every job process shares, searched in about a millisecond.
    with Path(get_model_path("en-us/cmudict-en-us.dict")).open("rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def _look_up(word: str) -> tuple[str, ...]:
    """The entry of a word and the alternatives ``word(2)``, ``word(3)`` on the lines behind it."""
    wanted = word.encode()
    start = _first_line_from(wanted)
    found: list[str] = []
    while start < len(_dictionary()):
        entry, phones, start = _line_at(start)
        if entry != wanted:
            break
        found.append(phones)
    return tuple(found)


def _first_line_from(wanted: bytes) -> int:
    """Where the first line begins whose word is not before this one.

    The lines are in the order of their words as bytes, so a binary search reads a few pages of
    the file where a search from its beginning would read all of it for every word.
    """
    dictionary = _dictionary()
    low, high = 0, len(dictionary)
    while low < high:
        middle = dictionary.rfind(b"\n", 0, (low + high) // 2) + 1
        entry, _, behind = _line_at(max(low, middle))
        if entry < wanted:
            low = behind
        else:
            high = max(low, middle)
    return low


def _line_at(start: int) -> tuple[bytes, str, int]:
    """The word of a line without its number, its phones, and where the next line begins."""
    end = _dictionary().find(b"\n", start)
    end = len(_dictionary()) if end < 0 else end
    entry, _, phones = _dictionary()[start:end].strip().partition(b" ")
    return entry.partition(b"(")[0], phones.decode().strip(), end + 1


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
    ipa = _LANGUAGE_SWITCH.sub("", ipa)
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
