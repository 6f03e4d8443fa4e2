"""Starts the parts of a stack as early as each can, watches them, and stops them in order."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from stack.build import ensure_servers
from stack.errors import PartFailed, StackError
from stack.health import failing_checks
from stack.parts import NEEDS, PART_NAMES, STOP_ORDER, Part, PartFactory, PartName
from stack.ports import LOOPBACK, Ports, claimed_ports, require_free
from stack.processes import LOG_TAIL_LINES, log_tail
from stack.settings import StackSettings

WATCH_INTERVAL_S = 0.2
READY_POLL_S = 0.05
READY_TIMEOUT_S = 300.0

Say = Callable[[str], None]


class Stack:
    """A running stack: where its parts are, and the means to make any of them fail.

    Attributes:
        var: Its directory.
        bin_dir: Directory of the livekit servers.
        logs: Directory of the parts' logs, `<part>.log`.
        ports: Its ports, all on 127.0.0.1.
        timings_s: How long each part took from its start to ready, in seconds.
    """

    def __init__(
        self, var: Path, bin_dir: Path, ports: Ports, extra_environment: Mapping[str, str]
    ) -> None:
        self.var = var.resolve()
        self.bin_dir = bin_dir
        self.ports = ports
        self.timings_s: dict[str, float] = {}
        self._factory = PartFactory(self.var, bin_dir, ports, extra_environment)
        self.logs = self._factory.logs
        self.logs.mkdir(parents=True, exist_ok=True)
        self._parts: dict[PartName, Part] = self._factory.make()
        self._wanted: set[PartName] = set()
        self._threads = ThreadPoolExecutor()

    @property
    def gateway_url(self) -> str:
        """Base URL of the API."""
        return f"http://{LOOPBACK}:{self.ports.gateway}"

    @property
    def admin_key(self) -> str:
        """Key of the admin API."""
        return self._factory.secrets.admin_key

    @property
    def sip_address(self) -> str:
        """Where carriers and softphones send their calls, `host:port` over UDP."""
        return f"{LOOPBACK}:{self.ports.sip}"

    @property
    def livekit_url(self) -> str:
        """WebSocket URL of livekit-server."""
        return f"ws://{LOOPBACK}:{self.ports.livekit}"

    @property
    def livekit_api_key(self) -> str:
        """LiveKit API key."""
        return self._factory.secrets.livekit.key

    @property
    def livekit_api_secret(self) -> str:
        """LiveKit API secret."""
        return self._factory.secrets.livekit.secret

    @property
    def redis_url(self) -> str:
        """URL of Redis, password included."""
        return self._factory.redis.url

    @property
    def database_url(self) -> str:
        """SQLAlchemy URL of Postgres, password included."""
        return self._factory.postgres.url

    @property
    def environment(self) -> dict[str, str]:
        """The environment in which gateway, dispatch and worker run."""
        return self._factory.environment

    def pid(self, name: PartName) -> int | None:
        """Return the process id of a part, which also leads its process group; None when down."""
        return self._parts[name].process.pid

    async def start(self, name: PartName) -> None:
        """Start a part and wait until it is ready; no-op when it runs.

        Raises:
            PartFailed: It did not become ready.
        """
        started = time.monotonic()
        await self._in_thread(self._parts[name].start)
        self.timings_s[name] = time.monotonic() - started
        self._wanted.add(name)

    async def stop(self, name: PartName) -> None:
        """Stop a part in order and leave it down."""
        self._wanted.discard(name)
        await self._in_thread(self._parts[name].stop)

    async def kill(self, name: PartName) -> None:
        """Kill a part with everything it started, as a crash would, and leave it down."""
        self._wanted.discard(name)
        await self._in_thread(self._parts[name].kill)

    async def restart(self, name: PartName) -> None:
        """Stop a part in order and start it again."""
        await self.stop(name)
        await self.start(name)

    async def bring_up(self, say: Say) -> None:
        """Start every part and return when each runs; `wait_ready` tells when calls are answered.

        Raises:
            PartFailed: A part failed; the others keep running until `tear_down`.
        """
        up: dict[str, asyncio.Event] = {name: asyncio.Event() for name in (*NEEDS, "migrate")}

        async def bring_up_part(name: PartName) -> None:
            for needed in (*NEEDS[name], *(["migrate"] if name == "dispatch" else [])):
                await up[needed].wait()
            await self.start(name)
            say(f"{name} is up ({self.timings_s[name]:.1f} s)")
            up[name].set()

        async def migrate() -> None:
            await up["postgres"].wait()
            await self._in_thread(self._factory.migrate)
            up["migrate"].set()

        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(migrate())
                for name in PART_NAMES:
                    group.create_task(bring_up_part(name))
        except* StackError as failed:
            raise failed.exceptions[0] from None

    async def wait_ready(self, timeout_s: float = READY_TIMEOUT_S) -> None:
        """Return when the gateway's `/readyz` says that every part does its work.

        Raises:
            PartFailed: A part died, or something is still missing after the timeout.
        """
        deadline = time.monotonic() + timeout_s
        while (failing := await asyncio.to_thread(failing_checks, self.ports.gateway)) != []:
            self.check()
            if time.monotonic() > deadline:
                missing = "; ".join(failing or ["it does not answer"])
                raise PartFailed("gateway", f"not ready after {timeout_s:g} s: {missing}")
            await asyncio.sleep(READY_POLL_S)

    def check(self) -> None:
        """Do nothing if every part that should run does.

        Raises:
            PartFailed: A part has died; with the end of its log.
        """
        for name in sorted(self._wanted):
            process = self._parts[name].process
            if not process.running:
                raise process.failure(f"it died with exit code {process.exit_code}")

    async def watch(self) -> None:
        """Run for as long as every part does.

        Raises:
            PartFailed: A part has died.
        """
        while True:
            self.check()
            await asyncio.sleep(WATCH_INTERVAL_S)

    async def recover(self) -> None:
        """Start every part that is down, whatever ended it, and wait until all is ready again.

        Raises:
            PartFailed: A part did not come back.
        """
        for name in PART_NAMES:
            if not self._parts[name].process.running:
                await self.kill(name)
                await self.start(name)
        await self.wait_ready()

    def state(self) -> dict[PartName, str]:
        """Return for every part whether it runs, or how it ended."""
        processes = {name: self._parts[name].process for name in PART_NAMES}
        return {
            name: "running" if process.running else f"down, exit code {process.exit_code}"
            for name, process in processes.items()
        }

    def log_tail(self, name: PartName, lines: int = LOG_TAIL_LINES) -> str:
        """Return the last lines of a part's log."""
        return log_tail(self._parts[name].process.log_path, lines)

    async def tear_down(self) -> None:
        """Stop every part: callers first, data last.

        A start that was interrupted may still be running in its thread; it ends when its process
        does, and what it started meanwhile is stopped in a second round.
        """
        await self._stop_all()
        await asyncio.to_thread(self._threads.shutdown, cancel_futures=True)
        self._threads = ThreadPoolExecutor()
        await self._stop_all()
        self._threads.shutdown()

    async def _stop_all(self) -> None:
        for names in STOP_ORDER:
            await asyncio.gather(*(self.stop(name) for name in names))

    async def _in_thread(self, action: Callable[[], None]) -> None:
        await asyncio.get_running_loop().run_in_executor(self._threads, action)


