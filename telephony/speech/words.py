"""The words of a text as they are said: the common ground of phrases, grammars and transcripts."""

import re
import unicodedata

_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*")
_ONES = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
    *("eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen"),
    *("eighteen", "nineteen"),
)
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")


def words_of(text: str) -> tuple[str, ...]:
    """The spoken words of a text, lower case, without punctuation.

    Whole numbers below one hundred become English words, so that "press 2" and "press two" are
    the same; longer numbers stay as they are written.
    """
    plain = unicodedata.normalize("NFKC", text).replace("\u2019", "'").casefold()
    found: list[str] = []
    for word in _WORD.findall(plain):
        found.extend(_number_words(word) if word.isascii() and word.isdigit() else (word,))
    return tuple(found)


def _number_words(digits: str) -> tuple[str, ...]:
    if len(digits) > 1 and digits.startswith("0"):
        return tuple(_ONES[int(digit)] for digit in digits)
    number = int(digits)
    if number < len(_ONES):
        return (_ONES[number],)
    if number >= 100:
        return (digits,)
    tens, ones = divmod(number, 10)
    return (_TENS[tens - 2], _ONES[ones]) if ones else (_TENS[tens - 2],)
