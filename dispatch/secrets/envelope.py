"""Envelope encryption: installation keys wrap data keys, one data key a project, which seal values.

Everything is AES-256-GCM with a random 96-bit nonce. The associated data says whose a sealed value
is and what it is for, so a value that is copied to another project's row, or to another provider's
within the project, does not open there. Sealed bytes are: version (1 byte), nonce (12 bytes),
ciphertext with its tag (16 bytes longer than the plain text).

The id of the installation key stands beside each wrapped data key, and the id of the data key
beside each sealed value. See `docs/adr/0011-secrets-envelope.md`.
"""

import base64
import binascii
import re
import secrets
import uuid
from collections.abc import Mapping
from typing import Final, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from dispatch.errors import SecretUnreadable
from dispatch.sealed import WrappedKey

KEY_BYTES: Final = 32

_VERSION: Final = b"\x01"
_NONCE_BYTES: Final = 12
_KEY_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")


class DataKey:
    """A project's data key in clear; it stays in memory only."""

    def __init__(self, project_id: uuid.UUID, key_id: uuid.UUID, key: bytes) -> None:
        self.id = key_id
        self._project_id = project_id
        self._cipher = AESGCM(key)

    def __repr__(self) -> str:
        return f"DataKey(project_id={self._project_id}, id={self.id})"

    def seal(self, purpose: str, plain: bytes) -> bytes:
        """Encrypt a value.

        Args:
            purpose: What the value is for, such as `provider/openai`; needed again to open it.
            plain: The value.
        """
        return _encrypt(self._cipher, plain, self._context(purpose))

    def open(self, purpose: str, sealed: bytes) -> bytes:
        """Decrypt a value.

        Raises:
            SecretUnreadable: It was sealed by another key, for another project or another purpose,
                or it was changed.
        """
        return _decrypt(self._cipher, sealed, self._context(purpose))

    def _context(self, purpose: str) -> bytes:
        return f"dialplane/value/{self._project_id}/{purpose}".encode()


class KeyRing:
    """The installation's keys. The first one wraps; the others only open what they once wrapped.

    Args:
        keys: 32 random bytes each, by id; the first is the one to wrap with.

    Raises:
        ValueError: There is no key, or one has the wrong length.
    """

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        if not keys:
            raise ValueError("at least one key is needed")
        for key_id, key in keys.items():
            if len(key) != KEY_BYTES:
                raise ValueError(f"key {key_id} has {len(key)} bytes instead of {KEY_BYTES}")
        self._ciphers = {key_id: AESGCM(key) for key_id, key in keys.items()}
        self.first_id: Final = next(iter(keys))

    def __repr__(self) -> str:
        return f"KeyRing({', '.join(self._ciphers)})"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read keys as they stand in `DIALPLANE_SECRETS_KEYS`: `id:base64,older-id:base64`.

        Raises:
            ValueError: The text cannot be read; the message holds no part of a key.
        """
        keys: dict[str, bytes] = {}
        for entry in text.split(","):
            key_id, _, encoded = entry.strip().partition(":")
            if not _KEY_ID.fullmatch(key_id) or key_id in keys:
                raise ValueError("each key is written id:base64, and each id once")
            try:
                keys[key_id] = base64.b64decode(encoded, validate=True)
            except binascii.Error as exc:
                raise ValueError(f"key {key_id} is not base64") from exc
        return cls(keys)

    def new_data_key(self, project_id: uuid.UUID) -> tuple[DataKey, WrappedKey]:
        """Make a data key for a project, in clear and as it is to be kept."""
        key, data_key_id = secrets.token_bytes(KEY_BYTES), uuid.uuid4()
        wrapped = _encrypt(
            self._ciphers[self.first_id], key, _wrapping(project_id, data_key_id, self.first_id)
        )
        return DataKey(project_id, data_key_id, key), WrappedKey(
            data_key_id, self.first_id, wrapped
        )

    def open_data_key(self, project_id: uuid.UUID, wrapped: WrappedKey) -> DataKey:
        """Return a project's data key in clear.

        Raises:
            SecretUnreadable: Its installation key is not configured, or it is not this project's.
        """
        cipher = self._ciphers.get(wrapped.key_id)
        if cipher is None:
            raise SecretUnreadable(
                f"The key {wrapped.key_id} is missing from DIALPLANE_SECRETS_KEYS."
            )
        context = _wrapping(project_id, wrapped.id, wrapped.key_id)
        return DataKey(project_id, wrapped.id, _decrypt(cipher, wrapped.wrapped, context))


def _wrapping(project_id: uuid.UUID, data_key_id: uuid.UUID, key_id: str) -> bytes:
    return f"dialplane/data-key/{project_id}/{data_key_id}/{key_id}".encode()


def _encrypt(cipher: AESGCM, plain: bytes, context: bytes) -> bytes:
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return _VERSION + nonce + cipher.encrypt(nonce, plain, _VERSION + context)


def _decrypt(cipher: AESGCM, sealed: bytes, context: bytes) -> bytes:
    version, nonce, rest = (
        sealed[:1],
        sealed[1 : 1 + _NONCE_BYTES],
        sealed[1 + _NONCE_BYTES :],
    )
    if version != _VERSION or len(nonce) != _NONCE_BYTES:
        raise SecretUnreadable("A secret on record is damaged.")
    try:
        return cipher.decrypt(nonce, rest, version + context)
    except InvalidTag as exc:
        raise SecretUnreadable(
            "A secret on record does not open with its key; it was changed or moved."
        ) from exc
