"""Bodies of the admin API: keys."""

import uuid
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Annotated, Any, Final, Literal

from pydantic import ConfigDict, Field, StringConstraints, field_validator

from dispatch.access.key_drafts import KeyDraft
from dispatch.accounts import WIDGET_SCOPES
from dispatch.conditions import both, described, has, if_there, implies
from gateway.schemas.base import Answer, Instant, Label, Patch, RequestBody, without_defaults
from gateway.schemas.scopes import Scopes
from telephony.host_names import DOTTED_HOST, LONGEST_HOST, PORT

Text = Annotated[str, StringConstraints(strip_whitespace=True, max_length=500)]
Domains = Annotated[
    tuple[Annotated[str, StringConstraints(min_length=1, max_length=300)], ...],
    Field(
        max_length=100,
        description="Domains whose pages may use the key, with their subdomains.",
        examples=[["example.com"]],
    ),
]


_DOMAIN: Final = f"(localhost|{DOTTED_HOST})"
_DOMAINS: Final = {
    "items": {
        "type": "string",
        "maxLength": LONGEST_HOST,
        "pattern": f"^(https?://{_DOMAIN}(:{PORT})?|{_DOMAIN})$",
    }
}
_WIDGETS: Final = implies(
    has("kind", const="widget"),
    both(
        has("allowedOrigins", minItems=1),
        if_there("scopes", items={"enum": sorted(WIDGET_SCOPES)}),
    ),
)


class KeyBody(RequestBody):
    """An API key to create."""

    model_config = ConfigDict(
        json_schema_extra=described(
            _WIDGETS, examples=[{"name": "backend"}], fields={"allowedOrigins": _DOMAINS}
        )
    )

    name: Label
    prefix: Literal["pk", "tk"] = Field(default="pk", description="How the key begins.")
    kind: Literal["server", "widget"] = Field(
        default="server",
        description="A `widget` key is made for web pages: `tk_widget_…`, on its domains only.",
    )
    scopes: Scopes | None = Field(
        default=None, description="What it may do; when absent all but `secrets:read`."
    )
    allowed_origins: Domains = ()
    expires_at: Instant | None = Field(
        default=None, description="When it stops working; never when absent."
    )
    description: Text = ""
    metadata: dict[str, Any] = Field(default={}, description="JSON of your own, up to 4 KiB.")

    def to_draft(self) -> KeyDraft:
        """Return the key as `dispatch` knows it."""
        return KeyDraft(**{name: getattr(self, name) for name in type(self).model_fields})


def _describe_patch(schema: dict[str, Any]) -> None:
    without_defaults(schema)
    schema["properties"]["allowedOrigins"].update(_DOMAINS)
    schema["examples"] = [{"scopes": ["agents:read", "voice:write"]}]


class KeyPatch(Patch, RequestBody):
    """What to change of a key; what is absent stays."""

    model_config = ConfigDict(json_schema_extra=_describe_patch)

    name: Label = ""
    scopes: Scopes | None = Field(
        default=None, description="What it may do; null for all but `secrets:read`."
    )
    allowed_origins: Domains = ()
    expires_at: Instant | None = Field(default=None, description="Null for never.")
    description: Text = ""
    metadata: dict[str, Any] = Field(default={})


class ReasonBody(RequestBody):
    """Why something is done, for the audit log."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "leaked"}]})

    reason: Text = ""


class KeyAnswer(Answer):
    """An API key, without its secret."""

    id: uuid.UUID
    project_id: uuid.UUID
    name: str
    prefix: str = Field(examples=["pk"])
    kind: str = Field(examples=["server"])
    hint: str = Field(description="The key's last characters.", examples=["x7Qa"])
    scopes: list[str] = Field(examples=[["agents:read", "voice:write"]])
    allowed_origins: tuple[str, ...]
    limits: Mapping[str, int] = Field(description="Its own, where they differ from its owner's.")
    description: str
    metadata: Mapping[str, Any]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    revoked_reason: str

    @field_validator("scopes", mode="before")
    @classmethod
    def _in_order(cls, scopes: Iterable[str]) -> list[str]:
        return sorted(scopes)


class NewKeyAnswer(KeyAnswer):
    """An API key just made; the only answer that ever holds the key itself."""

    key: str = Field(examples=["pk_live_…"])
