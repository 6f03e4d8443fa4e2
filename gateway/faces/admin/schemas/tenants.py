"""Bodies of the admin API: organisations, projects, keys and credits."""

import uuid
from datetime import datetime
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, StringConstraints

from dispatch.credits import LARGEST_TOP_UP_MICROCREDITS
from gateway.schemas.base import Answer, Instant, Label, RequestBody


class OrganizationBody(RequestBody):
    """An organisation to create."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "Bakery Ltd"}]})

    name: Label


class OrganizationAnswer(Answer):
    """A customer; owns the balance."""

    id: uuid.UUID
    name: str
    balance_microcredits: int = Field(description="1 credit is 1,000,000.", examples=[5_000_000])
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


class KeyBody(RequestBody):
    """An API key to create."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "backend"}]})

    name: Label
    prefix: Literal["pk", "tk"] = Field(default="pk", description="How the key begins.")
    expires_at: Instant | None = Field(
        default=None, description="When it stops working; never when absent."
    )


class KeyAnswer(Answer):
    """An API key, without its secret."""

    id: uuid.UUID
    project_id: uuid.UUID
    name: str
    prefix: str = Field(examples=["pk"])
    hint: str = Field(description="The key's last characters.", examples=["x7Qa"])
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


class NewKeyAnswer(KeyAnswer):
    """An API key just made; the only answer that ever holds the key itself."""

    key: str = Field(examples=["pk_live_…"])


OperationId = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=r"^[!-~]+$")]


class CreditsBody(RequestBody):
    """Credits to add."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "amountMicrocredits": 5_000_000,
                    "reason": "Invoice 2026-17",
                    "operationId": "invoice-2026-17",
                }
            ]
        }
    )

    amount_microcredits: int = Field(gt=0, le=LARGEST_TOP_UP_MICROCREDITS, strict=True)
    reason: Annotated[str, StringConstraints(strip_whitespace=True, max_length=500)] = ""
    operation_id: OperationId | None = Field(
        default=None, description="Sent again, it is applied once and answered alike."
    )


class LedgerEntryAnswer(Answer):
    """A movement of money; the balance is the sum of all amounts."""

    id: uuid.UUID
    kind: str = Field(examples=["topup"])
    amount_microcredits: int = Field(description="Signed.", examples=[5_000_000])
    reason: str
    operation_id: str
    call_id: uuid.UUID | None = None
    created_at: datetime


class TopUpAnswer(Answer):
    """Credits added, and the balance afterwards."""

    id: uuid.UUID
    kind: Literal["topup"] = "topup"
    amount_microcredits: int
    balance_microcredits: int
    reason: str
    operation_id: str
    created_at: datetime
