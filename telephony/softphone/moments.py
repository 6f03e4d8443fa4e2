"""When the things of a call happened."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta


@dataclass(frozen=True, slots=True)
class Moment:
    """One moment on two clocks."""

    monotonic_s: float
    """For durations: seconds of `time.monotonic`, the clock of the event loop and of packets."""
    at: datetime
    """For people and for other machines' logs."""

    @classmethod
    def now(cls) -> "Moment":
        """Return this moment."""
        return cls(time.monotonic(), datetime.now(UTC))

    @classmethod
    def at_monotonic(cls, monotonic_s: float) -> "Moment":
        """Return the moment at which the monotonic clock showed this."""
        ago = timedelta(seconds=time.monotonic() - monotonic_s)
        return cls(monotonic_s, datetime.now(UTC) - ago)

    def seconds_since(self, earlier: "Moment") -> float:
        """Return the seconds from an earlier moment to this one."""
        return self.monotonic_s - earlier.monotonic_s


@dataclass(slots=True)
class CallTimings:
    """The milestones of one call; None for what has not happened."""

    invited_at: Moment
    """The first INVITE was sent or received."""
    ringing_at: Moment | None = None
    """The first 180 or 183 was sent or received."""
    answered_at: Moment | None = None
    """The 200 OK was sent or received."""
    ended_at: Moment | None = None
    """BYE was sent or received."""
