"""`python -m worker`: takes calls until SIGTERM, then lets those that are on finish.

Exit codes: 0 after an orderly stop; 1 when LiveKit could not be reached for good, so that a
supervisor starts the worker again; 2 when a setting is missing or wrong.
"""

import asyncio
import contextlib
import logging
import os
import secrets
import signal
import socket
import sys

from pydantic import ValidationError

from dispatch.live_calls import LiveCalls
from dispatch.logs import configure_logging
from dispatch.settings import DispatchSettings
from dispatch.store.redis_client import connect_redis
from dispatch.workers import WorkerPresence
from telephony.settings import LiveKitSettings
from worker.lost_jobs import forsake_lost_jobs
from worker.presence import keep_present
from worker.server import CallServer
from worker.settings import WorkerSettings

logger = logging.getLogger("worker")

_LOOK_EVERY_S = 0.5
"""How often the worker looks whether the processes of its jobs live."""

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


async def run(
    settings: WorkerSettings, dispatch_settings: DispatchSettings, livekit: LiveKitSettings
) -> int:
    """Run the worker until it is told to stop or LiveKit is given up; return the exit code."""
    calls = CallServer(settings, livekit, dispatch_settings.dialplane_worker_name)
    stop = _stop_signals()
    redis = connect_redis(dispatch_settings.redis_url.get_secret_value(), max_connections=2)
    present = asyncio.create_task(
        keep_present(
            WorkerPresence(redis),
            f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}",
            calls.registered,
            lambda: (
                None if calls.server.draining or not calls.is_connected else calls.count_calls()
            ),
            settings.worker_max_calls,
            settings.presence_interval.total_seconds(),
        )
    )
    watching = asyncio.create_task(
        forsake_lost_jobs(LiveCalls(redis, dispatch_settings), calls.running_jobs, _LOOK_EVERY_S)
    )
    serving = asyncio.create_task(calls.server.run())
    try:
        return await _serve(calls, serving, stop)
    finally:
        present.cancel()
        await calls.server.aclose()
        watching.cancel()
        await asyncio.gather(serving, present, watching, return_exceptions=True)
        await redis.aclose()


async def _serve(
    calls: CallServer, serving: asyncio.Task[None], stop: "asyncio.Queue[signal.Signals]"
) -> int:
    stopped = asyncio.create_task(stop.get())
    await asyncio.wait({serving, stopped}, return_when=asyncio.FIRST_COMPLETED)
    if serving.done():
        stopped.cancel()
        failure = serving.exception()
        logger.error("worker gave up", extra={"reason": str(failure)})
        return 1
    if not calls.registered.is_set():
        return 0
    logger.info("worker drains", extra={"active_calls": calls.count_calls()})
    draining = asyncio.create_task(calls.server.drain())
    hurried = asyncio.create_task(stop.get())
    await asyncio.wait({draining, hurried}, return_when=asyncio.FIRST_COMPLETED)
    hurried.cancel()
    draining.cancel()
    with contextlib.suppress(asyncio.CancelledError, TimeoutError):
        await draining
    return 0


def _stop_signals() -> "asyncio.Queue[signal.Signals]":
    """Return the queue of signals to stop: the first drains, the second hurries."""
    received: asyncio.Queue[signal.Signals] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    for number in _SIGNALS:
        loop.add_signal_handler(number, received.put_nowait, number)
    return received


class WithoutPersonalData(logging.Filter):
    """Drops personal data that the framework adds to its messages.

    The name of a room holds the dialled number (the room's id stays), and some messages quote what
    was said.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record pass, without those fields."""
        fields = vars(record)
        for name in [name for name in fields if name == "room" or name.startswith("lk.pii.")]:
            del fields[name]
        return True


def main() -> int:
    """Read the settings and run; return the exit code."""
    try:
        settings = WorkerSettings()
        dispatch_settings = DispatchSettings()
        livekit = LiveKitSettings()
    except ValidationError as exc:
        names = ", ".join(str(error["loc"][0]).upper() for error in exc.errors())
        sys.stderr.write(f"worker: settings missing or wrong: {names}\n")
        return 2
    configure_logging(dispatch_settings.log_level, dispatch_settings.log_format)
    for handler in logging.getLogger().handlers:
        handler.addFilter(WithoutPersonalData())
    if dispatch_settings.log_level != "DEBUG":
        # The framework writes identities of participants and names of rooms, which hold phone
        # numbers, into its everyday messages.
        logging.getLogger("livekit").setLevel(logging.WARNING)
    return asyncio.run(run(settings, dispatch_settings, livekit))


if __name__ == "__main__":
    sys.exit(main())
