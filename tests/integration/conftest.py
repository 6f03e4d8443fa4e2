"""Real Postgres and Redis: one of each for every process of a run, emptied before each test."""

import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
import pytest
from redis import Redis

from dispatch.store.engine import Database
from dispatch.store.migrate import upgrade_to_head
from dispatch.store.redis_client import RedisClient, connect_redis
from dispatch.store.tables import Table
from stack.postgres import running_postgres
from stack.redis import running_redis

_ENOUGH_OF_A_DAY = timedelta(minutes=1)


@pytest.fixture(scope="session", autouse=True)
def patience() -> Iterator[None]:
    """Wait longer for a store than a caller would: on a busy machine it may take seconds.

    One that is away refuses connections, and is told at once.
    """
    with pytest.MonkeyPatch.context() as patient:
        patient.setattr("dispatch.store.redis_client.TIMEOUT_S", 30.0)
        for module in ("engine", "loop_lock"):
            patient.setattr(f"dispatch.store.{module}.CONNECT_TIMEOUT_S", 30)
        patient.setattr("dispatch.store.engine.POOL_TIMEOUT_S", 30)
        yield


@contextmanager
def lendable_directory() -> Iterator[Path]:
    """Make a directory that another user can be let into.

    Postgres does not run as root, so root lends it the directory. pytest's own temporary ones will
    not do: every pytest that starts closes the tree of all of them to other users again.
    """
    with TemporaryDirectory(prefix="dialplane-test-") as directory:
        yield Path(directory)


@pytest.fixture
def server_dir() -> Iterator[Path]:
    """A directory for a Postgres of the test's own."""
    with lendable_directory() as directory:
        yield directory


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """SQLAlchemy URL of a private, migrated Postgres."""
    with lendable_directory() as directory, running_postgres(directory) as url:
        upgrade_to_head(url)
        yield url


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of a private Redis."""
    with running_redis(tmp_path_factory.mktemp("redis")) as url:
        # As with Postgres, a busy disk holds up nobody: Redis waits for it in between.
        with Redis.from_url(url) as redis:
            redis.config_set("appendonly", "no")
        yield url


@pytest.fixture(scope="session")
def empty_postgres(postgres_url: str) -> Iterator[Callable[[], None]]:
    """Empties every table of the migrated Postgres; numbers begin at 1 again.

    Row by row: tests leave few rows, and TRUNCATE makes new files for every table and its indexes,
    fifty times as slow.
    """
    with psycopg.connect(postgres_url.replace("+psycopg", ""), autocommit=True) as connection:
        # No triggers and foreign keys; and what still holds a row would wait for us to no end.
        connection.execute("SET session_replication_role = replica; SET lock_timeout = '10s'")
        # Not the revisions: a Redis that remembers greater ones would take no copy.
        sequences = connection.execute(
            "SELECT sequencename FROM pg_sequences WHERE sequencename <> 'revisions'"
        ).fetchall()
        # Names come from our own metadata and migrations.
        statements = [
            *(f"DELETE FROM {table}" for table in Table.metadata.tables),
            *(f"SELECT setval('{name}', 1, false)" for (name,) in sequences),
        ]
        everything = "; ".join(statements).encode()

        def empty() -> None:
            connection.execute(everything)

        yield empty


@pytest.fixture
def one_day() -> None:
    """Hold a test of what happened today back if tomorrow would begin meanwhile, in UTC."""
    now = datetime.now(UTC)
    tomorrow = datetime.combine(now.date() + timedelta(days=1), datetime.min.time(), UTC)
    if tomorrow - now < _ENOUGH_OF_A_DAY:
        time.sleep((tomorrow - now).total_seconds() + 0.1)


@pytest.fixture
def clean_postgres(postgres_url: str, empty_postgres: Callable[[], None]) -> str:
    """URL of the migrated Postgres with every table empty."""
    empty_postgres()
    return postgres_url


@pytest.fixture
async def database(clean_postgres: str) -> AsyncIterator[Database]:
    """The application's way to an empty, migrated Postgres."""
    database = Database(clean_postgres, pool_size=5, application_name="tests")
    yield database
    await database.aclose()


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[RedisClient]:
    """An empty Redis."""
    client = connect_redis(redis_url)
    await client.flushdb()
    yield client
    await client.aclose()


@pytest.fixture
async def dead_redis() -> AsyncIterator[RedisClient]:
    """A client of a Redis that is down: nobody listens on its port."""
    client = connect_redis("redis://127.0.0.1:1/0")
    yield client
    await client.aclose()
