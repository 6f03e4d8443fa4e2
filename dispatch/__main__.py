"""`python -m dispatch`: run the control loops until SIGTERM.

With `migrate` it runs the migrations, with `rotate-secrets` it moves all secrets to the first key.
"""

import argparse
import asyncio
import logging
import signal
import sys

import uvloop

from dispatch.bootstrap import open_dispatch, open_rotation
from dispatch.logs import configure_logging
from dispatch.loops import run_loops
from dispatch.settings import DispatchSettings
from dispatch.store.migrate import upgrade_to_head
from telephony.settings import LiveKitSettings

log = logging.getLogger(__name__)


def main() -> None:
    """Read the command and the settings, and run."""
    parser = argparse.ArgumentParser(prog="python -m dispatch", description=__doc__)
    parser.add_argument(
        "command",
        nargs="?",
        choices=["run", "migrate", "rotate-secrets"],
        default="run",
        help="run the control loops (default), bring the database to the newest schema, or seal "
        "everything under the first of DIALPLANE_SECRETS_KEYS",
    )
    command = parser.parse_args().command
    settings = DispatchSettings()
    configure_logging(settings.log_level, settings.log_format)
    if command == "migrate":
        upgrade_to_head(settings.database_url.get_secret_value())
    elif command == "rotate-secrets":
        sys.exit(uvloop.run(_rotate(settings)))
    else:
        uvloop.run(_run(settings, LiveKitSettings()))


async def _run(settings: DispatchSettings, livekit_settings: LiveKitSettings) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    async with open_dispatch(settings, livekit_settings) as dispatch:
        log.info("dispatch runs", extra={"loops": len(dispatch.loops)})
        await run_loops(dispatch.loops, dispatch.signals, stopping)
    log.info("dispatch has stopped")


async def _rotate(settings: DispatchSettings) -> int:
    """Rotate the secrets; return 1 when some cannot be, because their key is not configured."""
    async with open_rotation(settings) as rotation:
        done = await rotation.run()
    sys.stdout.write(f"{done.sentence}\n")
    return 1 if done.unreadable else 0


if __name__ == "__main__":
    main()
