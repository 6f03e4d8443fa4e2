"""Run the benchmark: `python -m bench [--quick | --endpoints]`."""

import argparse
import asyncio
import os
import shutil
import sys
from pathlib import Path

from bench.endpoints import (
    FEW,
    MANY,
    bare_gateway,
    measure_agents,
    measure_number_lists,
    measure_route_lookups,
    measure_sessions,
    new_subject,
    projects_with_numbers,
)
from bench.report import print_calls, print_header, print_latencies, print_rates
from bench.rounds import run_rounds
from bench.sides import both_sides
from stack.build import ensure_servers
from stack.settings import StackSettings
from stack.supervisor import Stack, running_stack

_WARM_JOBS = 12
"""Warm processes of either worker: as many as the largest burst of callers."""

_ROUNDS = {1: 20, 4: 6, 12: 5}
"""Pairs of rounds for each number of callers at once: at least 5, and 20 calls each at one."""
_QUICK_ROUNDS = {1: 2, 4: 1}
_REQUESTS = {1: 1_920, 32: 3_840}
"""For each comparison, by clients at once: ten from each of 32 in each block, so that opening their
connections and the first turns of a loop weigh little; half as many from one alone, so that all is
over before LiveKit closes the rooms of the sessions."""


async def main(*, quick: bool, endpoints_only: bool) -> int:
    """Measure and print all; return 1 when a call did not go as it should, which voids the run."""
    settings = StackSettings()
    bin_dir = await asyncio.to_thread(ensure_servers, settings.var, print)
    # Every run starts from empty stores, so that runs can be compared.
    await asyncio.to_thread(shutil.rmtree, Path(settings.var) / "bench", ignore_errors=True)
    bench_settings = settings.model_copy(update={"var": Path(settings.var) / "bench"})
    cores = os.cpu_count() or 1
    environment = {"WORKER_IDLE_JOBS": str(_WARM_JOBS), "WORKER_MAX_CALLS": "50"}
    faults = 0
    async with running_stack(
        bench_settings, bin_dir=bin_dir, extra_environment=environment
    ) as stack:
        print_header(cores)
        if not endpoints_only:
            async with both_sides(stack) as sides:
                for callers, pairs in (_QUICK_ROUNDS if quick else _ROUNDS).items():
                    samples = await run_rounds(stack.sip_address, sides, callers, pairs, cores)
                    faults += print_calls(callers, samples)
        # From here on nobody else may use the processors: no job, and no loop that puts numbers
        # on trunks.
        await stack.stop("worker")
        await stack.stop("dispatch")
        await measure_endpoints(stack)
    return 1 if faults else 0


async def measure_endpoints(stack: Stack) -> None:
    """Measure and print what the gateway's endpoints take."""
    subject = await new_subject(stack)
    async with bare_gateway(stack) as bare_url:
        for clients, requests in _REQUESTS.items():
            loads = await measure_agents(stack, subject, bare_url, requests, clients)
            print_rates(clients, "GET /api/v1/agents, a second", *loads)
        crowded, lone = await projects_with_numbers(stack)
        for clients, requests in _REQUESTS.items():
            loads = await measure_number_lists(stack, crowded, lone, requests, clients)
            print_latencies(clients, f"numbers, {MANY:,} to {FEW:,}, ms", *loads)
        loads = await measure_route_lookups(stack, _REQUESTS[1])
        print_latencies(1, f"route, {MANY:,} to {FEW:,}, ms", *loads)
        # Last: a minute later LiveKit closes the rooms that nobody joined and tells the gateway of
        # each, which would disturb what is measured then.
        for clients, requests in _REQUESTS.items():
            loads = await measure_sessions(stack, subject, bare_url, requests, clients)
            print_latencies(clients, "voice session over HTTP, ms", *loads)


def which_part() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="Compare with a minimal livekit-agents worker and bare FastAPI, side by side.",
    )
    part = parser.add_mutually_exclusive_group()
    part.add_argument("--quick", action="store_true", help="few calls: a look, not a measurement")
    part.add_argument("--endpoints", action="store_true", help="no calls, the gateway's paths only")
    return parser.parse_args()


if __name__ == "__main__":
    asked = which_part()
    sys.exit(asyncio.run(main(quick=asked.quick, endpoints_only=asked.endpoints)))
