"""What can go wrong on the phone network.

TelephonyError
├── InvalidNumber             text that is not an E.164 number
├── InvalidWebhook            a room event whose signature or body cannot be trusted
└── VendorError               LiveKit (or a carrier) refused, failed or was not there
    ├── VendorUnavailable     no answer, or a 5xx: the same request may be sent again
    ├── VendorRejected        the vendor understood and said no: do not retry
    ├── VendorNotFound        the thing named is not there
    └── TrunkConflict         another trunk already owns one of the numbers
"""


class TelephonyError(Exception):
    """Base of every error raised by `telephony`."""

    retryable: bool = False
    """Whether the same request may succeed when sent again unchanged."""


class InvalidNumber(TelephonyError):
    """The text is not a possible E.164 number."""


class InvalidWebhook(TelephonyError):
    """A room event's signature, hash or body is wrong; nothing in it may be used."""


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
