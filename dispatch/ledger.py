"""Movements of money, as they are written down."""

import uuid
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class LedgerKind(StrEnum):
    """Why a balance changed."""

    TOPUP = "topup"
    RESERVE = "reserve"
    """The first block of a call was set aside."""
    EXTEND = "extend"
    """A further block of a running call was set aside."""
    RELEASE = "release"
    """Everything a call had set aside came back at its end."""
    CHARGE = "charge"
    """What the call cost."""
    ADJUST = "adjust"


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One movement; an organisation's entries add up to its balance."""

    id: uuid.UUID
    organization_id: uuid.UUID
    kind: LedgerKind
    amount_microcredits: int
    """Signed: what was added to the balance."""
    operation_id: str
    """Unique name of the movement; for a top-up the one the caller gave."""
    call_id: uuid.UUID | None
    reason: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class TopUp:
    """A top-up that is on record, and the balance after it."""

    entry: LedgerEntry
    balance_microcredits: int
