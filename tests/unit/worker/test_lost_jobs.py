"""Jobs whose process is gone."""

import asyncio

import pytest

from dispatch.errors import StoreUnavailable
from tests.waiting import until
from worker.lost_jobs import RunningJob, forsake_lost_jobs

pytestmark = pytest.mark.unit

FIRST, SECOND = RunningJob("AJ_1", "call_1", ""), RunningJob("AJ_2", "room", "7")


class Register:
    """Where calls are given up."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, str]] = []
        self.failures = 0

    async def forsake(self, room_name: str, job_id: str, seat: str = "") -> bool:
        self.asked.append((room_name, job_id, seat))
        if self.failures:
            self.failures -= 1
            raise StoreUnavailable("Redis did not answer.")
        return True


class Processes:
    """Those that live, by the jobs they run."""

    def __init__(self, *jobs: RunningJob) -> None:
        self.jobs, self.looks = list(jobs), 0

    def __call__(self) -> list[RunningJob]:
        self.looks += 1
        return list(self.jobs)

    async def looked_at(self, times: int) -> None:
        wanted = self.looks + times
        await until(lambda: self.looks >= wanted)


async def test_the_call_of_a_process_that_is_gone_is_given_up_once() -> None:
    register, processes = Register(), Processes(FIRST, SECOND)
    watching = asyncio.create_task(forsake_lost_jobs(register, processes, 0.001))
    await processes.looked_at(3)
    assert register.asked == []

    processes.jobs.remove(SECOND)
    await processes.looked_at(3)
    watching.cancel()

    assert register.asked == [("room", "AJ_2", "7")]


async def test_it_is_given_up_when_redis_is_back() -> None:
    register, processes = Register(), Processes(FIRST)
    register.failures = 2
    watching = asyncio.create_task(forsake_lost_jobs(register, processes, 0.001))
    await processes.looked_at(1)
    processes.jobs.clear()
    await processes.looked_at(6)
    watching.cancel()

    assert register.asked == [("call_1", "AJ_1", "")] * 3
