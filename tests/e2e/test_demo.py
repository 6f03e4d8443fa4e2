"""`make demo`, as a new user runs it."""

import asyncio
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from stack.build import ensure_servers
from stack.demo_agent import AGENT
from stack.settings import StackSettings

pytestmark = pytest.mark.e2e


@pytest.fixture
def fresh_var() -> Iterator[Path]:
    bin_dir = ensure_servers(StackSettings().var, print)
    with tempfile.TemporaryDirectory(prefix="dialplane-demo-") as directory:
        Path(directory, "bin").symlink_to(bin_dir)
        yield Path(directory)


def left_running(var: Path) -> list[list[str]]:
    """Command lines of all processes that were started for a directory."""
    found = (process.info["cmdline"] or [] for process in psutil.process_iter(["cmdline"]))
    return [command for command in found if any(str(var) in word for word in command)]


async def test_shows_a_call_and_a_transfer_and_leaves_nothing_running(fresh_var: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "stack",
        "demo",
        env={**os.environ, "DIALPLANE_VAR": str(fresh_var)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output = (await asyncio.wait_for(process.communicate(), 900))[0].decode()
    assert process.returncode == 0, output
    for step in AGENT["script"]["steps"]:
        assert step["reply"] in output
    assert "ledger: charge" in output
    for told in ("where can I find you  (heard as: ", "transfer.merged", "the desk's leg"):
        assert told in output
    assert left_running(fresh_var) == []
