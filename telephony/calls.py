"""The states of a call, who may end it and why, as pure rules."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class CallKind(StrEnum):
    """How the caller came in."""

    SIP = "sip"
    WEB = "web"


class CallDirection(StrEnum):
    """Who started the call, seen from us."""

    INBOUND = "inbound"
    OUTBOUND = "outbound"


class CallState(StrEnum):
    """Where a call stands.

    `queued` is an outbound call that was not begun; `ringing` is before the answer; `active` the
    conversation; `refused` was never answered on purpose, `missed` was never answered because no
    agent came, or nobody answered us; `ended` was answered and is over.
    """

    QUEUED = "queued"
    RINGING = "ringing"
    ACTIVE = "active"
    ENDED = "ended"
    REFUSED = "refused"
    MISSED = "missed"

    @property
    def is_final(self) -> bool:
        """Whether nothing can follow."""
        return not NEXT_STATES[self]


class EndedBy(StrEnum):
    """Which party ended the call."""

    CALLER = "caller"
    AGENT = "agent"
    CALLEE = "callee"
    """Whoever an outbound call was placed to."""
    HUMAN = "human"
    """Somebody the call was passed to."""
    CLIENT = "client"
    """Somebody who commanded it by the API."""
    SYSTEM = "system"
    CARRIER = "carrier"


class EndReason(StrEnum):
    """Why a call is over; with `EndedBy` it answers "whose fault was it"."""

    HANG_UP = "hang_up"
    """A party ended a normal conversation."""
    TRANSFERRED = "transferred"
    """The caller's carrier passed the call on; it goes on without us."""
    MESSAGE_HEARD = "message_heard"
    """The number had something to say instead of an agent, and the caller heard it."""
    NOBODY_REACHED = "nobody_reached"
    """The number would have passed the call on, and nobody took it."""
    CREDIT_SPENT = "credit_spent"
    """The organisation's balance ran out during the call."""
    TIME_LIMIT = "time_limit"
    """The agent's longest allowed call was reached."""
    SILENCE = "silence"
    """Nobody spoke for the agent's silence limit."""
    WORKER_LOST = "worker_lost"
    """The worker's heartbeat stopped."""
    STATE_LOST = "state_lost"
    """The live record vanished from Redis while the call was on."""
    AGENT_FAILED = "agent_failed"
    """The agent could not be built, or its models failed."""
    PROVIDER_FAILED = "provider_failed"
    """A model's provider refused, failed or kept silent; an event before the end names it."""
    CONNECTION_LOST = "connection_lost"
    """The caller's media or signalling went away without a BYE."""
    ABANDONED = "abandoned"
    """The caller gave up before the answer."""
    NO_WORKER = "no_worker"
    """No worker took the call before it stopped ringing."""
    BUSY = "busy"
    """This and the next four: an outbound call that was not answered."""
    NO_ANSWER = "no_answer"
    REJECTED = "rejected"
    """The called party, or the carrier for it, said no."""
    DIAL_FAILED = "dial_failed"
    """The carrier could not put the call through, or could not be reached."""
    CANCELLED = "cancelled"
    """Whoever asked for the call took it back before the answer."""
    REFUSED = "refused"
    """Admission said no; the refusal's reason is beside it."""


NEXT_STATES: Final[Mapping[CallState, frozenset[CallState]]] = {
    CallState.QUEUED: frozenset({CallState.RINGING, CallState.MISSED}),
    CallState.RINGING: frozenset(
        {CallState.ACTIVE, CallState.REFUSED, CallState.MISSED, CallState.ENDED}
    ),
    CallState.ACTIVE: frozenset({CallState.ENDED}),
    CallState.ENDED: frozenset(),
    CallState.REFUSED: frozenset(),
    CallState.MISSED: frozenset(),
}
"""Where a call can go from each state. The scripts in `dispatch/store/scripts` move calls; a test
checks every one of them, from every state, against this table. They know no queued calls: those are
in Postgres alone."""
