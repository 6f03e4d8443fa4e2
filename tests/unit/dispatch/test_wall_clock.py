"""A clock that tests set, and that cannot be left set unnoticed."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dispatch.wall_clock import wall_clock

pytestmark = pytest.mark.unit

CHRISTMAS = "2026-12-25T10:00:00+01:00"


def is_real(at: datetime) -> bool:
    return abs(datetime.now(UTC) - at) < timedelta(seconds=5)


def test_is_the_machines_clock_unless_a_file_says_otherwise(tmp_path: Path) -> None:
    assert is_real(wall_clock(None)())
    assert is_real(wall_clock(tmp_path / "no-such-file")())


def test_stands_where_the_file_says_and_every_look_is_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "clock"
    clock = wall_clock(file)
    file.write_text(CHRISTMAS + "\n")

    assert clock() == datetime.fromisoformat(CHRISTMAS)
    assert [record.message for record in caplog.records] == [
        "opening hours are judged by a clock that was set"
    ]
    file.unlink()
    assert is_real(clock())


@pytest.mark.parametrize("text", ["", "tomorrow", "2026-12-25T10:00:00"])
def test_goes_on_by_the_machines_clock_when_the_file_holds_no_moment(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, text: str
) -> None:
    file = tmp_path / "clock"
    file.write_text(text)

    assert is_real(wall_clock(file)())
    assert len(caplog.records) == 1
