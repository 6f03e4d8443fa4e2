"""Settings of a worker process, read once from the environment by the composition roots."""

from datetime import timedelta
from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class WorkerSettings(BaseSettings):
    """How many calls a worker takes and how it runs them."""

    model_config = SettingsConfigDict(extra="ignore", frozen=True)

    worker_max_calls: int = Field(default=25, ge=1)
    """Calls this worker holds at once."""
    worker_executor: Literal["process", "thread"] = "process"
    """A process for each call survives a crash of its neighbour; threads save memory."""
    worker_idle_jobs: int = Field(default=1, ge=0)
    """Warm processes (or threads) that wait for a call, models loaded."""
    worker_health_host: str = "127.0.0.1"
    worker_health_port: int = Field(default=8081, ge=0, le=65_535)
    """Port of the health page; 0 takes any free one."""
    worker_drain_timeout: timedelta = timedelta(hours=1)
    """After SIGTERM, how long calls that are on may go on before they are cut off."""
    worker_hold_music_dir: Path | None = None
    """Where 16 bit WAV files are that agents may name as their hold music."""
    presence_interval: timedelta = timedelta(seconds=5)
    """How often the worker says that it is there and how busy it is."""

    caller_timeout: timedelta = timedelta(seconds=60)
    """How long a job waits for its caller: a browser needs a moment to connect. It is the life
    of an empty room too."""
    answer_timeout: timedelta = timedelta(seconds=30)
    """How long an admitted caller may take to hear us; a trunk stops ringing before that."""
    farewell_timeout: timedelta = timedelta(seconds=20)
    """How long a goodbye may take to be heard."""
    settle_timeout: timedelta = timedelta(seconds=10)
    """How long a finished call tries to put its end on record while Redis is away; then the
    reaper ends it at its last heartbeat."""
