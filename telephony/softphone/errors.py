"""What can go wrong on a phone.

SoftphoneError
├── CallFailed                 the call never came to be
│   ├── CallRejected           the far end answered with a failure status
│   ├── CallNotAnswered        it rang too long, or nothing answered at all
│   ├── CallCancelled          the caller gave up
│   └── NoCommonCodec          the far end speaks no G.711, or its SDP is unusable
├── RequestFailed              a request inside a call was refused or not answered
├── CallIsOver                 the call ended before or while this was done
├── DtmfNotSupported           the far end takes no telephone-events
├── NothingHeard               the expected audio, quiet or digits did not come in time
└── InvalidSDP                 a session description that cannot be read
"""


class SoftphoneError(Exception):
    """Base of everything the softphone raises."""


class CallFailed(SoftphoneError):
    """The call was not established."""


class CallRejected(CallFailed):
    """The far end answered the INVITE with a failure status.

    Attributes:
        status: SIP status code, 300 to 699.
        reason: Reason phrase as received.
        retry_after: Seconds from the `Retry-After` header, if there was one.
    """

    def __init__(self, status: int, reason: str, retry_after: int | None = None) -> None:
        """Keep what the response said."""
        super().__init__(f"the call was rejected: {status} {reason}")
        self.status = status
        self.reason = reason
        self.retry_after = retry_after


class CallNotAnswered(CallFailed):
    """The far end did not answer in time.

    Attributes:
        last_status: Last provisional status heard, such as 180; None when there was no reply.
    """

    def __init__(self, last_status: int | None) -> None:
        """Keep the last sign of life."""
        seen = "no reply at all" if last_status is None else f"last status {last_status}"
        super().__init__(f"the call was not answered ({seen})")
        self.last_status = last_status


class CallCancelled(CallFailed):
    """The caller cancelled the call while it rang."""


class NoCommonCodec(CallFailed):
    """Both ends share no G.711 codec, or the far end offered no audio."""


class RequestFailed(SoftphoneError):
    """A request inside a call was refused or not answered.

    Attributes:
        method: Method of the request.
        status: Final status; 408 when nothing was answered.
    """

    def __init__(self, method: str, status: int) -> None:
        """Keep what was asked and what came back."""
        super().__init__(f"{method} failed with {status}")
        self.method = method
        self.status = status


class CallIsOver(SoftphoneError):
    """The call has ended."""


class DtmfNotSupported(SoftphoneError):
    """The far end negotiated no telephone-event payload type."""


class NothingHeard(SoftphoneError):
    """What was waited for did not arrive in time."""


class InvalidSDP(SoftphoneError):
    """The session description cannot be read."""
