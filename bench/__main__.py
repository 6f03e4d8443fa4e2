"""Run the whole benchmark: `python -m bench [--quick]`."""

import asyncio
import os
import shutil
import sys
from pathlib import Path

from bench.report import print_calls, print_header, print_sessions
from bench.rounds import run_rounds
from bench.sessions import measure_sessions
from bench.sides import both_sides
from stack.build import ensure_servers
from stack.settings import StackSettings
from stack.supervisor import running_stack

_WARM_JOBS = 12
"""Warm processes of either worker: as many as the largest burst of callers."""

_ROUNDS = {1: 20, 4: 6, 12: 5}
"""Pairs of rounds for each number of callers at once: at least 5, and 20 calls each at one."""
_QUICK_ROUNDS = {1: 2, 4: 1}
_SESSION_REQUESTS = 384


async def main(*, quick: bool) -> int:
    """Measure and print; return 1 when a call did not go as it should, which voids the run."""
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
        async with both_sides(stack) as sides:
            for callers, pairs in (_QUICK_ROUNDS if quick else _ROUNDS).items():
                samples = await run_rounds(stack.sip_address, sides, callers, pairs, cores)
                faults += print_calls(callers, samples)
        await stack.stop("worker")
        for clients in (1, 32):
            ours, bare = await measure_sessions(stack, _SESSION_REQUESTS, clients)
            print_sessions(clients, ours, bare)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main(quick="--quick" in sys.argv[1:])))
