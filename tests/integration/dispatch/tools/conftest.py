"""A server of tools on this machine, and runners that may or may not reach it."""

from collections.abc import AsyncIterator

import pytest

from dispatch.tools.addresses import AllowedHosts
from dispatch.tools.runner import HttpToolRunner
from tests.servers.tool_server import ToolServer, json_reply, running_tool_server


@pytest.fixture
async def server() -> AsyncIterator[ToolServer]:
    async with running_tool_server(lambda _request: json_reply({"status": "sent"})) as server:
        yield server


@pytest.fixture
async def runner() -> AsyncIterator[HttpToolRunner]:
    """A runner whose operator allows 127.0.0.1."""
    runner = HttpToolRunner(AllowedHosts(["127.0.0.1"]))
    yield runner
    await runner.aclose()


@pytest.fixture
async def strict() -> AsyncIterator[HttpToolRunner]:
    """A runner that may reach public hosts only."""
    runner = HttpToolRunner(AllowedHosts())
    yield runner
    await runner.aclose()
