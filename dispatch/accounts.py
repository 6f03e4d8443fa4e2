"""Who uses the installation: organisations, their projects, keys and members, and what each may."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final, Literal

KeyPrefix = Literal["pk", "tk"]
"""First letters of a key: `pk` in Agntix's fashion, `tk` in TalkifAI's."""

KeyKind = Literal["server", "widget"]
"""A `server` key is a secret; a `widget` key is in web pages, and locked to their domains."""

Role = Literal["owner", "admin", "operator", "viewer"]
"""What a member is in an organisation."""


class Scope(StrEnum):
    """One thing a caller may do; every route of a tenant asks for one."""

    AGENTS_READ = "agents:read"
    AGENTS_WRITE = "agents:write"
    NUMBERS_READ = "numbers:read"
    NUMBERS_WRITE = "numbers:write"
    CALLS_READ = "calls:read"
    CALLS_WRITE = "calls:write"
    VOICE_WRITE = "voice:write"
    CHAT_READ = "chat:read"
    CHAT_WRITE = "chat:write"
    ROOMS_READ = "rooms:read"
    ROOMS_WRITE = "rooms:write"
    TOOLS_READ = "tools:read"
    TOOLS_WRITE = "tools:write"
    KNOWLEDGE_READ = "knowledge:read"
    KNOWLEDGE_WRITE = "knowledge:write"
    USAGE_READ = "usage:read"
    SECRETS_READ = "secrets:read"
    """Reads secrets in clear text; never given unless asked for by name."""
    SECRETS_WRITE = "secrets:write"
    KEYS_READ = "keys:read"
    KEYS_WRITE = "keys:write"


EVERY_SCOPE: Final = frozenset(Scope)

DEFAULT_SCOPES: Final = EVERY_SCOPE - {Scope.SECRETS_READ}
"""What a server key may do when its scopes were not chosen."""

WIDGET_SCOPES: Final = frozenset({Scope.VOICE_WRITE, Scope.CHAT_READ, Scope.CHAT_WRITE})
"""The most a widget key may do: whoever sees the page has the key."""

_READING: Final = frozenset(
    scope for scope in Scope if scope.endswith(":read") and scope is not Scope.SECRETS_READ
)

ROLE_SCOPES: Final[Mapping[Role, frozenset[Scope]]] = MappingProxyType(
    {
        "owner": EVERY_SCOPE,
        "admin": DEFAULT_SCOPES,
        "operator": _READING
        | {
            Scope.AGENTS_WRITE,
            Scope.NUMBERS_WRITE,
            Scope.CALLS_WRITE,
            Scope.VOICE_WRITE,
            Scope.CHAT_WRITE,
            Scope.ROOMS_WRITE,
            Scope.TOOLS_WRITE,
            Scope.KNOWLEDGE_WRITE,
        },
        "viewer": _READING,
    }
)
"""What a member may do by their role: an operator runs the agents but hands out no keys."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who changed something, as the audit log remembers them."""

    kind: Literal["key", "user", "admin", "system"]
    id: str
    """A key's id, a user's subject; `admin` and `system` are one each."""
    name: str
    organization_id: uuid.UUID | None = None
    """None for the installation's own."""


ADMINISTRATOR: Final = Actor("admin", "admin", "Installation administrator")
"""Whoever holds the installation's admin key."""

SYSTEM: Final = Actor("system", "system", "Dialplane")
"""The installation itself, where nobody asked."""


@dataclass(frozen=True, slots=True)
class Principal:
    """On whose behalf a request is made: the owner of the key, or the user, that it carried."""

    organization_id: uuid.UUID
    project_id: uuid.UUID
    key_id: uuid.UUID
    """The key's id; for a user one made from issuer and subject, the same each time."""
    name: str
    """The key's name, or the user's."""
    scopes: frozenset[Scope] = DEFAULT_SCOPES
    kind: Literal["server", "widget", "user"] = "server"
    role: Role | None = None
    """A user's role in the organisation; None for keys."""
    user_id: str | None = None
    """The subject of a user's token; None for keys."""

    @property
    def actor(self) -> Actor:
        """Return the principal as the author of a change."""
        if self.user_id is not None:
            return Actor("user", self.user_id, self.name, self.organization_id)
        return Actor("key", str(self.key_id), self.name, self.organization_id)


@dataclass(frozen=True, slots=True)
class Organization:
    """A customer; owns projects and one balance."""

    id: uuid.UUID
    name: str
    balance_microcredits: int
    """The ledger's sum: what is on record, which running calls may be ahead of."""
    created_at: datetime
    plan: str = "enterprise"
    """Decides the limits, where there are none of its own: free, starter, growth or enterprise."""
    external_id: str | None = None
    """How the identity provider names it; None when nobody signs in for it."""
    limits: Mapping[str, int] = field(default_factory=dict)
    """Requests a minute by API, where they differ from the plan's."""


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
    kind: KeyKind = "server"
    scopes: frozenset[Scope] = DEFAULT_SCOPES
    allowed_origins: tuple[str, ...] = ()
    """Domains whose pages may use it, with their subdomains; a widget key works on no others."""
    limits: Mapping[str, int] = field(default_factory=dict)
    """Requests a minute by API, where they differ from the organisation's."""
    description: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    """The owner's own JSON."""
    revoked_reason: str = ""


@dataclass(frozen=True, slots=True)
class Member:
    """A person of an organisation, who signs in with the identity provider."""

    id: uuid.UUID
    organization_id: uuid.UUID
    subject: str
    """The `sub` of their tokens, or their verified email address in lower case."""
    name: str
    role: Role
    created_at: datetime
    updated_at: datetime
