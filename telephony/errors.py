"""What can go wrong on the phone network.

TelephonyError
├── InvalidNumber             text that is not an E.164 number
├── InvalidWebhook            a room event whose signature or body cannot be trusted
├── DialError                 somebody was called and did not answer
└── VendorError               LiveKit (or a carrier) refused, failed or was not there
    ├── VendorUnavailable     no answer, or a 5xx: the same request may be sent again
    ├── VendorRejected        the vendor understood and said no: do not retry
    ├── VendorNotFound        the thing named is not there
    └── TrunkConflict         another trunk already owns one of the numbers
"""

from enum import StrEnum


class TelephonyError(Exception):
    """Base of every error raised by `telephony`."""

    retryable: bool = False
    """Whether the same request may succeed when sent again unchanged."""


class InvalidNumber(TelephonyError, ValueError):
    """The text is not a possible E.164 number.

    A `ValueError` too, so that a model which is validated by `parse_e164` is refused by its words.
    """


class InvalidWebhook(TelephonyError):
    """A room event's signature, hash or body is wrong; nothing in it may be used."""


class DialOutcome(StrEnum):
    """Why somebody who was called did not answer."""

    BUSY = "busy"
    NO_ANSWER = "no_answer"
    """It rang out, or nobody is there."""
    REJECTED = "rejected"
    """The called party, or the carrier for it, said no."""
    FAILED = "failed"
    """The number does not exist, or the carrier could not put the call through."""


_OUTCOMES = {
    401: DialOutcome.FAILED,
    403: DialOutcome.REJECTED,
    407: DialOutcome.FAILED,
    408: DialOutcome.NO_ANSWER,
    480: DialOutcome.NO_ANSWER,
    486: DialOutcome.BUSY,
    487: DialOutcome.NO_ANSWER,
    600: DialOutcome.BUSY,
    603: DialOutcome.REJECTED,
    607: DialOutcome.REJECTED,
    608: DialOutcome.REJECTED,
}


def outcome_of_sip_code(sip_code: int) -> DialOutcome:
    """Return what a final SIP status from 300 up says about a call that was placed.

    Source: RFC 3261 section 21; RFC 8197 (607), RFC 8688 (608).
    """
    return _OUTCOMES.get(sip_code, DialOutcome.FAILED)


class DialError(TelephonyError):
    """Somebody was called and did not answer.

    Args:
        outcome: What happened.
        sip_code: The final SIP status, where there was one.
        reason: LiveKit's or the carrier's words, safe to show to an operator.
    """

    def __init__(self, outcome: DialOutcome, sip_code: int | None, reason: str) -> None:
        super().__init__(f"{outcome}: {reason}")
        self.outcome = outcome
        self.sip_code = sip_code
        self.reason = reason


class VendorError(TelephonyError):
    """A vendor did not do what was asked.

    Args:
        vendor: Who failed, in one word: `livekit`, `twilio`.
        operation: What was asked, for example `create_room`.
        reason: The vendor's own words, safe to show to an operator.
    """

    def __init__(self, vendor: str, operation: str, reason: str) -> None:
        super().__init__(f"{vendor} {operation}: {reason}")
        self.vendor = vendor
        self.operation = operation
        self.reason = reason


class VendorUnavailable(VendorError):
    """The vendor could not be reached, timed out or failed inside."""

    retryable = True


class VendorRejected(VendorError):
    """The vendor understood the request and refused it."""


class VendorNotFound(VendorError):
    """The vendor has no such room, participant, trunk or rule."""


class TrunkConflict(VendorError):
    """LiveKit refused a trunk because another one already claims a number of it.

    Source: livekit/protocol sip/sip.go, "Conflicting inbound SIP Trunks".
    """
