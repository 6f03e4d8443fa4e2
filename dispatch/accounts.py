"""Who uses the installation: organisations, their projects, and the keys of those."""

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

KeyPrefix = Literal["pk", "tk"]
"""First letters of a key: `pk` in Agntix's fashion, `tk` in TalkifAI's."""


@dataclass(frozen=True, slots=True)
class Principal:
    """On whose behalf a request is made: the owner of the key it carried."""

    organization_id: uuid.UUID
    project_id: uuid.UUID
    key_id: uuid.UUID
    name: str
    """The key's name."""


@dataclass(frozen=True, slots=True)
class Organization:
    """A customer; owns projects and one balance."""

    id: uuid.UUID
    name: str
    balance_microcredits: int
    """The ledger's sum: what is on record, which running calls may be ahead of."""
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Project:
    """A part of an organisation; owns keys, agents and numbers."""

    id: uuid.UUID
    organization_id: uuid.UUID
    name: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class ApiKey:
    """What is known of a key; the key itself is not."""

    id: uuid.UUID
    project_id: uuid.UUID
    name: str
    prefix: str
    hint: str
    """The key's last characters."""
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
