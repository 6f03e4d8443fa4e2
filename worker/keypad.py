"""Keys pressed towards the caller, one after the other."""

import asyncio
from typing import Final

from livekit import rtc
from livekit.rtc.participant import PublishDTMFError

from telephony.dtmf import DtmfPacing, event_code, plan_dtmf
from telephony.errors import VendorUnavailable

_PACING: Final = DtmfPacing(tone_ms=250, gap_ms=250)
"""As livekit-sip sends them, whatever it is asked; faster ones would wait in it, and pauses with
them. Source: livekit/media-sdk dtmf/dtmf.go."""


async def press(participant: rtc.LocalParticipant, keys: str) -> None:
    """Press keys towards every telephone in the room; returns after the last.

    Args:
        participant: Who presses.
        keys: As `telephony.dtmf.check_keys` returns them.

    Raises:
        VendorUnavailable: LiveKit did not send them all.
    """
    for step in plan_dtmf(keys, _PACING):
        if step.digit is not None:
            try:
                await participant.publish_dtmf(code=event_code(step.digit), digit=step.digit)
            except PublishDTMFError as exc:
                raise VendorUnavailable("livekit", "publish_dtmf", "not sent") from exc
        await asyncio.sleep((step.tone_ms + step.gap_ms) / 1000)
