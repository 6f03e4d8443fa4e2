"""Whatever the LiveKit SDK raises becomes one of our errors; only safe requests are repeated."""

import asyncio
from datetime import timedelta
from typing import Self

import aiohttp
import pytest
from google.protobuf.message import DecodeError
from livekit import api
from pydantic import SecretStr, ValidationError

from telephony.adapters.livekit_client import LiveKitClient, translated_errors
from telephony.errors import (
    TrunkConflict,
    VendorError,
    VendorNotFound,
    VendorRejected,
    VendorUnavailable,
)
from telephony.settings import LiveKitSettings

pytestmark = pytest.mark.unit

SETTINGS = LiveKitSettings(
    livekit_url="ws://127.0.0.1:1",
    livekit_api_key="key",
    livekit_api_secret=SecretStr("a-secret-that-is-at-least-32-bytes-long"),
)


def server_error(code: str, status: int, message: str = "words") -> api.ServerError:
    return api.ServerError(code, message, status=status)


@pytest.mark.parametrize(
    ("raised", "ours"),
    [
        (server_error("not_found", 404), VendorNotFound),
        (server_error("unavailable", 503), VendorUnavailable),
        (server_error("deadline_exceeded", 408), VendorUnavailable),
        (server_error("resource_exhausted", 429), VendorUnavailable),
        (server_error("internal", 500), VendorUnavailable),
        (server_error("unknown", 502, ""), VendorUnavailable),
        (server_error("unauthenticated", 401), VendorRejected),
        (server_error("invalid_argument", 400), VendorRejected),
        (
            server_error("invalid_argument", 400, 'Conflicting inbound SIP Trunks: "<new>" and …'),
            TrunkConflict,
        ),
        (
            server_error(
                "invalid_argument", 400, "Dispatch rule for the same trunk, inbound number, …"
            ),
            TrunkConflict,
        ),
        (TimeoutError(), VendorUnavailable),
        (aiohttp.ServerTimeoutError(), VendorUnavailable),
        (aiohttp.ServerDisconnectedError(), VendorUnavailable),
        (aiohttp.InvalidURL("x"), VendorRejected),
        (DecodeError("not protobuf"), VendorRejected),
    ],
    ids=repr,
)
def test_translates_the_most_specific_first(raised: Exception, ours: type[VendorError]) -> None:
    with pytest.raises(VendorError) as caught, translated_errors("create_room"):
        raise raised

    assert type(caught.value) is ours
    assert (caught.value.vendor, caught.value.operation) == ("livekit", "create_room")
    assert caught.value.reason
    assert caught.value.__cause__ is raised


def test_lets_our_own_mistakes_through() -> None:
    with pytest.raises(KeyError), translated_errors("create_room"):
        raise KeyError


class FlakyLiveKit:
    """Is unreachable for a number of requests."""

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.requests = 0

    async def send(self, _: api.LiveKitAPI) -> str:
        self.requests += 1
        if self.requests <= self.failures:
            raise aiohttp.ServerDisconnectedError
        return "done"


async def test_repeats_what_may_be_repeated() -> None:
    flaky = FlakyLiveKit(failures=2)

    async with LiveKitClient(SETTINGS) as client:
        assert await client.repeatable("list_rooms", flaky.send) == "done"

    assert flaky.requests == 3


async def test_gives_up_after_three_attempts() -> None:
    flaky = FlakyLiveKit(failures=9)

    async with LiveKitClient(SETTINGS) as client:
        with pytest.raises(VendorUnavailable):
            await client.repeatable("list_rooms", flaky.send)

    assert flaky.requests == 3


async def test_never_repeats_a_create() -> None:
    flaky = FlakyLiveKit(failures=1)

    async with LiveKitClient(SETTINGS) as client:
        with pytest.raises(VendorUnavailable):
            await client.once("create_inbound_trunk", flaky.send)

    assert flaky.requests == 1


class SilentServer:
    """Takes connections and never says a word."""

    async def __aenter__(self) -> Self:
        self.connections = 0
        self.over = asyncio.Event()
        self.server = await asyncio.start_server(self._take, "127.0.0.1", 0)
        self.url = f"ws://127.0.0.1:{self.server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self.over.set()
        self.server.close()

    async def _take(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        await self.over.wait()
        writer.close()


async def test_waits_no_longer_for_an_answer_than_it_is_told_and_asks_no_second_time() -> None:
    async with SilentServer() as server:
        limits = {"livekit_url": server.url, "livekit_timeout": timedelta(milliseconds=50)}
        async with LiveKitClient(SETTINGS.model_copy(update=limits)) as client:
            with pytest.raises(VendorUnavailable, match="no answer in time"):
                await client.repeatable(
                    "list_rooms", lambda livekit: livekit.room.list_rooms(api.ListRoomsRequest())
                )
    assert server.connections <= 1


async def test_waits_for_a_telephone_as_long_as_it_rings() -> None:
    async def lifted_late(_: api.LiveKitAPI) -> str:
        await asyncio.sleep(0.05)
        return "lifted"

    settings = SETTINGS.model_copy(update={"livekit_timeout": timedelta(milliseconds=1)})
    async with LiveKitClient(settings) as client:
        assert await client.once("dial", lifted_late, rings=True) == "lifted"


async def test_is_used_open_or_not_at_all() -> None:
    client = LiveKitClient(SETTINGS)

    with pytest.raises(RuntimeError, match="async with"):
        await client.once("list_rooms", FlakyLiveKit(failures=0).send)


async def test_signs_once_for_the_rooms_of_some_minutes(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = 1_000.0
    monkeypatch.setattr("telephony.adapters.livekit_client.time.monotonic", lambda: now_s)
    client = LiveKitClient(SETTINGS)
    with pytest.raises(RuntimeError, match="async with"):
        _ = client.room_maker

    async with client:
        first = client.room_maker
        now_s += 299
        assert client.room_maker is first
        now_s += 2
        assert client.room_maker is not first


@pytest.mark.parametrize("url", ["", "127.0.0.1:7880", "ftp://livekit"])
def test_refuses_an_address_that_is_none(url: str) -> None:
    with pytest.raises(ValidationError):
        LiveKitSettings(
            livekit_url=url, livekit_api_key="key", livekit_api_secret=SecretStr("secret")
        )
