"""A worker's reports."""

import asyncio

import pytest

from dispatch.errors import StoreUnavailable
from worker.presence import keep_present

pytestmark = pytest.mark.unit


class Register:
    """Where workers report."""

    def __init__(self) -> None:
        self.reports: list[tuple[str, int, int]] = []
        self.left: list[str] = []
        self.is_away = False
        self.asked = asyncio.Event()

    async def report(self, worker_id: str, active_calls: int, max_calls: int) -> None:
        self.asked.set()
        if self.is_away:
            raise StoreUnavailable("Redis did not answer.")
        self.reports.append((worker_id, active_calls, max_calls))

    async def leave(self, worker_id: str) -> None:
        self.asked.set()
        self.left.append(worker_id)


async def stop(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
def register() -> Register:
    return Register()


def reporting(
    register: Register, registered: asyncio.Event, calls: int | None
) -> asyncio.Task[None]:
    return asyncio.create_task(keep_present(register, "w1", registered, lambda: calls, 25, 0.001))


async def test_says_nothing_before_livekit_knows_the_worker(register: Register):
    task = reporting(register, asyncio.Event(), 0)
    await asyncio.sleep(0)

    await stop(task)

    assert register.reports == []


async def test_reports_calls_and_leaves_at_the_end(register: Register):
    registered = asyncio.Event()
    registered.set()
    task = reporting(register, registered, 3)
    await register.asked.wait()

    await stop(task)

    assert register.reports[0] == ("w1", 3, 25)
    assert register.left == ["w1"]


async def test_a_draining_worker_is_off_the_list(register: Register):
    registered = asyncio.Event()
    registered.set()
    task = reporting(register, registered, None)
    await register.asked.wait()
    await stop(task)

    assert register.reports == []
    assert "w1" in register.left


async def test_reports_again_when_redis_is_back(register: Register):
    registered = asyncio.Event()
    registered.set()
    register.is_away = True
    task = reporting(register, registered, 1)
    await register.asked.wait()
    register.is_away = False
    register.asked.clear()
    await register.asked.wait()
    await stop(task)

    assert register.reports
