"""The form of an API key, as pure rules.

`pk_live_` followed by 37 random characters and 6 of checksum, all letters and digits; a widget key
begins with `tk_widget_`. The prefix lets secret scanners find a leaked key; the checksum lets a
mistyped one be refused at no cost.
"""

import hashlib
import hmac
import itertools
import secrets
import string
import zlib
from collections.abc import Iterator
from typing import Final

from dispatch.accounts import KeyKind, KeyPrefix

PREFIXES: tuple[KeyPrefix, ...] = ("pk", "tk")

_ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
_SECRET_LENGTH = 37
"""37 characters of 62 are 220 bits: nothing to guess, so a fast hash is enough."""
_CHECKSUM_LENGTH = 6
"""62 to the 6th is more than 2 to the 32nd."""
_HINT_LENGTH = 4
_STARTS: Final = ("pk_live_", "tk_live_", "tk_widget_")
_FAIR: Final = 256 - 256 % len(_ALPHABET)
"""Bytes below this fall on every letter equally often."""


def generate_key(prefix: KeyPrefix, kind: KeyKind = "server", *, seed: bytes | None = None) -> str:
    """Return a new key.

    Args:
        prefix: How it begins; a widget key always begins with `tk`.
        kind: What it is for.
        seed: At least 32 secret bytes that make the same key each time; random when None.
    """
    start = "tk_widget_" if kind == "widget" else f"{prefix}_live_"
    letters = _letters(seed or secrets.token_bytes(32))
    body = start + "".join(itertools.islice(letters, _SECRET_LENGTH))
    return body + _checksum(body)


def is_well_formed(key: str) -> bool:
    """Whether the text could be a key of ours: prefix, length, alphabet and checksum."""
    start = next((each for each in _STARTS if key.startswith(each)), None)
    if start is None:
        return False
    tail = key[len(start) :]
    if len(tail) != _SECRET_LENGTH + _CHECKSUM_LENGTH or not set(tail) <= set(_ALPHABET):
        return False
    return key[-_CHECKSUM_LENGTH:] == _checksum(key[:-_CHECKSUM_LENGTH])


def hash_key(key: str, pepper: str) -> str:
    """Return what is stored instead of the key: HMAC-SHA256 under the pepper, in hex."""
    return hmac.digest(pepper.encode(), key.encode(), hashlib.sha256).hex()


def hint_of(key: str) -> str:
    """Return the key's last characters, by which its owner can tell keys apart."""
    return key[-_HINT_LENGTH:]


def _letters(seed: bytes) -> Iterator[str]:
    """Yield letters that nobody can foretell without the seed, each as likely as any other."""
    for block in itertools.count():
        for byte in hmac.new(seed, b"key %d" % block, hashlib.sha512).digest():
            if byte < _FAIR:
                yield _ALPHABET[byte % len(_ALPHABET)]


def _checksum(text: str) -> str:
    """Return the CRC-32 of the text in base 62."""
    rest = zlib.crc32(text.encode())
    digits = []
    for _ in range(_CHECKSUM_LENGTH):
        rest, digit = divmod(rest, len(_ALPHABET))
        digits.append(_ALPHABET[digit])
    return "".join(reversed(digits))
