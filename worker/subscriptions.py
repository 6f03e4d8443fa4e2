"""Knowing that telephone legs have asked for all the tracks that they are going to ask for.

A leg of livekit-sip asks for every track it hears of, by itself and in its own time, and nothing
says that it has. But it asks in the order in which it hears of them, and LiveKit takes what it asks
for in that order: once somebody has a track that was published later, all that was asked of earlier
ones has been taken.

Source: livekit/sip v1.8.0 pkg/sip/room.go, subscribeTo, called from the reader of the leg's signal
connection (server-sdk-go remoteparticipant.go, updateInfo); livekit-server v1.13.5
pkg/rtc/mediatrack.go, OnTrackSubscribed.
"""

import asyncio
import contextlib
from typing import Final

from livekit import rtc

PROBE_TRACK: Final = "probe"
"""Names the silent track that is published to find out."""

_RATE_HZ: Final = 48_000

_TAKING_BACK_TIMEOUT_S: Final = 5.0


async def everybody_asked(room: rtc.Room) -> None:
    """Return once somebody who listens has asked for all tracks that were there before.

    It takes as long as a first subscription, a tenth of a second; for ever when nobody listens, or
    when the room is left meanwhile.

    Args:
        room: A room that whoever asks is in, and that has told of those tracks.
    """
    participant = room.local_participant
    track = rtc.LocalAudioTrack.create_audio_track(PROBE_TRACK, rtc.AudioSource(_RATE_HZ, 1))
    # Not a microphone: whoever looks for the agent's voice must not find it.
    options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_UNKNOWN)
    publication = await participant.publish_track(track, options)
    try:
        await publication.wait_for_subscription()
    finally:
        await _take_back(room, publication)


async def _take_back(room: rtc.Room, publication: rtc.LocalTrackPublication) -> None:
    """Unpublish a track, unless its room was left: nobody answers then, and the SDK waits for it.

    A job that is cancelled waits for this, so it would never end, and neither would its process.

    Source: livekit 1.1.21 rtc/participant.py, unpublish_track, whose answer is passed on by the
    room's listening task.
    """
    if not room.isconnected():
        return
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_TAKING_BACK_TIMEOUT_S):
            await room.local_participant.unpublish_track(publication.sid)
