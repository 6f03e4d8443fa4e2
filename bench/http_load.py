"""Load on two HTTP endpoints, block by block, so that a drift of the machine hits both alike."""

import asyncio
import time
from dataclasses import dataclass, field

import aiohttp

_WARM_UP = 20
"""Requests before anything counts, at least one of each client: they open connections."""
BLOCKS = 12
"""Blocks of either side, in the order A B B A."""

_KEPT_S = 3
"""How long a connection is kept while the other side has its turn: uvicorn closes one that was idle
for 5 s, maybe in the moment in which it is used again."""


@dataclass(frozen=True, slots=True)
class Target:
    """One of the endpoints compared."""

    method: str
    url: str
    headers: dict[str, str] = field(default_factory=dict)
    body: dict[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Load:
    """What one side did."""

    latencies_s: list[list[float]] = field(default_factory=list)
    """Of each request, block by block."""
    rates: list[float] = field(default_factory=list)
    """Requests a second, of each block."""


async def compare_endpoints(
    ours: Target, bare: Target, requests: int, clients: int
) -> tuple[Load, Load]:
    """Send so many requests to either side, from so many clients at once.

    Only one side is loaded at a time, so that its load never counts against the other.

    Raises:
        aiohttp.ClientResponseError: A request was answered with an error.
    """
    loads = Load(), Load()
    connector = aiohttp.TCPConnector(limit=clients, keepalive_timeout=_KEPT_S)
    async with aiohttp.ClientSession(connector=connector) as http:
        for target in (ours, bare):
            await _block(http, target, Load(), _WARM_UP // clients + 1, clients)
        for turn in range(BLOCKS):
            pair = list(zip((ours, bare), loads, strict=True))
            for target, load in pair if turn % 2 == 0 else reversed(pair):
                await _block(http, target, load, requests // BLOCKS // clients, clients)
    return loads


async def _block(
    http: aiohttp.ClientSession, target: Target, load: Load, each: int, clients: int
) -> None:
    latencies_s: list[float] = []

    async def client() -> None:
        latencies_s.extend([await _send(http, target) for _ in range(each)])

    began_s = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(clients)))
    load.latencies_s.append(latencies_s)
    load.rates.append(each * clients / (time.perf_counter() - began_s))


async def _send(http: aiohttp.ClientSession, target: Target) -> float:
    began_s = time.perf_counter()
    async with http.request(
        target.method, target.url, json=target.body, headers=target.headers
    ) as response:
        await response.read()
        response.raise_for_status()
    return time.perf_counter() - began_s
