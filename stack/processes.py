"""One server process: started in a group of its own, logged to a file, never left behind."""

import fcntl
import os
import pwd
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypedDict

from stack import guardian
from stack.errors import PartFailed

POLL_S = 0.02
"""How often readiness is asked; a part that is up is noticed within this."""

KILL_WAIT_S = 30.0
"""A killed process still takes the processor for its end, which a busy machine gives it late."""

LOCK_WAIT_S = guardian.SOFT_STOP_S + 3.0
LOG_TAIL_LINES = 15
LOG_TAIL_BYTES = 16_384


class Guard:
    """Client of the guardian process, which stops the watched groups should this process vanish."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", guardian.__file__],
            stdin=subprocess.PIPE,
            start_new_session=True,
            text=True,
        )
        self._lock = threading.Lock()
        self._groups: set[int] = set()

    def watch(self, group: int, soft_signal: signal.Signals) -> None:
        """Stop this process group if the present process dies."""
        self._groups.add(group)
        self._tell(f"+{group} {int(soft_signal)}\n")

    def forget(self, group: int) -> None:
        """Stop watching a group; call it when the group is gone."""
        self._groups.discard(group)
        self._tell(f"-{group}\n")

    @property
    def idle(self) -> bool:
        """Whether nothing is watched."""
        return not self._groups

    def close(self) -> None:
        """End the guardian; groups still watched are stopped by it."""
        pipe = self._process.stdin
        if pipe is not None:
            pipe.close()
        self._process.wait()

    def _tell(self, line: str) -> None:
        pipe = self._process.stdin
        if pipe is None:
            raise PartFailed("guardian", "its pipe is closed")
        with self._lock:
            try:
                pipe.write(line)
                pipe.flush()
            except BrokenPipeError as exc:
                raise PartFailed(
                    "guardian", "it has died, so nothing would stop the parts"
                ) from exc


class SharedGuard:
    """One guardian for this process, started with the first part and ended with the last."""

    _lock = threading.Lock()
    _guard: Guard | None = None

    @classmethod
    def watch(cls, group: int, soft_signal: signal.Signals) -> None:
        """Have the group stopped if the present process dies."""
        with cls._lock:
            if cls._guard is None:
                cls._guard = Guard()
            cls._guard.watch(group, soft_signal)

    @classmethod
    def forget(cls, group: int) -> None:
        """Stop watching a group that is gone."""
        with cls._lock:
            if cls._guard is None:
                return
            cls._guard.forget(group)
            if cls._guard.idle:
                cls._guard.close()
                cls._guard = None


@dataclass(frozen=True)
class Command:
    """How a process is started.

    Attributes:
        argv: Program and arguments.
        env: The whole environment of the process.
        cwd: Its working directory.
        user: User to run as; None for the present one.
        stop_signal: The signal that asks for an orderly end.
        stop_timeout_s: Seconds to wait for that end before killing.
        lock: A file that stays locked as long as the process or a child of it lives; two servers on
            one data directory would ruin it.
    """

    argv: Sequence[str]
    env: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    cwd: Path | None = None
    user: pwd.struct_passwd | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    stop_timeout_s: float = 30.0
    lock: Path | None = None


class UserArguments(TypedDict, total=False):
    """The arguments of subprocess that say whom a process runs as."""

    user: int
    group: int
    extra_groups: list[int]


def as_user(user: pwd.struct_passwd | None) -> UserArguments:
    """Return the arguments of subprocess for a user, with no group of the present one left."""
    if user is None:
        return {}
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


class ServerProcess:
    """A server in a session of its own.

    So Ctrl-C reaches only the supervisor, and a stop reaches all of the server's children.
    """

    def __init__(self, name: str, log_path: Path) -> None:
        self.name = name
        self.log_path = log_path
        self._process: subprocess.Popen[bytes] | None = None
        self._command: Command | None = None

    @property
    def pid(self) -> int | None:
        """Process id, also of its process group; None when never started or stopped."""
        return self._process.pid if self._process else None

    @property
    def exit_code(self) -> int | None:
        """Exit code once it ended by itself; None while it runs or when it was stopped."""
        return self._process.poll() if self._process else None

    @property
    def running(self) -> bool:
        """Whether the process is alive."""
        return self._process is not None and self._process.poll() is None

    def spawn(self, command: Command) -> None:
        """Start the process; its output is appended to the log.

        Raises:
            PartFailed: The program cannot be executed, or another server holds its lock.
        """
        self.log_path.parent.mkdir(parents=True, exist_ok=True)
        with self.log_path.open("ab") as log, self._lock(command.lock) as locks:
            try:
                self._process = subprocess.Popen(
                    list(command.argv),
                    env=dict(command.env),
                    cwd=command.cwd,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                    pass_fds=locks,
                    **as_user(command.user),
                )
            except OSError as exc:
                raise PartFailed(
                    self.name, f"cannot run {command.argv[0]}: {exc.strerror}"
                ) from exc
        self._command = command
        SharedGuard.watch(self._process.pid, command.stop_signal)

    @contextmanager
    def _lock(self, path: Path | None) -> Iterator[tuple[int, ...]]:
        """Yield the descriptor of the locked file for the process to inherit.

        The wait is for the servers of a killed supervisor, which its guardian is about to end.
        """
        if path is None:
            yield ()
            return
        deadline = time.monotonic() + LOCK_WAIT_S
        with path.open("a") as file:
            while not try_lock(file.fileno()):
                if time.monotonic() > deadline:
                    raise PartFailed(
                        self.name,
                        f"another one is running on {path.parent}; "
                        "for a second stack, set DIALPLANE_VAR to another directory",
                    )
                time.sleep(POLL_S)
            yield (file.fileno(),)

    def wait_ready(self, probe: Callable[[], bool], timeout_s: float) -> None:
        """Return once the probe says yes.

        Raises:
            PartFailed: The process ended, or the probe did not say yes in time.
        """
        deadline = time.monotonic() + timeout_s
        while not probe():
            if not self.running:
                raise self.failure(
                    f"it stopped with exit code {self.exit_code} before it was ready"
                )
            if time.monotonic() > deadline:
                raise self.failure(f"it was not ready within {timeout_s:g} s")
            time.sleep(POLL_S)

    def failure(self, reason: str) -> PartFailed:
        """Return an error that carries the end of this part's log."""
        return PartFailed(self.name, reason, log_tail(self.log_path))

    def stop(self) -> None:
        """End it in order, and by force after the command's timeout; no-op when stopped."""
        if self._process is None or self._command is None:
            return
        if self._process.poll() is None:
            self._process.send_signal(self._command.stop_signal)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(self._command.stop_timeout_s)
        self.kill()

    def kill(self) -> None:
        """Kill it and everything in its group, as a crash would; no-op when stopped."""
        if self._process is None:
            return
        guardian.send(self._process.pid, signal.SIGKILL)
        self._process.wait(KILL_WAIT_S)
        SharedGuard.forget(self._process.pid)
        self._process = None


def try_lock(descriptor: int) -> bool:
    """Take the exclusive lock of an open file unless somebody else holds it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def log_tail(path: Path, lines: int = LOG_TAIL_LINES) -> str:
    """Return the last lines of a log; empty when there is none."""
    if not path.exists():
        return ""
    with path.open("rb") as log:
        log.seek(max(0, path.stat().st_size - LOG_TAIL_BYTES))
        return "\n".join(log.read().decode(errors="replace").splitlines()[-lines:])
