"""A job's process ends, whatever waits in it for ever."""

import asyncio
import contextlib
import multiprocessing
from multiprocessing.synchronize import Event

import pytest

from worker.process_end import end_process_within

pytestmark = pytest.mark.integration

PATIENCE_S = 120.0


def hang(limit_s: float, hangs: Event) -> None:
    """Run in a job process: wait for ever, and again when cancelled."""

    async def wait_for_ever() -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        await asyncio.Event().wait()

    async def left_behind() -> None:
        waiting = asyncio.ensure_future(wait_for_ever())
        await asyncio.sleep(0)
        waiting.cancel()
        hangs.set()
        end_process_within(limit_s)
        await waiting

    asyncio.run(left_behind())


def test_a_job_whose_task_hears_of_no_end_is_ended() -> None:
    spawning = multiprocessing.get_context("spawn")
    hangs = spawning.Event()
    process = spawning.Process(target=hang, args=(0.1, hangs))
    process.name = "job_proc"
    process.start()
    process.join(PATIENCE_S)
    was_ended = not process.is_alive()
    process.kill()
    process.join()
    assert hangs.is_set()
    assert was_ended
