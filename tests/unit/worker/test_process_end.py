"""Which processes are made to end with a call."""

from types import SimpleNamespace

import pytest

from worker.process_end import end_process_within

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(("name", "limits_s"), [("job_proc", [5.0]), ("MainProcess", [])])
def test_a_process_is_ended_that_is_one_calls_and_none_that_is_all_calls(
    monkeypatch: pytest.MonkeyPatch, name: str, limits_s: list[float]
) -> None:
    set_s: list[float] = []

    def note(limit_s: float, *, exit: bool) -> None:  # noqa: A002
        assert exit
        set_s.append(limit_s)

    # The modules as this one sees them: pytest uses the same clock.
    clock = SimpleNamespace(dump_traceback_later=note)
    processes = SimpleNamespace(current_process=lambda: SimpleNamespace(name=name))
    monkeypatch.setattr("worker.process_end.faulthandler", clock)
    monkeypatch.setattr("worker.process_end.multiprocessing", processes)
    end_process_within(5.0)
    assert set_s == limits_s
