"""What the call path relies on in LiveKit's rooms."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import jwt
import pytest
from livekit import api
from pydantic import SecretStr

from stack.ports import free_port
from telephony.adapters.livekit_client import LiveKitClient
from telephony.adapters.livekit_rooms import LiveKitRooms
from telephony.errors import VendorNotFound, VendorRejected, VendorUnavailable
from telephony.ports import RoomControl, RoomSpec, TokenSpec
from telephony.settings import LiveKitSettings
from tests.fakes.livekit_rooms import API_KEY, API_SECRET, FakeRooms
from tests.servers.job_worker import agent_in_room, joined, registered_worker
from tests.servers.livekit_server import KEYS, LiveKitServer
from tests.waiting import until


@pytest.fixture
async def rooms(request: pytest.FixtureRequest, edge: str) -> AsyncIterator[RoomControl]:
    if edge == "fake":
        yield FakeRooms()
        return
    server: LiveKitServer = request.getfixturevalue("livekit_server")
    async with LiveKitClient(server.settings) as client:
        rooms = LiveKitRooms(client)
        for room in await rooms.list_rooms():
            await rooms.delete_room(room.name)
        yield rooms


@pytest.fixture
def no_job_is_late(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a job count as on its way for as long as the test may take."""
    monkeypatch.setattr("telephony.adapters.livekit_rooms._JOB_STARTS_S", 3_600.0)


async def ensured(rooms: RoomControl, room_name: str, worker_name: str) -> None:
    """Return when a job was dispatched, which is once the last one counts as lost."""
    async with asyncio.timeout(30):
        while not await rooms.ensure_job(room_name, worker_name):
            await asyncio.sleep(0.1)


async def told_whose_job_it_is(client: LiveKitClient, room_name: str, metadata: str) -> None:
    """Return when LiveKit lists who does the job of this metadata."""
    async with asyncio.timeout(30):
        while True:
            dispatches = await client.once(
                "test", lambda livekit: livekit.agent_dispatch.list_dispatch(room_name)
            )
            jobs = [
                job for made in dispatches if made.metadata == metadata for job in made.state.jobs
            ]
            if any(job.state.participant_identity for job in jobs):
                return
            await asyncio.sleep(0.1)


async def test_creating_a_room_twice_is_creating_it_once(rooms: RoomControl) -> None:
    first = await rooms.create_room(RoomSpec("vs_1", worker_name="dialplane"))
    second = await rooms.create_room(RoomSpec("vs_1", worker_name="dialplane"))

    assert first == second
    (room,) = await rooms.list_rooms()
    assert (room.name, room.room_sid, room.num_participants) == ("vs_1", first, 0)
    assert abs(datetime.now(UTC) - room.created_at) < timedelta(minutes=1)


async def test_lists_rooms_by_name(rooms: RoomControl) -> None:
    for name in ("vs_1", "vs_2", "vs_3"):
        await rooms.create_room(RoomSpec(name, worker_name=None))

    found = await rooms.list_rooms(["vs_1", "vs_3", "vs_9"])

    assert {room.name for room in found} == {"vs_1", "vs_3"}


async def test_deletes_a_room_and_deletes_it_again(rooms: RoomControl) -> None:
    await rooms.create_room(RoomSpec("vs_1", worker_name=None))

    await rooms.delete_room("vs_1")
    await rooms.delete_room("vs_1")

    assert await rooms.list_rooms() == []


async def test_deletes_a_room_by_its_sid(rooms: RoomControl) -> None:
    sid = await rooms.create_room(RoomSpec("vs_1", worker_name=None))

    await rooms.delete_room("vs_1", room_sid=sid)
    await rooms.delete_room("vs_1", room_sid=sid)

    assert await rooms.list_rooms() == []


async def test_leaves_a_room_that_was_opened_under_the_same_name_since(rooms: RoomControl) -> None:
    first = await rooms.create_room(RoomSpec("vs_1", worker_name=None))
    await rooms.delete_room("vs_1")
    second = await rooms.create_room(RoomSpec("vs_1", worker_name=None))

    await rooms.delete_room("vs_1", room_sid=first)

    assert [room.room_sid for room in await rooms.list_rooms()] == [second]


@pytest.mark.integration
@pytest.mark.parametrize("is_open", [False, True])
async def test_a_job_knows_the_sid_of_its_room(
    livekit_server: LiveKitServer, *, is_open: bool
) -> None:
    name, worker_name = f"vs_of_a_job_{is_open}", f"knowing_{is_open}"
    async with LiveKitClient(livekit_server.settings) as client:
        rooms = LiveKitRooms(client)
        async with registered_worker(livekit_server.settings, worker_name) as worker:
            sid = await rooms.create_room(RoomSpec(name, None if is_open else worker_name))
            if is_open:
                await rooms.dispatch_job(name, worker_name)
            await asyncio.wait_for(worker.took_a_job.wait(), 30)

            assert worker.room_sids == [sid]


