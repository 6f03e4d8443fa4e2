"""`dialplane call` and `dialplane explain`, as a user in a second terminal runs them."""

import asyncio
import os
import re
import sys
from pathlib import Path

import pytest

from stack.cli import environment_of
from stack.demo_agent import AGENT, sentences_of
from stack.env_file import write_env_file
from stack.supervisor import Stack
from tests.e2e.conftest import Office
from tests.e2e.transferring import ended_record
from tests.e2e.waiting import PATIENCE_S, said

pytestmark = pytest.mark.e2e


async def dialplane(var: Path, *arguments: str) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "stack",
        *arguments,
        env={**os.environ, "DIALPLANE_VAR": str(var)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await asyncio.wait_for(process.communicate(), PATIENCE_S)
    assert process.returncode is not None
    return process.returncode, output.decode()


@pytest.fixture
def var(tmp_path: Path, stack: Stack, office: Office) -> Path:
    write_env_file(tmp_path, environment_of(stack, office.tenant.api_key, "+12015550100", ""))
    return tmp_path


async def test_call_prints_what_was_said_and_the_timings(var: Path, office: Office) -> None:
    number = await office.number((await office.agent())["id"])
    code, output = await dialplane(
        var, "call", number, "--say", "what are your opening hours", "--press", "2"
    )
    assert code == 0, output
    for printed in ("what are your opening hours", "[presses 2]", "replies began after"):
        assert printed in output
    # What the agent said, or where a busy machine spoiled it, how long it spoke.
    heard = re.findall(r"^ +[0-9.]+ s +agent +(.+)$", output, re.MULTILINE)
    known = (*sentences_of(AGENT), "[speech, ")
    assert heard
    assert all(line.startswith(known) for line in heard), output
    assert ("caller", "[key 2]") in said(await ended_record(office, number))


async def test_explain_passes_a_number_that_would_be_answered(var: Path, office: Office) -> None:
    number = await office.number((await office.agent())["id"])
    code, output = await dialplane(var, "explain", number)
    assert code == 0, output


async def test_explain_names_the_first_failure_in_a_sentence(var: Path, office: Office) -> None:
    number = await office.number()
    code, output = await dialplane(var, "explain", number)
    assert code == 1
    assert "no agent" in output
