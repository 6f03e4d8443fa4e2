"""The gateway's endpoints against bare routes, and against themselves with more to look through."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import psycopg
from redis.asyncio import Redis

from bench.agent import DRAFT
from bench.http_load import BLOCKS, Load, Target, compare_endpoints
from stack.api_client import api_client
from stack.ports import free_port
from stack.supervisor import Stack
from stack.tenant import Tenant, create_tenant, top_up

_START_TIMEOUT_S = 20.0
_WARM_UP = 500
_CREDITS = 1_000_000_000
_NO_RATE_LIMIT: Final = 1_000_000
"""A minute: the limiter works, and refuses nothing."""
FEW, MANY = 100, 100_000
"""Numbers of a project, for what must take as long with many as with few."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A tenant whose endpoints are measured."""

    tenant: Tenant
    agent_id: str

    @property
    def headers(self) -> dict[str, str]:
        """What each request carries."""
        return {"x-api-key": self.tenant.api_key}


async def new_subject(stack: Stack) -> Subject:
    """Create a tenant with credit, an agent and no limit in the way."""
    async with api_client(stack.gateway_url, stack.admin_key) as admin:
        tenant = await create_tenant(admin, "Endpoints", "Endpoints")
        await top_up(admin, tenant, _CREDITS)
        limits = dict.fromkeys(("agntix", "talkifai", "voxai"), _NO_RATE_LIMIT)
        at = f"/admin/v1/organizations/{tenant.organization_id}"
        await admin.send("PUT", f"{at}/limits", json={"limits": limits})
    async with api_client(stack.gateway_url, tenant.api_key) as client:
        agent = await client.post("/v1/agents", DRAFT)
    return Subject(tenant, agent["id"])


async def measure_sessions(
    stack: Stack, subject: Subject, bare_url: str, requests: int, clients: int
) -> tuple[Load, Load]:
    """Return the load of opening voice sessions, (ours, the bare LiveKit calls)."""
    body = {"agentId": subject.agent_id}
    ours = Target("POST", f"{stack.gateway_url}/v1/voice/sessions", subject.headers, body)
    bare = Target("POST", f"{bare_url}/sessions", body=body)
    return await compare_endpoints(ours, bare, requests, clients)


async def measure_agents(
    stack: Stack, subject: Subject, bare_url: str, requests: int, clients: int
) -> tuple[Load, Load]:
    """Return the load of an authenticated list of agents, (ours, a bare route that reads a row)."""
    ours = Target("GET", f"{stack.gateway_url}/api/v1/agents", subject.headers)
    return await compare_endpoints(ours, Target("GET", f"{bare_url}/row"), requests, clients)


async def projects_with_numbers(stack: Stack) -> tuple[Subject, Subject]:
    """Return two tenants, (one with many numbers, one with few).

    Dispatch is stopped by the caller first: it would put the numbers on trunks.
    """
    crowded, lone = await new_subject(stack), await new_subject(stack)
    await _add_numbers(stack, crowded, "+8830", MANY)
    await _add_numbers(stack, lone, "+8835", FEW)
    return crowded, lone


async def measure_number_lists(
    stack: Stack, crowded: Subject, lone: Subject, requests: int, clients: int
) -> tuple[Load, Load]:
    """Return the load of listing numbers, (of a project with many, of one with few)."""
    url = f"{stack.gateway_url}/v1/chat/phone-numbers"
    return await compare_endpoints(
        Target("GET", url, crowded.headers), Target("GET", url, lone.headers), requests, clients
    )


async def measure_route_lookups(stack: Stack, requests: int) -> tuple[Load, Load]:
    """Return the load of looking routes up, (among many, among few), as admission does."""
    among_few, among_many = Load(), Load()
    async with Redis.from_url(stack.redis_url) as redis:
        for _ in range(_WARM_UP):
            await redis.ping()
        # Few first: to come back to few, Redis would have to throw the many away meanwhile.
        for load, routes in ((among_few, FEW), (among_many, MANY)):
            async with redis.pipeline(transaction=False) as pipe:
                for number in range(routes):
                    pipe.set(f"dp:route:+8836{number:08}", "{}")
                await pipe.execute()
            for _ in range(BLOCKS):
                load.latencies_s.append([])
                for number in range(requests // BLOCKS):
                    began_s = asyncio.get_running_loop().time()
                    await redis.get(f"dp:route:+8836{number % FEW:08}")
                    load.latencies_s[-1].append(asyncio.get_running_loop().time() - began_s)
    return among_many, among_few


async def _add_numbers(stack: Stack, subject: Subject, prefix: str, count: int) -> None:
    # By SQL: through the API it would take an hour, and reading them is what is measured.
    async with await psycopg.AsyncConnection.connect(
        stack.database_url.replace("+psycopg", ""), autocommit=True
    ) as connection:
        await connection.execute(
            """
            WITH carrier AS (
                INSERT INTO carrier_connections
                    (id, organization_id, project_id, name, provider, allowed_addresses)
                SELECT gen_random_uuid(), p.organization_id, p.id, 'Bench', 'bench',
                       '{192.0.2.0/24}'
                FROM projects p WHERE p.id = %(project)s
                RETURNING id, organization_id, project_id
            )
            INSERT INTO phone_numbers (id, organization_id, project_id, connection_id, did)
            SELECT gen_random_uuid(), organization_id, project_id, id,
                   %(prefix)s || lpad(n::text, 8, '0')
            FROM carrier, generate_series(1, %(count)s) n
            """,
            {"project": subject.tenant.project_id, "prefix": prefix, "count": count},
        )
        await connection.execute("VACUUM ANALYZE phone_numbers")


@asynccontextmanager
async def bare_gateway(stack: Stack) -> AsyncIterator[str]:
    """Run the bare routes beside the stack; yields their address."""
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