@asynccontextmanager
async def running_stack(
    settings: StackSettings | None = None,
    *,
    bin_dir: Path | None = None,
    extra_environment: Mapping[str, str] | None = None,
    say: Say | None = None,
    until_ready: bool = True,
) -> AsyncIterator[Stack]:
    """Run a whole stack for the length of the block.

    Args:
        settings: Directory and ports; the environment's by default.
        bin_dir: Directory with both livekit servers; built into `bin` of the stack's directory by
            default.
        extra_environment: Settings of gateway, dispatch and worker beside the stack's own.
        say: Told what is going on, a line at a time.
        until_ready: Whether to wait until calls would be answered; without, the API can be used
            while the worker is still warming up.

    Raises:
        StackError: It could not be brought up; everything that was started is stopped again.
    """
    settings = settings or StackSettings()
    say = say or (lambda _line: None)
    try:
        settings.var.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise StackError(
            f"The directory {settings.var} cannot be made: {exc.strerror}. "
            "Set DIALPLANE_VAR to one that can."
        ) from exc
    with claimed_ports(settings.port_base) as claimed:
        ports = settings.apply_to(claimed)
        require_free(ports)
        programs = bin_dir
        if programs is None:
            programs = await asyncio.to_thread(ensure_servers, settings.var, say)
        stack = Stack(settings.var, programs, ports, extra_environment or {})
        try:
            await stack.bring_up(say)
            if until_ready:
                await stack.wait_ready()
            yield stack
        finally:
            await stack.tear_down()


@contextmanager
def background_stack(var: Path, bin_dir: Path) -> Iterator[Stack]:
    """Run a whole stack for the length of the block, tied to no event loop.

    For tests, of which each has a loop of its own but all share one stack.

    Raises:
        PartFailed: It could not be brought up; everything that was started is stopped again.
    """
    with claimed_ports() as ports, ThreadPoolExecutor(max_workers=1) as thread:
        stack = Stack(var, bin_dir, ports, {})
        try:
            thread.submit(asyncio.run, stack.bring_up(print)).result()
            thread.submit(asyncio.run, stack.wait_ready()).result()
            yield stack
        finally:
            thread.submit(asyncio.run, stack.tear_down()).result()