@pytest.mark.integration
async def test_deletes_a_room_that_a_livekit_which_died_left_behind(
    livekit_server: LiveKitServer,
) -> None:
    async with LiveKitClient(livekit_server.settings) as client:
        rooms = LiveKitRooms(client)
        await rooms.create_room(RoomSpec("vs_left", worker_name=None))
        livekit_server.leave_room_to_the_dead("vs_left")

        await rooms.delete_room("vs_left")

        assert await rooms.list_rooms(["vs_left"]) == []


async def test_nobody_is_in_an_unknown_room(rooms: RoomControl) -> None:
    assert await rooms.list_participants("vs_unknown") == []


async def test_nobody_is_in_a_new_room(rooms: RoomControl) -> None:
    await rooms.create_room(RoomSpec("vs_1", worker_name=None))

    assert await rooms.list_participants("vs_1") == []


@pytest.mark.usefixtures("no_job_is_late")
async def test_dispatches_a_job_once_while_it_is_on_its_way(rooms: RoomControl) -> None:
    await rooms.create_room(RoomSpec("vs_1", worker_name=None))

    assert await rooms.ensure_job("vs_1", "dialplane")
    assert not await rooms.ensure_job("vs_1", "dialplane")


@pytest.mark.usefixtures("no_job_is_late")
async def test_a_room_made_with_its_job_needs_no_other(rooms: RoomControl) -> None:
    await rooms.create_room(RoomSpec("vs_1", worker_name="dialplane"))

    assert not await rooms.ensure_job("vs_1", "dialplane")


@pytest.mark.usefixtures("no_job_is_late")
async def test_a_job_on_its_way_stands_in_for_none_of_other_metadata(rooms: RoomControl) -> None:
    await rooms.create_room(RoomSpec("vs_1", worker_name="dialplane", job_metadata="1"))

    assert await rooms.ensure_job("vs_1", "dialplane", metadata="2")
    assert not await rooms.ensure_job("vs_1", "dialplane", metadata="2")
    assert not await rooms.ensure_job("vs_1", "dialplane", metadata="1")


async def test_dispatches_no_job_into_a_room_that_is_gone(rooms: RoomControl) -> None:
    with pytest.raises(VendorNotFound):
        await rooms.ensure_job("vs_1", "dialplane")

    assert await rooms.list_rooms() == []


def test_a_token_opens_one_room_for_one_identity(rooms: RoomControl, edge: str) -> None:
    token = rooms.mint_token(
        TokenSpec(
            "caller-1", "vs_1", timedelta(minutes=10), name="Alice", attributes={"kind": "web"}
        )
    )

    verifier = api.TokenVerifier(
        *((API_KEY, API_SECRET) if edge == "fake" else (KEYS.key, KEYS.secret))
    )
    claims = verifier.verify(token)
    assert (claims.identity, claims.name) == ("caller-1", "Alice")
    assert claims.attributes == {"kind": "web"}
    assert claims.video
    assert (claims.video.room_join, claims.video.room) == (True, "vs_1")
    assert (claims.video.can_publish, claims.video.can_subscribe) == (True, True)
    assert claims.video.can_publish_data is False
    assert not claims.video.room_admin


def test_a_token_allows_more_when_it_is_asked_for(rooms: RoomControl, edge: str) -> None:
    token = rooms.mint_token(
        TokenSpec(
            "operator",
            "vs_1",
            timedelta(minutes=10),
            can_update_own_metadata=True,
            hidden=True,
            room_admin=True,
        )
    )

    verifier = api.TokenVerifier(
        *((API_KEY, API_SECRET) if edge == "fake" else (KEYS.key, KEYS.secret))
    )
    granted = verifier.verify(token).video
    assert granted
    assert (granted.can_update_own_metadata, granted.hidden, granted.room_admin) == (True,) * 3


@pytest.mark.unit
@pytest.mark.parametrize("name", ["", "Alice"])
def test_a_token_says_what_one_of_the_sdk_says(name: str) -> None:
    settings = LiveKitSettings(
        livekit_url="ws://127.0.0.1:1",
        livekit_api_key=API_KEY,
        livekit_api_secret=SecretStr(API_SECRET),
    )
    spec = TokenSpec("caller-1", "vs_1", timedelta(hours=1), name=name, attributes={"kind": "web"})
    ours, theirs = (
        jwt.decode(rooms.mint_token(spec), API_SECRET, algorithms=["HS256"])
        for rooms in (LiveKitRooms(LiveKitClient(settings)), FakeRooms())
    )
    lives = [claims.pop("exp") - claims.pop("nbf") for claims in (ours, theirs)]
    assert ours == theirs
    # The SDK reads the clock twice, maybe in two seconds.
    assert lives[0] == 3_600
    assert lives[1] in {3_600, 3_601}


