"""The embedded stack as a whole: it comes up, survives faults, keeps its data, leaves nothing."""

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from redis.asyncio import Redis

from stack import processes
from stack.build import ensure_servers
from stack.errors import PartFailed
from stack.parts import PART_NAMES
from stack.ports import claimed_ports
from stack.settings import StackSettings
from stack.supervisor import Stack, background_stack, running_stack

pytestmark = pytest.mark.integration

SUPERVISOR = """
import asyncio, sys
from pathlib import Path
from stack.cli import interruptible
from stack.settings import StackSettings
from stack.supervisor import running_stack

async def main():
    settings = StackSettings(var=Path(sys.argv[1]))
    async with running_stack(settings, bin_dir=Path(sys.argv[2])) as stack:
        print(*(stack.pid(name) for name in stack.state()), flush=True)
        await asyncio.sleep(600)

asyncio.run(interruptible(main()))
"""


@contextmanager
def supervising(var: Path, bin_dir: Path) -> Iterator[subprocess.Popen[str]]:
    """A stack in a process of its own, which does not outlive the test."""
    with subprocess.Popen(
        [sys.executable, "-c", SUPERVISOR, str(var), str(bin_dir)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=os.environ | {"PYTHONPATH": str(Path.cwd())},
    ) as supervisor:
        try:
            yield supervisor
        finally:
            supervisor.kill()


@pytest.fixture(scope="session")
def bin_dir() -> Path:
    return ensure_servers(StackSettings().var, print)


@pytest.fixture
def var() -> Iterator[Path]:
    # Not below pytest's own directory, which pytest closes again to the user Postgres runs as.
    with tempfile.TemporaryDirectory(prefix="dialplane-test-") as directory:
        yield Path(directory)


@pytest.fixture(scope="module")
def shared_stack(bin_dir: Path) -> Iterator[Stack]:
    with (
        tempfile.TemporaryDirectory(prefix="dialplane-test-") as directory,
        background_stack(Path(directory), bin_dir) as running,
    ):
        yield running


@pytest.fixture
async def stack(shared_stack: Stack) -> AsyncIterator[Stack]:
    yield shared_stack
    await shared_stack.recover()


def family(pid: int) -> set[psutil.Process]:
    process = psutil.Process(pid)
    return {process, *process.children(recursive=True)}


def is_gone(process: psutil.Process) -> bool:
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def wait_until_gone(processes: set[psutil.Process], timeout_s: float = 60.0) -> None:
    deadline = time.monotonic() + timeout_s
    while left := [process for process in processes if not is_gone(process)]:
        assert time.monotonic() < deadline, f"left behind: {left}"
        time.sleep(0.05)


async def test_names_the_part_that_died_and_shows_its_log(stack: Stack) -> None:
    dispatch = stack.pid("dispatch")
    assert dispatch is not None
    os.kill(dispatch, signal.SIGKILL)
    with pytest.raises(PartFailed, match="dispatch: it died with exit code -9") as raised:
        async with asyncio.timeout(30):
            await stack.watch()
    assert raised.value.log_tail


async def test_a_part_stopped_on_purpose_is_no_failure_and_comes_back(stack: Stack) -> None:
    for name in PART_NAMES:
        await stack.stop(name)
        stack.check()
        assert "down" in stack.state()[name]
        await stack.recover()
    assert set(stack.state().values()) == {"running"}


async def test_a_killed_worker_takes_its_job_processes_along(stack: Stack) -> None:
    worker = stack.pid("worker")
    assert worker is not None
    processes = family(worker)
    assert len(processes) > 1, "the worker keeps warm job processes"
    await stack.kill("worker")
    await asyncio.to_thread(wait_until_gone, processes)


async def test_data_and_secrets_survive_a_restart_of_the_stack(var: Path, bin_dir: Path) -> None:
    kept = []
    for _ in range(2):
        with claimed_ports() as ports:
            stack = Stack(var, bin_dir, ports, {})
            try:
                await stack.start("redis")
                async with Redis.from_url(stack.redis_url) as redis:
                    kept.append((stack.admin_key, await redis.set("test:kept", "1", get=True)))
            finally:
                await stack.tear_down()
    (key, before), (key_again, after) = kept
    assert (before, after) == (None, b"1")
    assert key_again == key


async def test_a_second_stack_on_the_same_directory_is_refused(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "LOCK_WAIT_S", 0.1)
    with claimed_ports() as ports:
        second = Stack(stack.var, stack.bin_dir, ports, {})
        with pytest.raises(PartFailed, match="another one is running on"):
            await second.start("redis")
        await second.tear_down()


async def test_two_stacks_run_side_by_side(stack: Stack, bin_dir: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="dialplane-test-") as directory:
        settings = StackSettings(var=Path(directory))
        async with running_stack(settings, bin_dir=bin_dir) as other:
            assert other.ports != stack.ports
            await stack.wait_ready()
            await other.wait_ready()


def test_nothing_outlives_a_killed_supervisor(var: Path, bin_dir: Path) -> None:
    with supervising(var, bin_dir) as supervisor:
        assert supervisor.stdout is not None
        processes = {
            process for pid in supervisor.stdout.readline().split() for process in family(int(pid))
        }
        assert len(processes) > len(PART_NAMES), "Postgres and the worker have children"
        supervisor.send_signal(signal.SIGKILL)
    wait_until_gone(processes)


def test_ctrl_c_stops_everything_in_order(var: Path, bin_dir: Path) -> None:
    with supervising(var, bin_dir) as supervisor:
        assert supervisor.stdout is not None
        pids = [int(pid) for pid in supervisor.stdout.readline().split()]
        servers = [psutil.Process(pid) for pid in pids]
        processes = {process for pid in pids for process in family(pid)}
        supervisor.send_signal(signal.SIGINT)
        supervisor.wait(120)
    assert all(is_gone(server) for server in servers)
    # What a server leaves is killed with its group, and nobody waits for that.
    wait_until_gone(processes)
    assert "database system is shut down" in (var / "log" / "postgres.log").read_text()
