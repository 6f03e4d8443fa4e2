"""Bodies of the admin API: members and the audit log."""

import uuid
from datetime import datetime
from typing import Annotated, Any

from pydantic import ConfigDict, Field, StringConstraints

from dispatch.accounts import Role
from dispatch.blanks import NOT_BLANK, STRIPPED
from gateway.schemas.base import Answer, RequestBody

Subject = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=320),
    Field(json_schema_extra=NOT_BLANK),
    STRIPPED,
]
Name = Annotated[str, StringConstraints(strip_whitespace=True, max_length=200)]


class MemberBody(RequestBody):
    """A member to add."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"subject": "user_2abc", "name": "Ann", "role": "admin"}]}
    )

    subject: Subject = Field(
        description="The `sub` of their tokens, or their email address as the provider verified it."
    )
    name: Name = ""
    role: Role


class MemberPatch(RequestBody):
    """A member's new role."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"role": "viewer"}]})

    role: Role


class MemberAnswer(Answer):
    """A person of an organisation."""

    id: uuid.UUID
    organization_id: uuid.UUID
    subject: str
    name: str
    role: Role
    created_at: datetime
    updated_at: datetime


class AuditEntryAnswer(Answer):
    """One change that somebody made."""

    id: uuid.UUID
    at: datetime
    actor_kind: str = Field(description="key, user, admin or system.", examples=["user"])
    actor_id: str
    actor_name: str
    action: str = Field(examples=["key.revoked"])
    target_type: str = Field(examples=["key"])
    target_id: str
    organization_id: uuid.UUID | None
    project_id: uuid.UUID | None
    before: dict[str, Any] | None = Field(
        description="The fields that were changed, as they were; null for what was created."
    )
    after: dict[str, Any] | None = Field(
        description="The same fields as they became; null for what was deleted."
    )
