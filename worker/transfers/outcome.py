"""How a transfer ended, in one code and one sentence."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from telephony.errors import DialOutcome
from telephony.ports import ReferOutcome


class TransferCode(StrEnum):
    """How a transfer ended. Everything but `accepted` leaves the caller with the agent."""

    ACCEPTED = "accepted"
    BUSY = "busy"
    NO_ANSWER = "no_answer"
    REFUSED = "refused"
    """The target's telephone, or the carrier, said no."""
    TIMED_OUT = "timed_out"
    """The carrier did not say in time what became of it."""
    FAILED = "failed"
    DECLINED = "declined"
    """Somebody heard what it is about, and said no."""
    HUNG_UP = "hung_up"
    """Somebody answered, and hung up before saying yes or no."""
    NOT_ACCEPTED = "not_accepted"
    """Somebody, or a voicemail, answered and said neither yes nor no."""


@dataclass(frozen=True, slots=True)
class TransferOutcome:
    """What became of a transfer."""

    code: TransferCode
    target: str
    """Who took the call, or who was tried last."""
    sip_code: int | None = None
    reason: str | None = None
    """For the record: why nobody could be called, where that is known; it names no number."""

    @property
    def is_accepted(self) -> bool:
        """Whether somebody has the caller now."""
        return self.code is TransferCode.ACCEPTED

    @property
    def sentence(self) -> str:
        """The outcome for the caller, and for the agent."""
        return SENTENCES[self.code]


SENTENCES: Final[dict[TransferCode, str]] = {
    TransferCode.ACCEPTED: "You are connected.",
    TransferCode.BUSY: "I am sorry, the line is busy.",
    TransferCode.NO_ANSWER: "I am sorry, nobody answered.",
    TransferCode.REFUSED: "I am sorry, the call was not taken.",
    TransferCode.TIMED_OUT: "I am sorry, I could not pass you on in time.",
    TransferCode.FAILED: "I am sorry, I could not reach anybody there.",
    TransferCode.DECLINED: "I am sorry, nobody is free to talk to you now.",
    TransferCode.HUNG_UP: "I am sorry, the connection was lost.",
    TransferCode.NOT_ACCEPTED: "I am sorry, nobody could take your call.",
}

CODE_OF_DIAL: Final[dict[DialOutcome, TransferCode]] = {
    DialOutcome.BUSY: TransferCode.BUSY,
    DialOutcome.NO_ANSWER: TransferCode.NO_ANSWER,
    DialOutcome.REJECTED: TransferCode.REFUSED,
    DialOutcome.FAILED: TransferCode.FAILED,
}

CODE_OF_REFER: Final[dict[ReferOutcome, TransferCode]] = {
    outcome: TransferCode(outcome.value) for outcome in ReferOutcome
}
