"""Secrets as they are kept: what can be stored, copied and lost without anything being told."""

import uuid
from dataclasses import dataclass
from datetime import datetime

from pydantic import ConfigDict, with_config


@dataclass(frozen=True, slots=True)
class WrappedKey:
    """A project's data key, readable only with an installation key."""

    id: uuid.UUID
    """Changes whenever the data key does; kept beside each value it seals."""
    key_id: str
    """Which installation key wraps it."""
    wrapped: bytes


@dataclass(frozen=True, slots=True)
class SealedSecret:
    """What a project keeps secret for one provider."""

    provider: str
    data_key_id: uuid.UUID
    sealed: bytes
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class SealedPassword:
    """A carrier's password."""

    connection_id: uuid.UUID
    project_id: uuid.UUID
    data_key: WrappedKey | None
    """None when the key that seals it is not on record."""
    sealed: bytes


@with_config(ConfigDict(ser_json_bytes="base64", val_json_bytes="base64"))
@dataclass(frozen=True, slots=True)
class ProjectSecrets:
    """All of a project's secrets together with the key that opens them.

    They travel as one, so that a rotation replaces key and values at once wherever they are copied.
    """

    data_key: WrappedKey
    secrets: tuple[SealedSecret, ...]
    revision: int = 0
    """Grows with the commits that change any of them; 0 was published before there were any."""
