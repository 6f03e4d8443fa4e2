"""What a process has done before its call, and what happens when it cannot be done."""

import importlib

import pytest
from livekit.agents import JobExecutorType, JobProcess

import worker.preload
from dispatch.store import lua_scripts
from worker.server import prewarm_job
from worker.warm import warm_up

pytestmark = pytest.mark.unit


class EngineMissingError(Exception):
    """A speech engine that is not there."""


@pytest.fixture
def no_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise EngineMissingError

    monkeypatch.setattr("worker.warm.warm_up", fail)
    monkeypatch.setattr("worker.server.warm_up", fail)


@pytest.mark.usefixtures("no_engine")
def test_what_cannot_be_loaded_leaves_the_mother_of_all_jobs_alive() -> None:
    importlib.reload(worker.preload)


@pytest.mark.usefixtures("no_engine")
def test_what_cannot_be_loaded_fails_the_process_that_would_take_a_call() -> None:
    process = JobProcess(
        executor_type=JobExecutorType.PROCESS, user_arguments=None, http_proxy=None
    )

    with pytest.raises(EngineMissingError):
        prewarm_job(process)


def test_scripts_that_were_loaded_are_not_read_again() -> None:
    lua_scripts.script.cache_clear()
    lua_scripts.load_scripts()
    loaded = lua_scripts.script.cache_info()

    lua_scripts.script("admit")
    lua_scripts.script("record")

    assert lua_scripts.script.cache_info().misses == loaded.misses


def test_two_jobs_of_one_process_share_no_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.warm.load_once", lambda: None)

    assert warm_up().models.vad is not warm_up().models.vad
