"""The form of an API key, as pure rules.

`pk_live_` followed by 37 random characters and 6 of checksum, all letters and digits. The prefix
lets secret scanners find a leaked key; the checksum lets a mistyped one be refused at no cost.
"""

import hashlib
import hmac
import secrets
import string
import zlib

from dispatch.accounts import KeyPrefix

PREFIXES: tuple[KeyPrefix, ...] = ("pk", "tk")

_ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
_SECRET_LENGTH = 37
"""37 characters of 62 are 220 bits: nothing to guess, so a fast hash is enough."""
_CHECKSUM_LENGTH = 6
"""62 to the 6th is more than 2 to the 32nd."""
_HINT_LENGTH = 4


def generate_key(prefix: KeyPrefix) -> str:
    """Return a new key."""
    secret = "".join(secrets.choice(_ALPHABET) for _ in range(_SECRET_LENGTH))
    return f"{prefix}_live_{secret}{_checksum(f'{prefix}_live_{secret}')}"


def is_well_formed(key: str) -> bool:
    """Whether the text could be a key of ours: prefix, length, alphabet and checksum."""
    start, separator, tail = key.partition("_live_")
    if not separator or start not in PREFIXES:
        return False
    if len(tail) != _SECRET_LENGTH + _CHECKSUM_LENGTH or not set(tail) <= set(_ALPHABET):
        return False
    return key[-_CHECKSUM_LENGTH:] == _checksum(key[:-_CHECKSUM_LENGTH])


def hash_key(key: str, pepper: str) -> str:
    """Return what is stored instead of the key: HMAC-SHA256 under the pepper, in hex."""
    return hmac.new(pepper.encode(), key.encode(), hashlib.sha256).hexdigest()


def hint_of(key: str) -> str:
    """Return the key's last characters, by which its owner can tell keys apart."""
    return key[-_HINT_LENGTH:]


def _checksum(text: str) -> str:
    """Return the CRC-32 of the text in base 62."""
    rest = zlib.crc32(text.encode())
    digits = []
    for _ in range(_CHECKSUM_LENGTH):
        rest, digit = divmod(rest, len(_ALPHABET))
        digits.append(_ALPHABET[digit])
    return "".join(reversed(digits))
