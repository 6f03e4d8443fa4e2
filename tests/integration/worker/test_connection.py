"""What a worker knows of its connection to a real livekit-server."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.servers.livekit_server import LiveKitServer, running_livekit
from tests.waiting import until
from worker.server import CallServer
from worker.settings import WorkerSettings

pytestmark = pytest.mark.integration


@pytest.fixture
def livekit(tmp_path: Path) -> Iterator[LiveKitServer]:
    """A livekit-server of the test's own, for it is restarted."""
    with running_livekit(tmp_path) as server:
        yield server


@asynccontextmanager
async def running_worker(livekit: LiveKitServer) -> AsyncIterator[CallServer]:
    settings = WorkerSettings(worker_executor="thread", worker_idle_jobs=0, worker_health_port=0)
    worker = CallServer(settings, livekit.settings, "dialplane")
    serving = asyncio.create_task(worker.server.run())
    try:
        yield worker
    finally:
        await worker.server.aclose()
        await asyncio.gather(serving, return_exceptions=True)


async def test_counts_on_no_calls_from_a_livekit_that_is_away_until_it_is_back(
    livekit: LiveKitServer,
) -> None:
    async with running_worker(livekit) as worker:
        await until(lambda: worker.is_connected)
        await asyncio.to_thread(livekit.stop)
        await until(lambda: not worker.is_connected)
        await asyncio.to_thread(livekit.start)
        await until(lambda: worker.is_connected)
