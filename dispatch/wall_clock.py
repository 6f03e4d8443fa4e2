"""The clock by which opening hours are judged; tests and rehearsals may set it."""

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

logger = logging.getLogger(__name__)

WallClock = Callable[[], datetime]
"""Returns the present, aware."""


def wall_clock(file: Path | None) -> WallClock:
    """Return the machine's clock, or one that stands where a file says.

    A clock that was set must not go unnoticed: each look at it is logged as a warning, and the
    record of each call names the time that was read. Only whoever may write the file can set it.

    Args:
        file: Holds a time with its zone (RFC 3339). While there is none, and with None, the
            machine's clock counts.
    """
    return _now if file is None else lambda: _set_by(file)


def _now() -> datetime:
    return datetime.now(UTC)


def _set_by(file: Path) -> datetime:
    try:
        at = datetime.fromisoformat(file.read_text("utf-8").strip())
    except FileNotFoundError:
        return _now()
    except (OSError, ValueError):
        logger.warning("clock file holds no time, the machine's clock counts")
        return _now()
    if at.tzinfo is None:
        logger.warning("clock file's time has no zone, the machine's clock counts")
        return _now()
    logger.warning("opening hours are judged by a clock that was set", extra={"at": at.isoformat()})
    return at
