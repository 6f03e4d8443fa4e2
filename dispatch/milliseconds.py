"""Moments as Redis keeps them: whole milliseconds since 1970."""

from datetime import UTC, datetime


def moment_of(milliseconds: int | str) -> datetime:
    """Return the moment, aware; Redis also answers numbers as text."""
    return datetime.fromtimestamp(int(milliseconds) / 1000, UTC)


def milliseconds_of(moment: datetime) -> int:
    """Return the nearest millisecond; the moment is aware."""
    return round(moment.timestamp() * 1000)
