"""`stack.env`: what the commands of a second terminal read."""

import stat
from pathlib import Path

import pytest

from stack.env_file import read_env_file, remove_env_file, write_env_file
from stack.errors import StackNotRunning

pytestmark = pytest.mark.unit

VALUES = {"DIALPLANE_URL": "http://127.0.0.1:8000", "DATABASE_URL": "postgresql://a:b@c/d?e=f"}


def test_reads_back_what_was_written(tmp_path: Path) -> None:
    write_env_file(tmp_path, VALUES)
    assert read_env_file(tmp_path) == VALUES


def test_is_for_its_owner_only(tmp_path: Path) -> None:
    assert stat.S_IMODE(write_env_file(tmp_path, VALUES).stat().st_mode) == 0o600


def test_is_gone_when_the_stack_has_stopped(tmp_path: Path) -> None:
    write_env_file(tmp_path, VALUES)
    remove_env_file(tmp_path)
    with pytest.raises(StackNotRunning, match="make up"):
        read_env_file(tmp_path)