@pytest.mark.integration
async def test_creating_a_room_dispatches_the_agent(livekit_server: LiveKitServer) -> None:
    async with LiveKitClient(livekit_server.settings) as client:
        await LiveKitRooms(client).create_room(
            RoomSpec("vs_dispatched", worker_name="dialplane", job_metadata="for the job")
        )

        (dispatch,) = await client.once(
            "test", lambda lk: lk.agent_dispatch.list_dispatch("vs_dispatched")
        )

        assert (dispatch.agent_name, dispatch.metadata) == ("dialplane", "for the job")


@pytest.mark.integration
async def test_a_job_no_worker_took_is_dispatched_again_and_taken(
    livekit_server: LiveKitServer,
) -> None:
    async with LiveKitClient(livekit_server.settings) as client:
        rooms = LiveKitRooms(client)
        await rooms.create_room(RoomSpec("vs_dropped", worker_name="late"))
        async with registered_worker(livekit_server.settings, "late") as worker:
            await ensured(rooms, "vs_dropped", "late")

            await asyncio.wait_for(worker.took_a_job.wait(), 30)


@pytest.mark.integration
async def test_a_job_whose_worker_vanished_is_dispatched_again(
    livekit_server: LiveKitServer,
) -> None:
    async with LiveKitClient(livekit_server.settings) as client:
        rooms = LiveKitRooms(client)
        async with registered_worker(livekit_server.settings, "killed") as worker:
            await rooms.create_room(RoomSpec("vs_lost", worker_name="killed"))
            await asyncio.wait_for(worker.took_a_job.wait(), 30)
        async with registered_worker(livekit_server.settings, "killed") as successor:
            await ensured(rooms, "vs_lost", "killed")

            await asyncio.wait_for(successor.took_a_job.wait(), 30)


@pytest.mark.integration
async def test_a_job_is_dispatched_into_a_room_that_was_opened_without_one(
    livekit_server: LiveKitServer,
) -> None:
    async with LiveKitClient(livekit_server.settings) as client:
        rooms = LiveKitRooms(client)
        async with registered_worker(livekit_server.settings, "late") as worker:
            await rooms.create_room(RoomSpec("vs_joined_later", worker_name=None))
            await rooms.dispatch_job("vs_joined_later", "late")

            await asyncio.wait_for(worker.took_a_job.wait(), 30)


@pytest.mark.integration
async def test_an_agent_in_the_room_is_a_job_at_work(livekit_server: LiveKitServer) -> None:
    async with LiveKitClient(livekit_server.settings) as client:
        rooms = LiveKitRooms(client)
        await rooms.create_room(RoomSpec("vs_served", worker_name=None))
        async with agent_in_room(livekit_server.settings, "vs_served"):
            assert not await rooms.ensure_job("vs_served", "dialplane")


@pytest.mark.integration
async def test_one_of_several_jobs_is_dispatched_again_when_its_agent_is_not_in_the_room(
    livekit_server: LiveKitServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    # No job counts as on its way because it is new: all depends on who is in the room.
    monkeypatch.setattr("telephony.adapters.livekit_rooms._JOB_STARTS_S", 0.0)
    settings = livekit_server.settings
    async with LiveKitClient(settings) as client, registered_worker(settings, "seated") as worker:
        rooms = LiveKitRooms(client)
        await rooms.create_room(RoomSpec("vs_two", worker_name="seated", job_metadata="1"))
        await rooms.dispatch_job("vs_two", "seated", metadata="2")
        await until(lambda: set(worker.tokens) == {"1", "2"})
        async with joined(settings, worker.tokens["1"]):
            await told_whose_job_it_is(client, "vs_two", "1")

            assert not await rooms.ensure_job("vs_two", "seated", metadata="1")
            assert await rooms.ensure_job("vs_two", "seated", metadata="2")


@pytest.mark.integration
async def test_says_that_the_credentials_are_wrong(livekit_server: LiveKitServer) -> None:
    wrong = livekit_server.settings.model_copy(update={"livekit_api_key": "nobody"})

    async with LiveKitClient(wrong) as client:
        with pytest.raises(VendorRejected):
            await LiveKitRooms(client).list_rooms()


async def test_says_when_livekit_is_not_there(request: pytest.FixtureRequest, edge: str) -> None:
    if edge == "fake":
        with pytest.raises(VendorUnavailable):
            await FakeRooms(unreachable=True).list_rooms()
        return
    server: LiveKitServer = request.getfixturevalue("livekit_server")
    nowhere = {"livekit_url": f"ws://127.0.0.1:{free_port()}"}
    async with LiveKitClient(server.settings.model_copy(update=nowhere)) as client:
        with pytest.raises(VendorUnavailable):
            await LiveKitRooms(client).list_rooms()
