"""A test that hangs ends its process, also after it has failed, so that no run goes on for ever."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.architecture

ROOT = Path(__file__).parents[2]
LIMIT_S = 3
"""Enough to come to the failure first; a slower machine meets the limit before it."""
HANGS = """
import threading

import pytest


@pytest.fixture
def never_torn_down():
    yield
    threading.Event().wait()


@pytest.mark.unit
def test_fails(never_torn_down):
    raise AssertionError("as foreseen")
"""
SETTINGS = f"""
[pytest]
markers = unit
faulthandler_timeout = {LIMIT_S}
faulthandler_exit_on_timeout = true
"""


def test_the_teardown_of_a_failed_test_has_a_limit(tmp_path: Path) -> None:
    (tmp_path / "test_hangs.py").write_text(HANGS)
    (tmp_path / "pytest.ini").write_text(SETTINGS)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "tests.conftest", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 1
    assert "Timeout (0:00:03)!" in done.stderr
