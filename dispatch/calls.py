"""A call's way through admission, metering and its end, as plain data.

The shapes here cross three borders: the worker hands them in, Redis scripts decide on them, and
the event stream carries them to the record in Postgres.
"""

import uuid
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal

from dispatch.agent_profile import AgentProfile
from dispatch.billing.prices import PriceTable
from dispatch.number_behaviour import CallPlan
from telephony.calls import CallDirection, CallKind, CallState, EndedBy, EndReason
from telephony.e164 import E164

_SIP_CALLS = uuid.UUID("5f0c5b1e-7b0b-4f0e-9a53-3b2f6f0f8d11")
"""Name space of the ids of inbound SIP calls (made once, at random)."""


def call_id_of_sip_room(room_name: str) -> uuid.UUID:
    """Return the id of the SIP call that lives in this room.

    LiveKit makes the room and its random name before any of our code hears of the call, so webhook
    receiver, worker and reaper all derive the same id from it, in any order and after any crash.
    """
    return uuid.uuid5(_SIP_CALLS, room_name)


@dataclass(frozen=True, slots=True)
class Arrival:
    """Somebody is calling: what is known before admission."""

    call_id: uuid.UUID
    kind: CallKind
    direction: CallDirection
    room_name: str
    caller_identity: str
    """The caller's participant identity in the room."""
    did: E164 | None = None
    """The dialled number; None for a web session."""
    caller_number: str | None = None
    """As the carrier sent it: E.164 where possible, else the raw user part; None if withheld. Of an
    outbound call, the number of ours that it is placed from."""
    sip_call_id: str | None = None
    """LiveKit's id of the leg (`SCL_…`)."""
    carrier_call_id: str | None = None
    """The carrier's SIP Call-ID, for looking the call up at the carrier."""
    seat: str = ""
    """Tells the agents of one room apart; empty where there is but one."""

    @property
    def own_number(self) -> str | None:
        """The number of ours that the call is on: its slots are held there."""
        return self.caller_number if self.direction is CallDirection.OUTBOUND else self.did

    @property
    def other_number(self) -> str | None:
        """The number of whoever the agent talks with."""
        return self.did if self.direction is CallDirection.OUTBOUND else self.caller_number


class RefusalReason(StrEnum):
    """Why a call was not answered."""

    NUMBER_UNKNOWN = "number_unknown"
    NUMBER_UNASSIGNED = "number_unassigned"
    AGENT_UNAVAILABLE = "agent_unavailable"
    """The assigned agent was deleted, is inactive or cannot speak."""
    PROVIDER_NOT_CONFIGURED = "provider_not_configured"
    """A model of the agent needs an API key that the project does not keep."""
    CALLER_BLOCKED = "caller_blocked"
    CALLER_NOT_ALLOWED = "caller_not_allowed"
    CLOSED = "closed"
    """Outside the number's opening hours, and nothing is to be done with calls then."""
    INSUFFICIENT_CREDITS = "insufficient_credits"
    BALANCE_UNKNOWN = "balance_unknown"
    """Redis holds no balance for the organisation yet: fail closed until it is rebuilt."""
    CAPACITY_NUMBER = "capacity_number"
    CAPACITY_ORGANIZATION = "capacity_organization"
    CAPACITY_INSTALLATION = "capacity_installation"
    ALREADY_OVER = "already_over"
    """This call id was ended before; a late job must not revive it."""
    ALREADY_TAKEN = "already_taken"
    """Another job has this call, and it goes on. Never on record."""
    SESSION_UNKNOWN = "session_unknown"
    """The web session is not (or no longer) on record."""
    STORE_UNAVAILABLE = "store_unavailable"
    """Redis did not answer: nobody is answered for free."""


REFUSAL_SENTENCES: dict[RefusalReason, str] = {
    RefusalReason.NUMBER_UNKNOWN: "The dialled number is not one of this installation's numbers.",
    RefusalReason.NUMBER_UNASSIGNED: "The number has no agent assigned.",
    RefusalReason.AGENT_UNAVAILABLE: "The number's agent is inactive, deleted or not for voice.",
    RefusalReason.PROVIDER_NOT_CONFIGURED: (
        "The agent's models need an API key that is not among the project's secrets."
    ),
    RefusalReason.CALLER_BLOCKED: "The number does not take calls from this caller.",
    RefusalReason.CALLER_NOT_ALLOWED: "The caller is not among those who may call the number.",
    RefusalReason.CLOSED: "The number is closed at this time.",
    RefusalReason.INSUFFICIENT_CREDITS: "The organisation's balance does not cover a call.",
    RefusalReason.BALANCE_UNKNOWN: "The organisation's balance is being rebuilt; try again.",
    RefusalReason.CAPACITY_NUMBER: "The number already has as many calls as it may have.",
    RefusalReason.CAPACITY_ORGANIZATION: "The organisation has as many calls as it may have.",
    RefusalReason.CAPACITY_INSTALLATION: "The installation has as many calls as it may have.",
    RefusalReason.ALREADY_OVER: "The call was already over when a worker took it.",
    RefusalReason.ALREADY_TAKEN: "Another job of a worker already has the call.",
    RefusalReason.SESSION_UNKNOWN: "The voice session is unknown or has expired.",
    RefusalReason.STORE_UNAVAILABLE: "Redis did not answer, so the call could not be admitted.",
}


