"""What call control relies on when it changes who hears what in a LiveKit room."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from typing import Any, Protocol

import numpy as np
import pytest
from livekit import rtc

from telephony.adapters.livekit_client import LiveKitClient
from telephony.adapters.livekit_hearing import LiveKitHearing
from telephony.adapters.livekit_rooms import LiveKitRooms
from telephony.dtmf import event_code
from telephony.errors import VendorNotFound
from telephony.ports import HearingControl, RoomSpec, RoomTrack, TokenSpec
from tests.fakes.livekit_legs import FakeHearing
from tests.servers.livekit_server import LiveKitServer

QUIET_S = 0.3
"""Silence after which nothing is heard any more."""

HELD_BACK_S = 1.0
"""A hundred times as long as a key is on its way to LiveKit."""

_ROOMS = (f"call_heard_{number}" for number in count())


class Ears(Protocol):
    """A room with a speaker, whose track is known, and a listener who subscribes to all."""

    control: HearingControl
    room_name: str
    track_id: str

    async def wait_until(self, *, hears: bool) -> None:
        """Return once the listener hears the track, or does not."""
        ...

    async def press(self, digit: str) -> None:
        """Press a key as the speaker."""
        ...

    async def press_in_vain(self, digit: str) -> None:
        """Press a key that is held back, and return when it was."""
        ...

    async def next_key(self) -> str:
        """Return the next key that reaches the listener."""
        ...


@dataclass
class FakeEars:
    control: FakeHearing
    room_name: str
    track_id: str
    keys: asyncio.Queue[str]

    async def wait_until(self, *, hears: bool) -> None:
        assert (self.track_id in self.control.heard_by("listener")) is hears

    async def press(self, digit: str) -> None:
        if "speaker" not in self.control.keyless:
            self.keys.put_nowait(digit)

    async def press_in_vain(self, digit: str) -> None:
        await self.press(digit)

    async def next_key(self) -> str:
        return self.keys.get_nowait()


class RealEars:
    """Hears by the sound: a client is not told of what the server takes from it."""

    def __init__(self, client: LiveKitClient, speaker: rtc.Room, listener: rtc.Room) -> None:
        self.control = LiveKitHearing(client)
        self.room_name = listener.name
        self.track_id = ""
        self.tasks: set[asyncio.Task[None]] = set()
        self._sound_s = 0.0
        self._speaker = speaker.local_participant
        self._keys: asyncio.Queue[str] = asyncio.Queue()
        listener.on("sip_dtmf_received", lambda event: self._keys.put_nowait(event.digit))
        listener.on("track_subscribed", lambda track, *_: self.run(self._listen(track)))

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        self.tasks.add(asyncio.ensure_future(work))

    async def wait_until(self, *, hears: bool) -> None:
        async with asyncio.timeout(30):
            while (time.monotonic() - self._sound_s < QUIET_S) is not hears:
                await asyncio.sleep(0.02)

    async def press(self, digit: str) -> None:
        await self._speaker.publish_dtmf(code=event_code(digit), digit=digit)

    async def press_in_vain(self, digit: str) -> None:
        await self.press(digit)
        # Nothing tells that LiveKit has dropped it, and what it is told next goes another way.
        await asyncio.sleep(HELD_BACK_S)

    async def next_key(self) -> str:
        return await asyncio.wait_for(self._keys.get(), 30)

    async def say(self, source: rtc.AudioSource) -> None:
        samples = (8_000 * np.sin(np.arange(480) * 2 * np.pi / 48)).astype(np.int16)
        while True:
            await source.capture_frame(rtc.AudioFrame(samples.tobytes(), 48_000, 1, 480))

    async def _listen(self, track: rtc.Track) -> None:
        async for event in rtc.AudioStream.from_track(track=track, sample_rate=48_000):
            if np.abs(np.frombuffer(event.frame.data, np.int16)).max() > 1_000:
                self._sound_s = time.monotonic()


@pytest.fixture
async def ears(request: pytest.FixtureRequest, edge: str) -> AsyncIterator[Ears]:
    if edge == "fake":
        track = RoomTrack("TR_1", "speaker", "voice")
        control = FakeHearing([track], {("listener", "TR_1")}, present={"speaker", "listener"})
        yield FakeEars(control, "call_heard", "TR_1", asyncio.Queue())
        return
    server: LiveKitServer = request.getfixturevalue("livekit_server")
    async with LiveKitClient(server.settings) as client, room_of_two(server, client) as rooms:
        speaker, listener = rooms
        real = RealEars(client, speaker, listener)
        source = rtc.AudioSource(48_000, 1)
        track = rtc.LocalAudioTrack.create_audio_track("voice", source)
        published = await speaker.local_participant.publish_track(track)
        real.track_id = published.sid
        real.run(real.say(source))
        await real.wait_until(hears=True)
        yield real
        for task in real.tasks:
            task.cancel()


@asynccontextmanager
async def room_of_two(
    server: LiveKitServer, client: LiveKitClient
) -> AsyncIterator[tuple[rtc.Room, rtc.Room]]:
    control = LiveKitRooms(client)
    name = next(_ROOMS)
    await control.create_room(RoomSpec(name, worker_name=None))
    joined = [rtc.Room(), rtc.Room()]
    try:
        for room, identity in zip(joined, ("speaker", "listener"), strict=True):
            spec = TokenSpec(identity, name, timedelta(minutes=5), can_publish_data=True)
            token = control.mint_token(spec)
            await room.connect(server.settings.livekit_url, token)
        yield joined[0], joined[1]
    finally:
        for room in joined:
            await room.disconnect()
        await control.delete_room(name)


async def test_lists_the_tracks_of_a_room_and_none_of_an_unknown_one(ears: Ears, edge: str) -> None:
    assert list(await ears.control.list_tracks(ears.room_name)) == [
        RoomTrack(ears.track_id, "speaker", "voice")
    ]
    if edge == "real":
        assert list(await ears.control.list_tracks("call_unknown")) == []


async def test_takes_a_track_from_an_ear_and_gives_it_back(ears: Ears) -> None:
    await ears.control.set_heard(ears.room_name, "listener", [ears.track_id], heard=False)
    await ears.wait_until(hears=False)

    await ears.control.set_heard(ears.room_name, "listener", [ears.track_id], heard=True)
    await ears.wait_until(hears=True)


async def test_a_shut_ear_hears_nothing_and_opened_again_what_it_wanted(ears: Ears) -> None:
    await ears.control.set_ear(ears.room_name, "listener", is_open=False)
    await ears.wait_until(hears=False)

    await ears.control.set_ear(ears.room_name, "listener", is_open=True)
    await ears.wait_until(hears=True)


async def test_what_was_taken_from_a_shut_ear_is_not_heard_when_it_opens(ears: Ears) -> None:
    await ears.control.set_ear(ears.room_name, "listener", is_open=False)
    await ears.control.set_heard(ears.room_name, "listener", [ears.track_id], heard=False)
    await ears.control.set_ear(ears.room_name, "listener", is_open=True)
    await ears.wait_until(hears=False)

    await ears.control.set_heard(ears.room_name, "listener", [ears.track_id], heard=True)
    await ears.wait_until(hears=True)


async def test_a_shut_ear_stays_shut_whatever_it_is_given(ears: Ears) -> None:
    await ears.control.set_ear(ears.room_name, "listener", is_open=False)
    await ears.wait_until(hears=False)

    await ears.control.set_heard(ears.room_name, "listener", [ears.track_id], heard=True)
    await ears.wait_until(hears=False)


async def test_keys_that_are_held_back_reach_nobody_and_then_everybody_again(ears: Ears) -> None:
    await ears.press("1")
    assert await ears.next_key() == "1"

    await ears.control.set_keys(ears.room_name, "speaker", pass_on=False)
    await ears.press_in_vain("2")
    await ears.control.set_keys(ears.room_name, "speaker", pass_on=True)
    await ears.press("3")
    assert await ears.next_key() == "3"


async def test_shutting_an_ear_and_holding_keys_back_leave_each_other_alone(ears: Ears) -> None:
    await asyncio.gather(
        ears.control.set_keys(ears.room_name, "listener", pass_on=False),
        ears.control.set_ear(ears.room_name, "listener", is_open=False),
    )
    await ears.wait_until(hears=False)

    await ears.control.set_ear(ears.room_name, "listener", is_open=True)
    await ears.control.set_keys(ears.room_name, "listener", pass_on=True)
    await ears.wait_until(hears=True)


@pytest.mark.parametrize(
    "ask",
    [
        lambda ears: ears.control.set_heard(ears.room_name, "nobody", ["TR_1"], heard=True),
        lambda ears: ears.control.set_ear(ears.room_name, "nobody", is_open=False),
        lambda ears: ears.control.set_keys(ears.room_name, "nobody", pass_on=False),
    ],
    ids=["set_heard", "set_ear", "set_keys"],
)
async def test_says_that_a_participant_is_gone(ears: Ears, ask: Callable[..., object]) -> None:
    with pytest.raises(VendorNotFound):
        await ask(ears)  # type: ignore[misc]
