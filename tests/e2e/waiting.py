"""Waiting for what the stack will show, and reading it."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, Final, TypeVar

from stack.errors import ApiRefused

Found = TypeVar("Found")

PATIENCE_S: Final = 180.0
"""For what comes in a second or in half a minute, on a machine a tenth as fast."""
_POLL_S = 0.1
_UNAVAILABLE = 503


async def until(
    find: Callable[[], Awaitable[Found | None]], *, timeout_s: float = PATIENCE_S
) -> Found:
    """Return the first thing found; fail when nothing is in time.

    While the API says that it cannot answer now, nothing is found: Postgres may be away, or take
    its time on a busy machine.
    """

    async def look() -> Found | None:
        try:
            return await find()
        except ApiRefused as exc:
            if exc.status != _UNAVAILABLE:
                raise
            return None

    async with asyncio.timeout(timeout_s):
        while (found := await look()) is None:
            await asyncio.sleep(_POLL_S)
    return found


def moment(call: dict[str, Any], field: str) -> datetime:
    """Return a time of a call record."""
    return datetime.fromisoformat(call[field])


def said(call: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the transcript as (speaker, text)."""
    return [(turn["speaker"], turn["text"]) for turn in call["transcript"]]


def event_types(call: dict[str, Any]) -> list[str]:
    """Return the types of a call's events, in order."""
    return [event["type"] for event in call["events"]]


def ledger_sum(call: dict[str, Any]) -> int:
    """Return what the call's movements of money add up to."""
    return sum(entry["amountMicrocredits"] for entry in call["ledger"])
