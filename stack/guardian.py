"""The process that outlives a killed supervisor just long enough to stop what it started.

Run by path with `python -I -S`, so that it starts in milliseconds; it needs only the standard
library. It reads lines from its standard input: `+<process group> <signal>` to watch a group,
`-<process group>` to forget it. At the end of the input, which the kernel guarantees however the
supervisor dies, it sends each group its signal, waits, and kills what is left.
"""

import os
import signal
import sys
import time

SOFT_STOP_S = 5.0
POLL_S = 0.05


def read_groups() -> dict[int, int]:
    """Follow the supervisor until it is gone; return the groups left and the signal of each."""
    groups: dict[int, int] = {}
    for line in sys.stdin:
        words = line[1:].split()
        if line.startswith("+"):
            groups[int(words[0])] = int(words[1])
        else:
            groups.pop(int(words[0]), None)
    return groups


def send(group: int, signal_number: int) -> bool:
    """Signal a process group and return whether it still has a process."""
    try:
        os.killpg(group, signal_number)
    except ProcessLookupError:
        return False
    except PermissionError:
        # macOS answers so for a group that only holds zombies.
        return False
    return True


def stop(groups: dict[int, int]) -> None:
    """Ask every group to stop, give them a moment, and kill the rest."""
    left = {group for group, soft_signal in groups.items() if send(group, soft_signal)}
    deadline = time.monotonic() + SOFT_STOP_S
    while left and time.monotonic() < deadline:
        time.sleep(POLL_S)
        left = {group for group in left if send(group, 0)}
    for group in left:
        send(group, signal.SIGKILL)


if __name__ == "__main__":
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    stop(read_groups())
