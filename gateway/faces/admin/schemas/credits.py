"""Bodies of the admin API: credits and the ledger."""

import uuid
from datetime import datetime
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, StringConstraints

from dispatch.blanks import NOT_BLANK, STRIPPED
from dispatch.credits import LARGEST_TOP_UP_MICROCREDITS
from gateway.schemas.base import Answer, RequestBody

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


class AdjustmentBody(RequestBody):
    """A correction of a balance."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"amountMicrocredits": -250_000, "reason": "Charged twice on 3 May"}]
        }
    )

    amount_microcredits: int = Field(
        ge=-LARGEST_TOP_UP_MICROCREDITS,
        le=LARGEST_TOP_UP_MICROCREDITS,
        strict=True,
        json_schema_extra={"not": {"const": 0}},
        description="Added; negative to take away. Not 0.",
    )
    reason: Annotated[
        str,
        StringConstraints(strip_whitespace=True, min_length=1, max_length=500),
        Field(json_schema_extra=NOT_BLANK),
        STRIPPED,
    ]
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
    """Credits added or corrected, and the balance afterwards."""

    id: uuid.UUID
    kind: Literal["topup", "adjust"] = "topup"
    amount_microcredits: int
    balance_microcredits: int
    reason: str
    operation_id: str
    created_at: datetime
