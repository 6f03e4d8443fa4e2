"""The legs of a call, read off its record: who was on the line, from when to when, and why not."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from dispatch.call_history import CallDetails, CallEvent, CallRecord
from dispatch.calls import EventType
from telephony.calls import CallDirection, CallState

CALLER_LEG: Final = "caller"
CANCELLED: Final = "cancelled"
"""Outcome of a leg that the end of the call overtook."""


class LegRole(StrEnum):
    """What somebody's leg is there for."""

    CALLER = "caller"
    """Whoever the agent talks with, whichever side placed the call."""
    HUMAN = "human"
    """Somebody the call was passed to, or was to be."""


class LegState(StrEnum):
    """Where a leg stands."""

    RINGING = "ringing"
    ACTIVE = "active"
    ENDED = "ended"
    MISSED = "missed"
    """Over, and never answered."""


@dataclass(frozen=True, slots=True)
class CallLeg:
    """One party's way through a call."""

    id: str
    """`caller`, or as the events of transfers name it (`leg`)."""
    role: LegRole
    target: str | None
    """Their number or SIP address; None for a browser, and for a caller who withholds it."""
    started_at: datetime
    answered_at: datetime | None = None
    ended_at: datetime | None = None
    outcome: str | None = None
    """Of a human, the code of the transfer, or `cancelled`; of the caller, why the call ended. None
    while that is open."""
    sip_code: int | None = None
    """The final SIP status of a leg that was not answered, where there was one."""
    billed_s: int | None = None
    """Started seconds from its answer to its end; None while it goes on, or where only their sum
    over several legs is known, because the worker was lost."""

    @property
    def state(self) -> LegState:
        """Where it stands."""
        if self.ended_at is not None:
            return LegState.MISSED if self.answered_at is None else LegState.ENDED
        return LegState.RINGING if self.answered_at is None else LegState.ACTIVE


def legs_of(details: CallDetails) -> tuple[CallLeg, ...]:
    """Return the legs of a call, the caller's first, then as they were dialled.

    A call that waits to be placed has none yet. A transfer that the caller's carrier was asked for
    (REFER) has no leg: it is the carrier's call.
    """
    placed: dict[str, CallLeg] = {}
    offered: dict[Any, str] = {}
    for event in details.events:
        _apply(event, placed, offered)
    over_at = details.record.ended_at
    humans = (leg if over_at is None else _over(leg, over_at) for leg in placed.values())
    caller = _caller_leg(details.record)
    return tuple(humans) if details.record.state is CallState.QUEUED else (caller, *humans)


def _apply(event: CallEvent, placed: dict[str, CallLeg], offered: dict[Any, str]) -> None:
    """Note what an event says about a leg.

    Args:
        event: Of the call.
        placed: The legs so far, by id.
        offered: Who was tried last in each transfer, by the transfer's id.
    """
    data, transfer_id = event.data, event.data.get("transfer_id")
    leg_id = data.get("leg")
    if event.type is EventType.TRANSFER_FAILED:
        # It names the target, which may be tried again; what it says is about the last leg.
        leg_id = offered.pop(transfer_id, None)
    if event.type is EventType.TRANSFER_RINGING and leg_id is not None:
        placed[leg_id] = CallLeg(leg_id, LegRole.HUMAN, data.get("target"), event.at)
        offered[transfer_id] = leg_id
    leg = placed.get(leg_id or "")
    if leg is None:
        return
    match event.type:
        case EventType.TRANSFER_ANSWERED:
            leg = replace(leg, answered_at=event.at)
        case EventType.TRANSFER_MERGED:
            leg = replace(leg, outcome="accepted")
        case EventType.TRANSFER_FAILED:
            leg = replace(
                leg,
                outcome=data.get("outcome"),
                sip_code=data.get("sip_code"),
                ended_at=leg.ended_at or event.at,
            )
        case EventType.LEG_ENDED:
            leg = replace(leg, ended_at=event.at, billed_s=data.get("billed_s"))
    placed[leg.id] = leg


def _over(leg: CallLeg, over_at: datetime) -> CallLeg:
    """Return a leg as the end of its call left it."""
    return replace(
        leg,
        ended_at=leg.ended_at or over_at,
        outcome=leg.outcome or CANCELLED,
        billed_s=0 if leg.answered_at is None else leg.billed_s,
    )


def _caller_leg(record: CallRecord) -> CallLeg:
    is_outbound = record.direction is CallDirection.OUTBOUND
    why = record.refusal_reason if record.state is CallState.REFUSED else record.end_reason
    return CallLeg(
        id=CALLER_LEG,
        role=LegRole.CALLER,
        target=record.called_number if is_outbound else record.caller_number,
        started_at=record.started_at,
        answered_at=record.answered_at,
        ended_at=record.ended_at,
        outcome=None if why is None else why.value,
        sip_code=record.sip_code,
        billed_s=record.billed_s,
    )
