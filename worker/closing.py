"""The last step of a call: hang up and settle, exactly once, with Redis there or not."""

import asyncio
import logging
import uuid
from datetime import datetime
from typing import Final, Protocol

from dispatch.billing.pricing import NO_USAGE, PricedUsage
from dispatch.calls import CallEnd, Settlement
from dispatch.errors import StoreUnavailable
from telephony.errors import VendorError
from telephony.ports import RoomControl

logger = logging.getLogger(__name__)

_FIRST_PAUSE_S: Final = 0.1
_LONGEST_PAUSE_S: Final = 1.0


class CallEnds(Protocol):
    """The part of `LiveCalls` that ends calls."""

    async def end(
        self,
        call_id: uuid.UUID,
        call_end: CallEnd,
        at: datetime | None = None,
        answered_at: datetime | None = None,
        usage: PricedUsage = NO_USAGE,
    ) -> Settlement:
        """End the call and settle its bill, once."""
        ...


async def hang_up(rooms: RoomControl, room_name: str, room_sid: str = "") -> None:
    """Delete the room, which takes every leg in it down; an unanswered caller hears 486.

    With a sid, a room that was opened under the same name since stays as it is. A LiveKit that
    cannot be reached is logged and left to the reaper, which deletes rooms that hold no live call.
    """
    try:
        await rooms.delete_room(room_name, room_sid=room_sid)
    except VendorError as exc:
        logger.warning("room not deleted", extra={"operation": exc.operation})


async def settle(
    ends: CallEnds,
    call_id: uuid.UUID,
    call_end: CallEnd,
    at: datetime,
    timeout_s: float,
    answered_at: datetime | None = None,
    usage: PricedUsage = NO_USAGE,
) -> Settlement | None:
    """Put the end on record and settle the bill, repeating while Redis is away.

    Args:
        ends: Where the call is on record.
        call_id: The call.
        call_end: Who ended it, and why.
        at: When the line went down.
        timeout_s: How long to try.
        answered_at: When the call was answered, if it was: Redis may not have heard.
        usage: All that the call used.

    Returns:
        The bill; None when Redis stayed away, and the reaper will end the call at its last
        heartbeat.
    """
    pause_s = _FIRST_PAUSE_S
    try:
        async with asyncio.timeout(timeout_s):
            while True:
                try:
                    return await ends.end(call_id, call_end, at, answered_at, usage)
                except StoreUnavailable:
                    await asyncio.sleep(pause_s)
                    pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)
    except TimeoutError:
        logger.warning("call not settled, Redis stayed away")
        return None
