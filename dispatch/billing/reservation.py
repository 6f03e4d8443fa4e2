"""Credit set aside for an operation that is not a call, such as a turn of a chat: plain data."""

import uuid
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final

LEASE: Final = timedelta(minutes=10)
"""How long credit stays set aside for an operation nobody finishes: longer than any may take."""

KEEP: Final = timedelta(days=1)
"""How long an operation that is over stays known, so that repeating it changes nothing."""


class UsageSource(StrEnum):
    """What used something."""

    CALL = "call"
    CHAT = "chat"
    KNOWLEDGE = "knowledge"


@dataclass(frozen=True, slots=True)
class Payer:
    """Who pays for an operation, and which agent did it."""

    organization_id: uuid.UUID
    project_id: uuid.UUID
    agent_id: uuid.UUID | None = None


@dataclass(frozen=True, slots=True)
class OpenReservation:
    """Credit that the record says is set aside."""

    operation_id: uuid.UUID
    seq: int
    """Of the event that told it: 2n - 1, and 2n for the end of that beginning."""
    organization_id: uuid.UUID
    amount_microcredits: int

    @property
    def attempt(self) -> int:
        """Which beginning of the operation it belongs to."""
        return (self.seq + 1) // 2

    def to_args(self) -> tuple[str, int, int]:
        """Return it as scripts take it: operation, attempt, amount."""
        return str(self.operation_id), self.attempt, self.amount_microcredits


@dataclass(frozen=True, slots=True)
class Charge:
    """What an operation cost. Amounts are micro-credits."""

    cost_microcredits: int
    """What was taken from the balance."""
    uncollected_microcredits: int
    """What it cost beyond the credit there was."""
    repeated: bool
    """True when it had been charged before and nothing was changed."""


def lease_args() -> tuple[int, int]:
    """Return, in milliseconds, how long a reservation holds and how long it is known then."""
    return _milliseconds(LEASE), _milliseconds(KEEP)


def _milliseconds(duration: timedelta) -> int:
    return round(duration.total_seconds() * 1000)
