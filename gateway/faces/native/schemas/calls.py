"""Bodies of calls and their records."""

import uuid
from dataclasses import asdict
from datetime import datetime
from typing import Any, Self

from pydantic import Field

from dispatch.call_history import CallDetails, CallRecord
from dispatch.call_legs import CallLeg, legs_of
from dispatch.call_sentences import describe_call
from gateway.faces.native.schemas.usage import UsagePartAnswer
from gateway.schemas.base import Answer


class CallAnswer(Answer):
    """A call as the record tells it."""

    id: uuid.UUID
    direction: str = Field(examples=["inbound"])
    kind: str = Field(examples=["sip"])
    state: str = Field(examples=["ended"])
    agent_id: uuid.UUID | None
    agent_version: int | None
    called_number: str | None = Field(examples=["+12015550100"])
    caller_number: str | None = Field(
        description="As the carrier sent it; null when withheld.", examples=["+12015550123"]
    )
    room_name: str
    started_at: datetime
    answered_at: datetime | None
    ended_at: datetime | None
    duration_s: float | None = Field(description="From answer to end.", examples=[34.2])
    billed_s: int | None = Field(description="Started seconds from answer to end.", examples=[35])
    cost_microcredits: int | None = Field(examples=[58_334])
    ended_by: str | None = Field(examples=["caller"])
    end_reason: str | None = Field(examples=["hang_up"])
    refusal_reason: str | None
    sip_code: int | None
    sentence: str = Field(examples=["The caller hung up after 34 seconds."])

    @classmethod
    def of(cls, record: CallRecord) -> Self:
        """Return the answer for a call on record."""
        return cls(**_fields_of(record))


def _fields_of(record: CallRecord) -> dict[str, Any]:
    sentence = describe_call(
        record.state,
        ended_by=record.ended_by,
        end_reason=record.end_reason,
        refusal_reason=record.refusal_reason,
        duration_s=record.duration_s,
    )
    return {**asdict(record), "duration_s": record.duration_s, "sentence": sentence}


class TurnAnswer(Answer):
    """One turn of the conversation."""

    seq: int
    speaker: str = Field(examples=["caller"])
    text: str
    at: datetime


class CallEventAnswer(Answer):
    """One event of the call, in order of `seq`."""

    seq: int
    type: str = Field(examples=["call.answered"])
    at: datetime
    data: dict[str, Any]


class CallLedgerAnswer(Answer):
    """One movement of money for the call; they sum up to minus its cost."""

    kind: str = Field(examples=["reserve"])
    amount_microcredits: int = Field(examples=[-100_000])
    at: datetime
    operation_id: str


class LegAnswer(Answer):
    """One party's way through the call."""

    id: str = Field(
        description="`caller`, or the `leg` that the events of transfers name.",
        examples=["human_3f2a9c01_0"],
    )
    role: str = Field(
        description="`caller`, whoever placed the call; or `human`, to whom it was passed on.",
        examples=["human"],
    )
    target: str | None = Field(
        description="Number or SIP address; null for a browser, and where it is withheld.",
        examples=["+12015550155"],
    )
    state: str = Field(
        description="`ringing`, `active`, `ended`, or `missed` when it was never answered.",
        examples=["ended"],
    )
    outcome: str | None = Field(
        description=(
            "Of a human, the transfer's outcome, or `cancelled` when the call was over first; of"
            " the caller, why the call ended. Null while that is open."
        ),
        examples=["accepted"],
    )
    sip_code: int | None = Field(description="Of a leg that was not answered.", examples=[None])
    started_at: datetime
    answered_at: datetime | None
    ended_at: datetime | None
    billed_s: int | None = Field(
        description=(
            "Started seconds from answer to end; null while it goes on, and where the worker was"
            " lost before it told them leg by leg."
        ),
        examples=[21],
    )

    @classmethod
    def of(cls, leg: CallLeg) -> Self:
        """Return the answer for a leg."""
        return cls(**asdict(leg), state=leg.state)


class CallRecordAnswer(CallAnswer):
    """A call with everything that was said, happened and was charged."""

    legs: list[LegAnswer] = Field(
        description="The caller's, then those of everybody who was dialled to take the call."
    )
    transcript: list[TurnAnswer]
    events: list[CallEventAnswer]
    ledger: list[CallLedgerAnswer]
    usage: list[UsagePartAnswer] = Field(
        description="Parts of the bill, which add up to `costMicrocredits`; once the call is over."
    )

    @classmethod
    def of_details(cls, details: CallDetails) -> Self:
        """Return the answer for a call with all that is on record about it."""
        return cls(
            **_fields_of(details.record),
            legs=[LegAnswer.of(leg) for leg in legs_of(details)],
            transcript=[TurnAnswer.model_validate(turn) for turn in details.transcript],
            events=[CallEventAnswer.model_validate(event) for event in details.events],
            ledger=[
                CallLedgerAnswer(
                    kind=entry.kind,
                    amount_microcredits=entry.amount_microcredits,
                    at=entry.created_at,
                    operation_id=entry.operation_id,
                )
                for entry in details.ledger
            ],
            usage=[UsagePartAnswer.of(part) for part in details.usage],
        )
