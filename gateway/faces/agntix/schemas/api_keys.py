"""Bodies of API keys."""

import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Final, Literal, Self

from pydantic import ConfigDict, Field, StringConstraints, model_validator

from dispatch.access.key_drafts import KeyDraft
from dispatch.accounts import ApiKey
from dispatch.conditions import described
from gateway.schemas.base import Answer, Instant, Label, RequestBody, without_defaults
from gateway.schemas.scopes import Scopes

_Text = Annotated[str, StringConstraints(strip_whitespace=True, max_length=500)]


_ONE_NAME: Final = {"not": {"required": ["scopes", "permissions"]}}
_describe_rules = described(_ONE_NAME)


def _describe_patch(schema: dict[str, Any]) -> None:
    without_defaults(schema)
    _describe_rules(schema)
    schema["examples"] = [{"scopes": ["agents:read", "voice:write"]}]


class ProjectKeyPatch(RequestBody):
    """What to change of a key; what is absent stays."""

    model_config = ConfigDict(json_schema_extra=_describe_patch)

    name: Label = "unchanged"
    description: _Text = ""
    scopes: Scopes | None = Field(
        default=None, description="What it may do; null for all but `secrets:read`."
    )
    permissions: Scopes | None = Field(default=None, description="Another name of `scopes`.")
    metadata: dict[str, Any] = Field(default={}, description="JSON of your own, up to 4 KiB.")
    expires_at: Instant | None = Field(default=None, description="Null for never.")

    @model_validator(mode="after")
    def _one_name(self) -> Self:
        if {"scopes", "permissions"} <= self.model_fields_set:
            raise ValueError("permissions: send scopes or permissions, not both")
        return self

    def fields(self) -> dict[str, Any]:
        """Return the fields that were sent, as `dispatch` spells them."""
        names = {name: name for name in type(self).model_fields} | {"permissions": "scopes"}
        return {
            names[name]: getattr(self, name)
            for name in self.model_fields_set
            if name != "prefix_type"
        }


class ProjectKeyBody(ProjectKeyPatch):
    """An API key to create."""

    model_config = ConfigDict(
        json_schema_extra=described(
            _ONE_NAME, examples=[{"name": "backend", "scopes": ["chat:write"]}]
        )
    )

    name: Label
    prefix_type: Literal["LIVE"] = Field(
        default="LIVE", description="Every key is a live one; development keys are not made."
    )

    def to_draft(self) -> KeyDraft:
        """Return the key as `dispatch` knows it."""
        return KeyDraft(**self.fields())


class ReasonBody(RequestBody):
    """Why something is done, for the audit log."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "leaked"}]})

    reason: _Text = ""


class KeyAnswer(Answer):
    """An API key, without the key itself."""

    id: uuid.UUID
    name: str = Field(examples=["backend"])
    description: str
    scopes: list[str] = Field(examples=[["agents:read", "voice:write"]])
    permissions: list[str] = Field(description="The same as `scopes`.")
    prefix_type: Literal["LIVE"]
    hint: str = Field(description="The key's last characters.", examples=["x7Qa"])
    metadata: Mapping[str, Any]
    is_active: bool = Field(description="Neither revoked nor expired when this was answered.")
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None

    @classmethod
    def of(cls, key: ApiKey) -> Self:
        """Return the answer for a key."""
        return cls(**_fields_of(key))


class NewKeyAnswer(KeyAnswer):
    """An API key just made; the only answer that ever holds the key itself."""

    key: str = Field(examples=["pk_live_…"])

    @classmethod
    def of_new(cls, key: ApiKey, clear_text: str) -> Self:
        """Return the answer for a key just made."""
        return cls(**_fields_of(key), key=clear_text)


def _fields_of(key: ApiKey) -> dict[str, Any]:
    scopes = sorted(key.scopes)
    return {
        "id": key.id,
        "name": key.name,
        "description": key.description,
        "scopes": scopes,
        "permissions": scopes,
        "prefix_type": "LIVE",
        "hint": key.hint,
        "metadata": key.metadata,
        "is_active": key.revoked_at is None and not _is_over(key.expires_at),
        "created_at": key.created_at,
        "expires_at": key.expires_at,
        "revoked_at": key.revoked_at,
    }


def _is_over(at: datetime | None) -> bool:
    return at is not None and at <= datetime.now(at.tzinfo)
