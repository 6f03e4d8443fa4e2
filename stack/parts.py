"""The seven parts of the stack: how each is started, when it is ready, what it needs first."""

import hashlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, get_args

from stack.errors import PartFailed
from stack.health import http_answers, sip_answers
from stack.livekit_config import LiveKitKeys, server_config, sip_config, write_config
from stack.passwords import kept_secret, new_secrets_key
from stack.ports import LOOPBACK, Ports
from stack.postgres import PostgresServer
from stack.processes import Command, ServerProcess, log_tail
from stack.redis import RedisServer

PartName = Literal["postgres", "redis", "livekit", "sip", "gateway", "dispatch", "worker"]

PART_NAMES: tuple[PartName, ...] = get_args(PartName)

NEEDS: dict[PartName, tuple[PartName, ...]] = {
    "postgres": (),
    "redis": (),
    "livekit": ("redis",),
    "sip": ("redis",),
    "gateway": ("redis", "postgres"),
    "dispatch": ("redis", "postgres", "livekit"),
    "worker": ("redis", "livekit"),
}
"""What must be up before a part is started; `dispatch` waits for the migrations too."""

STOP_ORDER: tuple[tuple[PartName, ...], ...] = (
    ("worker",),
    ("dispatch", "gateway", "sip"),
    ("livekit",),
    ("postgres", "redis"),
)
"""Groups stopped one after the other: who speaks to callers first, who remembers last."""

READY_TIMEOUT_S = 300.0
MIGRATE_TIMEOUT_S = 300.0
ROOT = Path(__file__).resolve().parents[1]

DRAIN_S = 3.0
"""How long parts with open calls may take to end them when the stack stops."""


class Part(Protocol):
    """What the supervisor can do with a part, whatever it is."""

    @property
    def process(self) -> ServerProcess:
        """The process that is its heart."""

    def start(self) -> None:
        """Start it and return when it is ready; no-op when it runs."""

    def stop(self) -> None:
        """End it in order; no-op when stopped."""

    def kill(self) -> None:
        """End it as a crash would."""


@dataclass(frozen=True)
class CommandPart:
    """A part that is one command with a question that tells when it is ready."""

    process: ServerProcess
    command: Callable[[], Command]
    is_ready: Callable[[], bool]

    def start(self) -> None:
        """Start it and return when it is ready; no-op when it runs.

        Raises:
            PartFailed: It did not become ready.
        """
        if not self.process.running:
            self.process.spawn(self.command())
            self.process.wait_ready(self.is_ready, READY_TIMEOUT_S)

    def stop(self) -> None:
        """End it in order; no-op when stopped."""
        self.process.stop()

    def kill(self) -> None:
        """End it as a crash would, with all processes it started."""
        self.process.kill()


@dataclass(frozen=True)
class Secrets:
    """What the parts of one stack prove themselves to each other with, kept in its directory."""

    livekit: LiveKitKeys
    admin_key: str
    key_pepper: str
    secrets_keys: str

    @classmethod
    def of(cls, var: Path) -> "Secrets":
        """Return the secrets kept in a directory, making them on first use."""
        kept = var / "secrets"
        return cls(
            livekit=LiveKitKeys("dialplane", kept_secret(kept / "livekit")),
            admin_key=kept_secret(kept / "admin_key"),
            key_pepper=kept_secret(kept / "key_pepper"),
            secrets_keys=kept_secret(kept / "secrets_keys", new_secrets_key),
        )


def migrations_key() -> str:
    """Return what identifies the migrations of this checkout: a hash over all of them."""
    digest = hashlib.sha256()
    for path in sorted((ROOT / "migrations").rglob("*.py")):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