@dataclass(frozen=True, slots=True)
class Admitted:
    """The call may be answered: its slot is leased and its first block of credit reserved."""

    call_id: uuid.UUID
    organization_id: uuid.UUID
    project_id: uuid.UUID
    agent: AgentProfile
    """The profile as it was at admission; a call keeps it to its end."""
    price_microcredits_per_minute: int
    funded_s: float
    """Seconds of talk the reservation covers, counted from the answer."""
    metadata: dict[str, Any]
    """The web session's metadata; empty for SIP."""
    prices: PriceTable
    """By which everything the call uses is priced, to its end."""
    plan: CallPlan | None = None
    """What the number's behaviour makes of the call; None for a number without one."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The call must not be answered."""

    call_id: uuid.UUID
    reason: RefusalReason

    @property
    def sentence(self) -> str:
        """The reason as a sentence for the number's owner."""
        return REFUSAL_SENTENCES[self.reason]


@dataclass(frozen=True, slots=True)
class Beat:
    """What a heartbeat learned.

    `known` is False when Redis has no such live call: it was ended elsewhere (`ended`) or its
    record was lost.
    """

    known: bool
    ended: bool
    remaining_funded_s: float
    """Seconds of talk left in the reservation after this beat; 0 when spent."""
    extendable: bool
    """False when the balance could not fund another full block: the end is in sight."""


@dataclass(frozen=True, slots=True)
class Settlement:
    """A call's final bill. All amounts are micro-credits."""

    call_id: uuid.UUID
    state: CallState
    ended_at: datetime
    billed_s: int
    cost_microcredits: int
    refunded_microcredits: int
    repeated: bool
    """True when the call was already over and nothing was changed."""
    uncollected_microcredits: int = 0
    """What the call cost beyond the credit there was; it is no part of the cost."""


class EventType(StrEnum):
    """Everything that is put on a call's record, in order of its sequence number."""

    RINGING = "call.ringing"
    ADMITTED = "call.admitted"
    DIALLING = "call.dialling"
    """An outbound call: its carrier is asked, over which connection."""
    ALERTING = "call.alerting"
    """An outbound call: the called party's telephone rings."""
    REFUSED = "call.refused"
    ANSWERED = "call.answered"
    TURN = "turn"
    KEYS = "keys"
    TOOL = "tool"
    PROVIDER_FAILED = "provider.failed"
    """A model's provider refused, failed or kept silent; it names which, and why."""
    HOLD_STARTED = "hold.started"
    HOLD_ENDED = "hold.ended"
    TRANSFER_STARTED = "transfer.started"
    """Its events share a `transfer_id`; this one names mode and targets, in order."""
    TRANSFER_RINGING = "transfer.ringing"
    """A target is dialled: which, as which leg."""
    TRANSFER_ANSWERED = "transfer.answered"
    TRANSFER_BRIEFED = "transfer.briefed"
    """What the target was told about the call; the caller did not hear it."""
    TRANSFER_ACCEPTED = "transfer.accepted"
    TRANSFER_DECLINED = "transfer.declined"
    TRANSFER_FAILED = "transfer.failed"
    """One target did not take the call, and why; the next one may."""
    TRANSFER_MERGED = "transfer.merged"
    """Caller and target hear each other."""
    TRANSFER_COMPLETED = "transfer.completed"
    """How it ended in all: `outcome`."""
    LEG_ENDED = "leg.ended"
    """A leg that was dialled and answered is over: which, and its billed seconds."""
    KEYS_GATHERED = "keys.gathered"
    """The caller was asked for keys: under which name, how many, and which unless sensitive."""
    KEYS_SENT = "keys.sent"
    """Keys were pressed towards the caller: which, or only how many."""
    COMMAND = "command"
    """Somebody asked something of the call by the API: which command, what became of it."""
    CREDIT_RESERVED = "credit.reserved"
    CREDIT_LOW = "credit.low"
    ENDED = "call.ended"
    MISSED = "call.missed"
    CREDIT_RELEASED = "credit.released"
    CREDIT_CHARGED = "credit.charged"
    OPERATION_RESERVED = "operation.reserved"
    """This and the next are about operations that are not calls, such as a turn of a chat."""
    OPERATION_SETTLED = "operation.settled"


Speaker = Literal["caller", "agent", "system"]


@dataclass(frozen=True, slots=True)
class Turn:
    """One party's stretch of speech, or keys pressed, for the transcript."""

    speaker: Speaker
    text: str
    at: datetime
    """When the turn began (caller) or its playout began (agent)."""
    interrupted: bool = False


@dataclass(frozen=True, slots=True)
class ProviderFailure:
    """A model that let a call down."""

    service: Literal["stt", "llm", "tts", "realtime"]
    provider: str
    model: str
    reason: str
    """What happened, as a sentence without anything that was said or a key."""


@dataclass(frozen=True, slots=True)
class CallEnd:
    """How a call ended, as reported by whoever ended it."""

    ended_by: EndedBy
    end_reason: EndReason
    sip_code: int | None = None
