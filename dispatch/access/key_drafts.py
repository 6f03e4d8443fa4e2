"""What a key is to be like, and the rules for it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final

from pydantic_core import to_json

from dispatch.access.origins import checked_origins
from dispatch.access.texts import checked_name, checked_text
from dispatch.accounts import DEFAULT_SCOPES, WIDGET_SCOPES, ApiKey, KeyKind, KeyPrefix, Scope
from dispatch.api_keys import PREFIXES
from dispatch.errors import InvalidField, NotAllowed

_LONGEST_METADATA_BYTES: Final = 4_096


@dataclass(frozen=True, slots=True)
class KeyDraft:
    """A key to make."""

    name: str
    prefix: KeyPrefix = "pk"
    kind: KeyKind = "server"
    scopes: frozenset[Scope] | None = None
    """None for all that a key of its kind may do by default."""
    allowed_origins: tuple[str, ...] = ()
    """Domains whose pages may use it, with their subdomains; a widget key needs at least one."""
    expires_at: datetime | None = None
    description: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)

    @property
    def granted(self) -> frozenset[Scope]:
        """What the key may do."""
        return DEFAULT_SCOPES if self.scopes is None else self.scopes


def draft_of(key: ApiKey) -> KeyDraft:
    """Return a key as the draft that would make it."""
    return KeyDraft(
        name=key.name,
        prefix="tk" if key.prefix == "tk" else "pk",
        kind=key.kind,
        scopes=None if key.scopes == DEFAULT_SCOPES else key.scopes,
        allowed_origins=key.allowed_origins,
        expires_at=key.expires_at,
        description=key.description,
        metadata=key.metadata,
    )


def checked_draft(draft: KeyDraft, before: KeyDraft | None = None) -> KeyDraft:
    """Return a draft in its stored form.

    Args:
        draft: What is wanted.
        before: What the key is like now; an expiry that stays may lie in the past.

    Raises:
        InvalidField: A bad name, an unknown prefix, an expiry that is naive, past or after the
            year 9999, a scope that a widget key cannot have, or no domain for one.
    """
    if draft.prefix not in PREFIXES:
        raise InvalidField("prefix", "prefix must be pk or tk.")
    if before is None or before.expires_at != draft.expires_at:
        _check_expiry(draft.expires_at)
    if len(to_json(dict(draft.metadata))) > _LONGEST_METADATA_BYTES:
        raise InvalidField("metadata", f"metadata may hold {_LONGEST_METADATA_BYTES} bytes.")
    checked = replace(
        draft,
        name=checked_name(draft.name),
        allowed_origins=tuple(checked_origins(draft.allowed_origins)),
        description=checked_text("description", draft.description),
    )
    return _checked_widget(checked) if draft.kind == "widget" else checked


def refuse_more_than(granting: frozenset[Scope] | None, granted: frozenset[Scope]) -> None:
    """Let nobody give a key more than they have themselves.

    Args:
        granting: What the giver may do; None for the administration, which may all.
        granted: What the key would be allowed.

    Raises:
        NotAllowed: The key would be allowed more.
    """
    more = frozenset() if granting is None else granted - granting
    if more:
        raise NotAllowed(f"Whoever lacks the scope {min(more)} cannot give it to a key.")


def _checked_widget(draft: KeyDraft) -> KeyDraft:
    scopes = WIDGET_SCOPES if draft.scopes is None else draft.scopes
    excess = scopes - WIDGET_SCOPES
    if excess:
        allowed = ", ".join(sorted(WIDGET_SCOPES))
        raise InvalidField("scopes", f"A widget key may have only {allowed}; not {min(excess)}.")
    if not draft.allowed_origins:
        raise InvalidField("allowed_origins", "A widget key needs the domains of its pages.")
    return replace(draft, prefix="tk", scopes=scopes)


def _check_expiry(expires_at: datetime | None) -> None:
    if expires_at is None:
        return
    if expires_at.tzinfo is None:
        raise InvalidField("expires_at", "expiresAt must carry its time zone.")
    if expires_at <= datetime.now(UTC):
        raise InvalidField("expires_at", "expiresAt must lie in the future.")
    try:
        expires_at.astimezone(UTC)
    except OverflowError as exc:
        # Postgres would take the year 10000, and nobody could read it back.
        raise InvalidField("expires_at", "expiresAt must lie before the year 10000.") from exc
