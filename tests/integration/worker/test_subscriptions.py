"""What telephone legs ask for, on a real livekit-server."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from livekit import rtc

from telephony.adapters.livekit_client import LiveKitClient
from telephony.adapters.livekit_rooms import LiveKitRooms
from telephony.ports import RoomSpec, TokenSpec
from tests.servers.livekit_server import LiveKitServer, running_livekit
from worker.subscriptions import PROBE_TRACK, everybody_asked

pytestmark = pytest.mark.integration

ROOM = "call_probed"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LiveKitServer]:
    """A LiveKit in which nobody is."""
    with running_livekit(tmp_path) as server:
        yield server


@asynccontextmanager
async def joined(server: LiveKitServer, identity: str) -> AsyncIterator[rtc.Room]:
    """Join the room as somebody who asks for each track by itself, as a telephone leg does."""
    async with LiveKitClient(server.settings) as client:
        rooms = LiveKitRooms(client)
        await rooms.create_room(RoomSpec(ROOM, worker_name=None))
        token = rooms.mint_token(TokenSpec(identity, ROOM, timedelta(minutes=5)))
    room = rtc.Room()
    options = rtc.RoomOptions(auto_subscribe=False)
    await room.connect(server.settings.livekit_url, token, options)
    try:
        yield room
    finally:
        await room.disconnect()


async def publish_voice(speaker: rtc.Room) -> None:
    source = rtc.AudioSource(48_000, 1)
    voice = rtc.LocalAudioTrack.create_audio_track("voice", source)
    await speaker.local_participant.publish_track(voice)


def published_tracks(room: rtc.Room) -> asyncio.Queue[rtc.RemoteTrackPublication]:
    """What others publish, in the order in which this one is told."""
    told: asyncio.Queue[rtc.RemoteTrackPublication] = asyncio.Queue()
    room.on("track_published", lambda publication, _: told.put_nowait(publication))
    return told


async def test_a_leg_that_takes_its_time_is_known_to_have_asked_only_once_it_has(
    server: LiveKitServer,
) -> None:
    async with (
        asyncio.timeout(60),
        joined(server, "leg") as leg,
        joined(server, "human") as human,
        joined(server, "agent") as agent,
    ):
        told, known = published_tracks(leg), published_tracks(agent)
        await publish_voice(human)
        # As in a call, what is probed for is a track that the agent was told of. Its publisher
        # believes that it is there some milliseconds before LiveKit tells anybody.
        await known.get()
        probing = asyncio.ensure_future(everybody_asked(agent))
        to_ask_for = [await told.get(), await told.get()]
        assert [one.name for one in to_ask_for] == ["voice", PROBE_TRACK]
        assert not probing.done()
        for publication in to_ask_for:
            publication.set_subscribed(True)
        await probing
        assert not agent.local_participant.track_publications


async def test_who_stops_asking_in_a_room_that_was_left_meanwhile_is_not_held_up(
    server: LiveKitServer,
) -> None:
    async with (
        asyncio.timeout(60),
        joined(server, "leg") as leg,
        joined(server, "agent") as agent,
    ):
        told = published_tracks(leg)
        probing = asyncio.ensure_future(everybody_asked(agent))
        await told.get()
        await agent.disconnect()
        probing.cancel()
        ended, _held_up = await asyncio.wait({probing}, timeout=5)
        assert ended
