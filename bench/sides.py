"""The two sides: Dialplane's worker as it is, and the minimal worker on the same servers."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from livekit import api

from bench.agent import DRAFT, MINIMAL_NAME, MINIMAL_NUMBER, OURS_NUMBER
from stack.api_client import api_client
from stack.supervisor import Stack
from stack.tenant import assign, create_tenant, ensure_number, top_up

_REGISTER_TIMEOUT_S = 30.0
_POLL_S = 0.1
_MANY_CREDITS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two workers compared: its number, and the process at the root of its tree."""

    name: str
    number: str
    pid: int


@asynccontextmanager
async def both_sides(stack: Stack) -> AsyncIterator[tuple[Side, Side]]:
    """Give each side a number and yield (ours, minimal) while both workers run."""
    await _assign_our_number(stack)
    await _route_minimal_number(stack)
    log = await asyncio.to_thread(_open_log, stack.logs / "minimal-worker.log")
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "bench.minimal_worker",
        env={**os.environ, **stack.environment},
        stdout=log,
        stderr=log,
    )
    os.close(log)
    try:
        await _registered(stack.logs / "minimal-worker.log")
        worker_pid = stack.pid("worker")
        if worker_pid is None:
            raise RuntimeError("the worker is not running")
        yield (
            Side("dialplane", OURS_NUMBER, worker_pid),
            Side("minimal", MINIMAL_NUMBER, process.pid),
        )
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _assign_our_number(stack: Stack) -> None:
    async with api_client(stack.gateway_url, stack.admin_key) as admin:
        tenant = await create_tenant(admin, "Benchmark", "Benchmark")
        await top_up(admin, tenant, _MANY_CREDITS)
    async with api_client(stack.gateway_url, tenant.api_key) as client:
        agent = await client.post("/v1/agents", DRAFT)
        number = await ensure_number(client, OURS_NUMBER)
        await assign(client, number["id"], agent["id"])
        async with asyncio.timeout(_REGISTER_TIMEOUT_S):
            while number["status"] != "active":
                await asyncio.sleep(_POLL_S)
                number = await client.get(f"/v1/chat/phone-numbers/{number['id']}")


async def _route_minimal_number(stack: Stack) -> None:
    """Make a trunk and a rule by hand, as the minimal worker's owner would."""
    livekit = api.LiveKitAPI(stack.livekit_url, stack.livekit_api_key, stack.livekit_api_secret)
    try:
        trunk = await livekit.sip.create_inbound_trunk(
            api.CreateSIPInboundTrunkRequest(
                trunk=api.SIPInboundTrunkInfo(name=MINIMAL_NAME, numbers=[MINIMAL_NUMBER])
            )
        )
        rule = api.SIPDispatchRuleInfo(
            name=MINIMAL_NAME,
            trunk_ids=[trunk.sip_trunk_id],
            rule=api.SIPDispatchRule(
                dispatch_rule_callee=api.SIPDispatchRuleCallee(room_prefix="bench", randomize=True)
            ),
            room_config=api.RoomConfiguration(
                agents=[api.RoomAgentDispatch(agent_name=MINIMAL_NAME)], departure_timeout=5
            ),
        )
        await livekit.sip.create_dispatch_rule(api.CreateSIPDispatchRuleRequest(dispatch_rule=rule))
    finally:
        await livekit.aclose()


def _open_log(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)


async def _registered(log: Path) -> None:
    """Wait until the minimal worker says in its log that it is registered."""
    async with asyncio.timeout(_REGISTER_TIMEOUT_S):
        # Another process writes the file; there is no event to wait for.
        while "registered worker" not in await asyncio.to_thread(log.read_text):  # noqa: ASYNC110
            await asyncio.sleep(_POLL_S)
