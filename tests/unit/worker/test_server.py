"""What the worker tells LiveKit when it is offered a call."""

from typing import Any

import pytest
from pydantic import SecretStr

from telephony.settings import LiveKitSettings
from worker.server import CallServer
from worker.settings import WorkerSettings

pytestmark = pytest.mark.unit


class Offer:
    """A call that LiveKit offers."""

    def __init__(self, server: CallServer, offer_id: str) -> None:
        self.id = offer_id
        self.answers: list[Any] = []
        self.load_while_starting = 0.0
        self._server = server

    async def accept(self) -> None:
        self.load_while_starting = self._server.load()
        self.answers.append("accepted")

    async def reject(self, *, terminate: bool) -> None:
        self.answers.append(("rejected", terminate))


class Server(CallServer):
    """A server whose calls the test decides on."""

    calls = 0

    def count_calls(self) -> int:
        return self.calls + len(self._starting)


@pytest.fixture
async def server() -> Server:
    livekit = LiveKitSettings(
        livekit_url="ws://127.0.0.1:1", livekit_api_key="key", livekit_api_secret=SecretStr("s")
    )
    return Server(WorkerSettings(worker_max_calls=2), livekit, "dialplane")


async def test_takes_a_call_while_a_slot_is_free_and_counts_it_while_it_starts(server: Server):
    offer: Any = Offer(server, "a")

    await server.on_request(offer)

    assert offer.answers == ["accepted"]
    assert offer.load_while_starting == 0.5
    assert server.load() == 0


async def test_a_full_worker_lets_another_one_be_asked(server: Server):
    server.calls = 2
    offer: Any = Offer(server, "a")

    await server.on_request(offer)

    assert offer.answers == [("rejected", False)]


async def test_is_idle_before_it_runs():
    livekit = LiveKitSettings(
        livekit_url="ws://127.0.0.1:1", livekit_api_key="key", livekit_api_secret=SecretStr("s")
    )

    assert CallServer(WorkerSettings(), livekit, "dialplane").load() == 0
