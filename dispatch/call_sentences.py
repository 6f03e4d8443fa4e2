"""How a call went, in one sentence for the number's owner."""

from dispatch.calls import REFUSAL_SENTENCES, RefusalReason
from telephony.calls import CallState, EndedBy, EndReason

_ENDINGS: dict[EndReason, str] = {
    EndReason.TRANSFERRED: "The call was passed on to somebody else",
    EndReason.MESSAGE_HEARD: "The caller heard the number's message, and the call ended",
    EndReason.NOBODY_REACHED: "Nobody took the call that the number passed on, and it ended",
    EndReason.CREDIT_SPENT: "The organisation's balance ran out",
    EndReason.TIME_LIMIT: "The agent's longest allowed call was reached",
    EndReason.SILENCE: "Nobody spoke, so the agent ended the call",
    EndReason.WORKER_LOST: "The worker that held the call was lost",
    EndReason.STATE_LOST: "The call's live record was lost",
    EndReason.AGENT_FAILED: "The agent failed",
    EndReason.PROVIDER_FAILED: "The provider of one of the agent's models failed",
    EndReason.CONNECTION_LOST: "The connection to the caller was lost",
    EndReason.NO_WORKER: "No worker took the call",
    EndReason.ABANDONED: "The caller gave up",
    EndReason.BUSY: "The called party was busy",
    EndReason.NO_ANSWER: "The called party did not answer",
    EndReason.REJECTED: "The called party rejected the call",
    EndReason.DIAL_FAILED: "The carrier did not put the call through",
    EndReason.CANCELLED: "The call was cancelled",
    EndReason.REFUSED: "The call was refused",
}

_HANG_UPS: dict[EndedBy, str] = {
    EndedBy.CALLER: "The caller hung up",
    EndedBy.AGENT: "The agent hung up",
    EndedBy.CALLEE: "The called party hung up",
    EndedBy.HUMAN: "Whoever the call was passed to hung up",
    EndedBy.CLIENT: "The call was ended by a command of the API",
    EndedBy.CARRIER: "The carrier ended the call",
    EndedBy.SYSTEM: "The call was ended by the system",
}

_MISSED: dict[EndReason, str] = {
    EndReason.ABANDONED: "Missed: the caller gave up before the answer.",
    EndReason.NO_WORKER: "Missed: no worker took the call before it stopped ringing.",
    EndReason.AGENT_FAILED: "Missed: the agent could not be started.",
    EndReason.PROVIDER_FAILED: "Missed: the provider of one of the agent's models failed.",
    EndReason.WORKER_LOST: "Missed: the worker was lost before the answer.",
    EndReason.STATE_LOST: "Missed: the call's live record was lost before the answer.",
    EndReason.CONNECTION_LOST: "Missed: the connection to the caller was lost before the answer.",
    EndReason.BUSY: "Not answered: the called party was busy.",
    EndReason.NO_ANSWER: "Not answered: nobody picked up in time.",
    EndReason.REJECTED: "Not answered: the called party, or its carrier, rejected the call.",
    EndReason.DIAL_FAILED: "Not answered: the carrier did not put the call through.",
    EndReason.CANCELLED: "Cancelled before the answer.",
}


def describe_call(
    state: CallState,
    *,
    ended_by: EndedBy | None,
    end_reason: EndReason | None,
    refusal_reason: RefusalReason | None,
    duration_s: float | None,
) -> str:
    """Return one sentence about where the call stands, or how and why it ended.

    Args:
        state: Where it stands.
        ended_by: Who ended it; None while it goes on.
        end_reason: Why it ended; None while it goes on.
        refusal_reason: Why it was not answered, when it was refused.
        duration_s: Seconds from the answer to the end; None while it goes on.
    """
    match state:
        case CallState.QUEUED:
            return "The call waits for its turn."
        case CallState.RINGING:
            return "The call is ringing."
        case CallState.ACTIVE:
            return "The call is going on."
        case CallState.REFUSED:
            return _describe_refusal(refusal_reason)
        case CallState.MISSED:
            return _describe_missed(end_reason)
        case CallState.ENDED:
            return f"{_ending(ended_by, end_reason)} after {round(duration_s or 0)} s."


def _describe_refusal(reason: RefusalReason | None) -> str:
    if reason is None:
        return "Refused."
    sentence = REFUSAL_SENTENCES[reason]
    return f"Refused: {sentence[:1].lower()}{sentence[1:]}"


def _describe_missed(reason: EndReason | None) -> str:
    missed = "Missed: the call ended before the answer."
    return missed if reason is None else _MISSED.get(reason, missed)


def _ending(ended_by: EndedBy | None, reason: EndReason | None) -> str:
    if reason is None or reason is EndReason.HANG_UP:
        return "The call ended" if ended_by is None else _HANG_UPS[ended_by]
    return _ENDINGS[reason]
