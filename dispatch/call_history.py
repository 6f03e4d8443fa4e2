"""Calls as they are on record."""

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dispatch.billing.record import UsagePart
from dispatch.call_sentences import describe_call
from dispatch.calls import EventType, RefusalReason, Speaker
from dispatch.ledger import LedgerEntry
from telephony.calls import CallDirection, CallKind, CallState, EndedBy, EndReason


@dataclass(frozen=True, slots=True)
class CallFilters:
    """Which calls are asked for; None asks for all."""

    state: CallState | None = None
    number: str | None = None
    """Either party's: the dialled or the calling number."""
    agent_id: uuid.UUID | None = None
    started_from: datetime | None = None
    """Calls that started at this time or later."""
    started_to: datetime | None = None
    """Calls that started before this time."""


@dataclass(frozen=True, slots=True)
class CallStats:
    """Some calls in sum."""

    total: int
    completed: int
    """Those that were answered and are over."""
    average_duration_s: float
    """Of the completed ones, from answer to end; 0 when there is none."""


@dataclass(frozen=True, slots=True)
class CallRecord:
    """A call, as its events so far tell it."""

    id: uuid.UUID
    direction: CallDirection
    kind: CallKind
    state: CallState
    agent_id: uuid.UUID | None
    agent_version: int | None
    called_number: str | None
    caller_number: str | None
    room_name: str
    started_at: datetime
    answered_at: datetime | None
    ended_at: datetime | None
    billed_s: int | None
    cost_microcredits: int | None
    ended_by: EndedBy | None
    end_reason: EndReason | None
    refusal_reason: RefusalReason | None
    sip_code: int | None

    @property
    def duration_s(self) -> float | None:
        """Seconds from the answer to the end; 0 when never answered, None while it goes on."""
        if self.ended_at is None:
            return None
        if self.answered_at is None:
            return 0.0
        return (self.ended_at - self.answered_at).total_seconds()

    @property
    def sentence(self) -> str:
        """Where the call stands, or how and why it ended, for the number's owner."""
        return describe_call(
            self.state,
            ended_by=self.ended_by,
            end_reason=self.end_reason,
            refusal_reason=self.refusal_reason,
            duration_s=self.duration_s,
        )


@dataclass(frozen=True, slots=True)
class TranscriptTurn:
    """One party's stretch of speech, or keys pressed."""

    seq: int
    speaker: Speaker
    text: str
    at: datetime
    interrupted: bool


@dataclass(frozen=True, slots=True)
class CallEvent:
    """One thing that happened in a call."""

    seq: int
    type: EventType
    at: datetime
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class CallDetails:
    """A call with everything that is on record about it, each list in order."""

    record: CallRecord
    transcript: tuple[TranscriptTurn, ...]
    events: tuple[CallEvent, ...]
    ledger: tuple[LedgerEntry, ...]
    usage: tuple[UsagePart, ...]
    """What its bill consists of; empty while the call goes on, and when it was never answered."""
