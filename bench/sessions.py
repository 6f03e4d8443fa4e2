"""Voice sessions over HTTP: ours against the bare route, block by block."""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp

from bench.agent import DRAFT
from stack.api_client import api_client
from stack.ports import free_port
from stack.supervisor import Stack
from stack.tenant import create_tenant, top_up

_START_TIMEOUT_S = 20.0
_WARM_UP = 20
_BLOCKS = 6
"""Blocks of either side, in the order A B B A: enough pairs that a drift hits both alike."""
_CREDITS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Target:
    """One of the endpoints compared."""

    url: str
    headers: dict[str, str]
    body: dict[str, str]


async def measure_sessions(
    stack: Stack, requests: int, clients: int
) -> tuple[list[float], list[float]]:
    """Return seconds of each request, (ours, bare).

    Workers are stopped by the caller first, so that no job competes for the processors.
    """
    async with api_client(stack.gateway_url, stack.admin_key) as admin:
        tenant = await create_tenant(admin, "Sessions", "Sessions")
        await top_up(admin, tenant, _CREDITS)
    async with api_client(stack.gateway_url, tenant.api_key) as client:
        agent = await client.post("/v1/agents", DRAFT)
    body = {"agentId": agent["id"]}
    ours = Target(f"{stack.gateway_url}/v1/voice/sessions", {"x-api-key": tenant.api_key}, body)
    async with _bare_gateway(stack) as base_url, aiohttp.ClientSession() as http:
        bare = Target(f"{base_url}/sessions", {}, body)
        for _ in range(_WARM_UP):
            await _open(http, ours)
            await _open(http, bare)
        mine: list[float] = []
        theirs: list[float] = []
        for turn in range(_BLOCKS):
            pair = [(ours, mine), (bare, theirs)]
            for target, seconds in pair if turn % 2 == 0 else reversed(pair):
                each = requests // _BLOCKS // clients
                blocks = (_block(http, target, each) for _ in range(clients))
                seconds += [s for block in await asyncio.gather(*blocks) for s in block]
    return mine, theirs


async def _block(http: aiohttp.ClientSession, target: Target, requests: int) -> list[float]:
    """Send requests to one side only, so that its load never counts against the other."""
    return [await _open(http, target) for _ in range(requests)]


async def _open(http: aiohttp.ClientSession, target: Target) -> float:
    began_s = time.perf_counter()
    async with http.post(target.url, json=target.body, headers=target.headers) as response:
        await response.read()
        response.raise_for_status()
    return time.perf_counter() - began_s


@asynccontextmanager
async def _bare_gateway(stack: Stack) -> AsyncIterator[str]:
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "bench.bare_gateway",
        env={**os.environ, **stack.environment, "BARE_PORT": str(port)},
    )
    try:
        await _listening(port)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        await process.wait()


async def _listening(port: int) -> None:
    async with asyncio.timeout(_START_TIMEOUT_S):
        while True:
            try:
                _reader, writer = await asyncio.open_connection("127.0.0.1", port)
            except ConnectionRefusedError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                return
