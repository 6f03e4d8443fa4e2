"""Bodies of the admin API: organisations, their projects and limits."""

import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from pydantic import ConfigDict, Field, StringConstraints

from dispatch.access.limits import MOST_PER_MINUTE, Plan
from gateway.schemas.base import Answer, Label, Patch, RequestBody, without_defaults

ExternalId = Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=r"^[!-~]+$")]

_EXTERNAL_ID = Field(
    default=None,
    description="How the identity provider names it, as Clerk's `org_id`.",
    examples=["org_2abc"],
)


class OrganizationBody(RequestBody):
    """An organisation to create."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "Bakery Ltd"}]})

    name: Label
    plan: Plan | None = Field(default=None, description="The installation's default when absent.")
    external_id: ExternalId | None = _EXTERNAL_ID


def _describe_patch(schema: dict[str, Any]) -> None:
    without_defaults(schema)
    schema["examples"] = [{"plan": "growth"}]


class OrganizationPatch(Patch, RequestBody):
    """What to change of an organisation; what is absent stays."""

    model_config = ConfigDict(json_schema_extra=_describe_patch)

    name: Label = ""
    plan: Plan = "enterprise"
    external_id: ExternalId | None = _EXTERNAL_ID


Limits = Annotated[
    dict[str, Annotated[int, Field(ge=1, le=MOST_PER_MINUTE, strict=True)]],
    Field(
        description="Requests a minute by API: native, agntix, talkifai, voxai.",
        examples=[{"voxai": 5_000}],
        json_schema_extra={"propertyNames": {"enum": ["native", "agntix", "talkifai", "voxai"]}},
    ),
]


class LimitsBody(RequestBody):
    """Limits in place of all there were; an API that is absent has the plan's."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"limits": {"voxai": 5_000}}]})

    limits: Limits


class OrganizationAnswer(Answer):
    """A customer; owns the balance."""

    id: uuid.UUID
    name: str
    balance_microcredits: int = Field(description="1 credit is 1,000,000.", examples=[5_000_000])
    plan: str = Field(description="Decides limits and quotas.", examples=["enterprise"])
    external_id: str | None
    limits: Mapping[str, int] = Field(description="Its own, where they differ from the plan's.")
    created_at: datetime


class ProjectBody(RequestBody):
    """A project to create."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "Reception"}]})

    name: Label


class ProjectAnswer(Answer):
    """A part of an organisation; owns keys, agents and numbers."""

    id: uuid.UUID
    organization_id: uuid.UUID
    name: str
    created_at: datetime
