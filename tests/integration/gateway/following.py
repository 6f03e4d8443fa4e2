"""Somebody who follows a printed example: runs it in a shell or in Node, and wants it to work."""

import asyncio
import os
import shutil
from pathlib import Path

import pytest


def needs(*programs: str) -> pytest.MarkDecorator:
    """Skip a test where a program is missing; in CI, as CI says of itself, it fails instead."""
    missing = [program for program in programs if shutil.which(program) is None]
    return pytest.mark.skipif(
        bool(missing) and "CI" not in os.environ,
        reason=f"not installed, and printed examples need it: {', '.join(missing)}",
    )


needs_node = needs("node")

_PATIENCE_S = 120.0
"""A program takes a second to start, and ten where the machine is busy."""

_CURL = "silent\nshow-error\nfail-with-body\n"
"""curl's own configuration: commands run as printed, and fail by an answer of 400 or more."""


async def in_shell(script: str, directory: Path, **environment: str) -> str:
    """Run commands in bash in this directory until one fails; return what they printed."""
    (directory / ".curlrc").write_text(_CURL)
    environment["CURL_HOME"] = str(directory)
    return await run(["bash", "-euo", "pipefail", "-c", script], directory, environment)


async def in_node(program: str, directory: Path, **environment: str) -> str:
    """Run a module in Node; return what it printed."""
    return await run(["node", "--input-type=module", "-e", program], directory, environment)


async def run(command: list[str], directory: Path, environment: dict[str, str]) -> str:
    """Run a program in an environment of this and the path; return what it printed."""
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=directory,
        env={"PATH": os.environ["PATH"], **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        out, err = await asyncio.wait_for(process.communicate(), _PATIENCE_S)
    except TimeoutError:
        process.kill()
        raise
    assert process.returncode == 0, f"{out.decode()}\n{err.decode()}"
    return out.decode()