class PartFactory:
    """Makes the parts of a stack in one directory on one set of ports."""

    def __init__(
        self, var: Path, bin_dir: Path, ports: Ports, extra_environment: Mapping[str, str]
    ) -> None:
        self._var = var
        self._bin_dir = bin_dir
        self.ports = ports
        self.secrets = Secrets.of(var)
        self.logs = var / "log"
        self.postgres = PostgresServer(var / "postgres", ports.postgres, self._log("postgres"))
        self.redis = RedisServer(var / "redis", ports.redis, self._log("redis"))
        self._extra_environment = extra_environment

    def make(self) -> dict[PartName, Part]:
        """Return all seven parts, none of them started."""
        ports = self.ports
        return {
            "postgres": self.postgres,
            "redis": self.redis,
            "livekit": self._livekit(),
            "sip": self._sip(),
            "gateway": self._python("gateway", lambda: http_answers(ports.gateway, "/healthz")),
            # The gateway's /readyz reports its heartbeat; it has no port of its own to ask.
            "dispatch": self._python("dispatch", lambda: True),
            "worker": self._python("worker", lambda: http_answers(ports.worker_health)),
        }

    def migrate(self) -> None:
        """Bring the database to the newest schema, unless these migrations did so before.

        Raises:
            PartFailed: A migration failed.
        """
        migrations = migrations_key()
        stamp = self._var / "postgres" / "migrated"
        if stamp.exists() and stamp.read_text() == migrations:
            return
        log_path = self._log("migrate")
        with log_path.open("ab") as log:
            done = subprocess.run(
                [sys.executable, "-m", "dispatch", "migrate"],
                cwd=ROOT,
                env=self.environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                check=False,
                timeout=MIGRATE_TIMEOUT_S,
            )
        if done.returncode != 0:
            raise PartFailed("migrate", "the database was not migrated", log_tail(log_path))
        stamp.write_text(migrations)

    @property
    def environment(self) -> dict[str, str]:
        """The environment of gateway, dispatch and worker."""
        ports, secrets = self.ports, self.secrets
        own = {
            "DATABASE_URL": self.postgres.url,
            "REDIS_URL": self.redis.url,
            "LIVEKIT_URL": f"ws://{LOOPBACK}:{ports.livekit}",
            "LIVEKIT_API_KEY": secrets.livekit.key,
            "LIVEKIT_API_SECRET": secrets.livekit.secret,
            "DIALPLANE_ADMIN_KEY": secrets.admin_key,
            "DIALPLANE_KEY_PEPPER": secrets.key_pepper,
            "DIALPLANE_SECRETS_KEYS": secrets.secrets_keys,
            "DIALPLANE_DEFAULT_ALLOWED_ADDRESSES": f'["{LOOPBACK}/32"]',
            # Telephones of the demo and of tests are on this machine.
            "DIALPLANE_SIP_ALLOWED_HOSTS": f'["{LOOPBACK}"]',
            "GATEWAY_HOST": LOOPBACK,
            "GATEWAY_PORT": str(ports.gateway),
            "WORKER_HEALTH_PORT": str(ports.worker_health),
            "PYTHONUNBUFFERED": "1",
        }
        return {**os.environ, **own, **self._extra_environment}

    def _livekit(self) -> CommandPart:
        config = server_config(self.ports, self.secrets.livekit, self.redis.password)
        return self._go_server(
            "livekit", "livekit-server", config, lambda: http_answers(self.ports.livekit)
        )

    def _sip(self) -> CommandPart:
        config = sip_config(self.ports, self.secrets.livekit, self.redis.password)
        return self._go_server("sip", "livekit-sip", config, lambda: sip_answers(self.ports.sip))

    def _go_server(
        self, name: PartName, program: str, config: dict[str, object], is_ready: Callable[[], bool]
    ) -> CommandPart:
        def command() -> Command:
            path = write_config(self._var / f"{program}.json", config)
            return Command(
                [str(self._bin_dir / program), "--config", str(path)],
                # livekit-sip ends its calls at once on SIGINT; on SIGTERM it waits for them.
                stop_signal=signal.SIGINT,
                stop_timeout_s=DRAIN_S,
            )

        return CommandPart(ServerProcess(name, self._log(name)), command, is_ready)

    def _python(self, name: PartName, is_ready: Callable[[], bool]) -> CommandPart:
        def command() -> Command:
            return Command(
                [sys.executable, "-m", name],
                env=self.environment,
                cwd=ROOT,
                stop_timeout_s=DRAIN_S,
            )

        return CommandPart(ServerProcess(name, self._log(name)), command, is_ready)

    def _log(self, name: str) -> Path:
        return self.logs / f"{name}.log"
