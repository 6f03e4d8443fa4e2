"""The private Postgres and Redis of the embedded stack: data outlives stops and crashes."""

import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
from redis import Redis
from redis.exceptions import AuthenticationError

from stack.postgres import PostgresServer
from stack.redis import RedisServer
from tests.integration.conftest import lendable_directory

pytestmark = pytest.mark.integration

OWNER_WITHOUT_A_CHANCE = """
import sys, time
from pathlib import Path
from stack.postgres import PostgresServer
from stack.redis import RedisServer
root = Path(sys.argv[1])
redis, postgres = RedisServer(root / "redis"), PostgresServer(root / "postgres")
redis.start(), postgres.start()
print(redis.process.pid, postgres.process.pid, flush=True)
time.sleep(600)
"""


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[RedisServer]:
    with RedisServer(tmp_path / "redis") as server:
        yield server


@pytest.fixture(scope="module")
def postgres_server() -> Iterator[PostgresServer]:
    with lendable_directory() as directory, PostgresServer(directory) as server:
        yield server


def connect(server: PostgresServer) -> psycopg.Connection:
    return psycopg.connect(server.url.replace("+psycopg", ""), autocommit=True)


def is_gone(process: psutil.Process) -> bool:
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_redis_keeps_its_data_and_its_address_across_a_stop(redis_server: RedisServer) -> None:
    with Redis.from_url(redis_server.url) as client:
        client.set("balance", 7)
    address = redis_server.url
    redis_server.stop()
    redis_server.start()
    assert redis_server.url == address
    with Redis.from_url(redis_server.url, decode_responses=True) as client:
        assert client.get("balance") == "7"
        assert client.config_get("appendfsync") == {"appendfsync": "everysec"}


def test_redis_refuses_a_client_without_the_password(redis_server: RedisServer) -> None:
    with (
        Redis(host="127.0.0.1", port=redis_server.port) as client,
        pytest.raises(AuthenticationError),
    ):
        client.ping()


def test_postgres_brings_pgvector_and_speaks_utc(postgres_server: PostgresServer) -> None:
    with connect(postgres_server) as connection:
        connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
        assert connection.execute("SELECT '[3,4]'::vector <-> '[0,0]'").fetchone() == (5.0,)
        assert connection.execute("SHOW timezone").fetchone() == ("UTC",)


def test_postgres_keeps_committed_rows_across_a_crash(postgres_server: PostgresServer) -> None:
    with connect(postgres_server) as connection:
        connection.execute("CREATE TABLE kept (n int)")
        connection.execute("INSERT INTO kept VALUES (1)")
    postgres_server.kill()
    postgres_server.start()
    with connect(postgres_server) as connection:
        assert connection.execute("SELECT n FROM kept").fetchall() == [(1,)]


def test_the_password_is_for_the_owner_only(
    postgres_server: PostgresServer, tmp_path: Path
) -> None:
    PostgresServer(tmp_path)
    assert stat.S_IMODE((tmp_path / "password").stat().st_mode) == 0o600


def test_no_server_outlives_a_killed_owner(server_dir: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", OWNER_WITHOUT_A_CHANCE, str(server_dir)],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(Path.cwd())},
    ) as owner:
        try:
            assert owner.stdout is not None
            servers = [psutil.Process(int(word)) for word in owner.stdout.readline().split()]
            children = [child for each in servers for child in each.children(recursive=True)]
            families = [*servers, *children]
            assert len(families) > len(servers), "Postgres has background processes of its own"
        finally:
            owner.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 60
    while not all(is_gone(process) for process in families):
        assert time.monotonic() < deadline, "a server was left behind"
        time.sleep(0.05)
