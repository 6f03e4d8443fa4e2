"""Somebody who follows a printed example: runs it in a shell or in Node, and wants it to work."""

import asyncio
import os
import shutil
from pathlib import Path

import pytest

NODE = shutil.which("node")
needs_node = pytest.mark.skipif(
    NODE is None and "CI" not in os.environ,
    reason="Node is not installed: this example is JavaScript; install Node 20 or later",
)
"""Where everything must be tested, as CI says of itself, a missing Node is a failure."""

_CURL = "silent\nshow-error\nfail-with-body\n"
"""curl's own configuration: commands run as printed, and fail by an answer of 400 or more."""


async def in_shell(script: str, directory: Path, **environment: str) -> str:
    """Run commands in bash in this directory until one fails; return what they printed."""
    (directory / ".curlrc").write_text(_CURL)
    environment["CURL_HOME"] = str(directory)
    return await _run(["bash", "-euo", "pipefail", "-c", script], directory, environment)


async def in_node(program: str, directory: Path, **environment: str) -> str:
    """Run a module in Node; return what it printed."""
    assert NODE is not None, "Node is not installed"
    return await _run([NODE, "--input-type=module", "-e", program], directory, environment)


async def _run(command: list[str], directory: Path, environment: dict[str, str]) -> str:
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=directory,
        env={"PATH": os.environ["PATH"], **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 0, f"{out.decode()}\n{err.decode()}"
    return out.decode()
