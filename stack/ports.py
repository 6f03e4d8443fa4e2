"""Ports of this machine's loopback address, in blocks that two stacks never share.

A block is claimed by listening on its first port: the kernel gives it to one process only and takes
it back however that process ends. The blocks lie below the range from which Linux and macOS pick
ports for outgoing connections, so nothing else is likely to be in one.
"""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Self

from stack.errors import MissingTool

LOOPBACK = "127.0.0.1"
FIRST_BLOCK = 20_000
END_OF_BLOCKS = 32_000
BLOCK_SIZE = 1_000
MEDIA_OFFSET = 100
"""Ports of a block from here on are for media."""

RTC_PORTS = 500
"""UDP ports for WebRTC: at most four a call."""


@dataclass(frozen=True)
class Ports:
    """The ports of one stack; ranges are inclusive."""

    postgres: int
    redis: int
    livekit: int
    livekit_rtc_tcp: int
    sip: int
    gateway: int
    worker_health: int
    rtc: tuple[int, int]
    rtp: tuple[int, int]

    @classmethod
    def of_block(cls, base: int) -> Self:
        """Return the ports of a block; `base` itself is the claim."""
        media = base + MEDIA_OFFSET
        return cls(
            gateway=base + 1,
            livekit=base + 2,
            livekit_rtc_tcp=base + 3,
            postgres=base + 4,
            redis=base + 5,
            worker_health=base + 6,
            sip=base + 60,
            rtc=(media, media + RTC_PORTS - 1),
            # Ports drain for half a minute after a call, so they are more than calls at once.
            rtp=(media + RTC_PORTS, base + BLOCK_SIZE - 1),
        )

    def taken(self) -> list[int]:
        """Return those of the servers' own ports that something else listens on."""
        tcp = [
            self.gateway,
            self.livekit,
            self.livekit_rtc_tcp,
            self.postgres,
            self.redis,
            self.worker_health,
        ]
        taken = [port for port in tcp if not is_free(port)]
        return taken if is_free(self.sip, socket.SOCK_DGRAM) else [*taken, self.sip]


@contextmanager
def claimed_ports(base: int = 0) -> Iterator[Ports]:
    """Hold a block of ports for the length of the block of code.

    Args:
        base: First port of the block to take; 0 takes the first block that is free.

    Raises:
        MissingTool: The block asked for, or every block, is in use.
    """
    bases = [base] if base else range(FIRST_BLOCK, END_OF_BLOCKS, BLOCK_SIZE)
    for candidate in bases:
        claim = try_to_claim(candidate)
        if claim is None:
            continue
        with claim:
            yield Ports.of_block(candidate)
        return
    wanted = f"The ports from {base}" if base else f"All port blocks from {FIRST_BLOCK}"
    raise MissingTool(f"{wanted} are in use; set DIALPLANE_PORT_BASE to a free thousand.")


def require_free(ports: Ports) -> None:
    """Do nothing if nobody listens on any of the servers' ports.

    Raises:
        MissingTool: Somebody does, as on a port that the user fixed.
    """
    if taken := ports.taken():
        listed = ", ".join(str(port) for port in taken)
        raise MissingTool(
            f"Something else listens on port {listed}; choose another, or none, "
            "as DIALPLANE_GATEWAY_PORT, _LIVEKIT_, _SIP_, _POSTGRES_ or _REDIS_PORT."
        )


def try_to_claim(base: int) -> socket.socket | None:
    """Return the socket that claims a block, or None when anything of the block is in use."""
    claim = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        claim.bind((LOOPBACK, base))
        claim.listen()
    except OSError:
        claim.close()
        return None
    if Ports.of_block(base).taken():
        claim.close()
        return None
    return claim


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """Return a port nobody listens on now; the kernel does not hand it out again at once."""
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def is_free(port: int, kind: socket.SocketKind = socket.SOCK_STREAM) -> bool:
    """Whether a port of the loopback address can be bound."""
    with socket.socket(socket.AF_INET, kind) as probe:
        if kind == socket.SOCK_STREAM:
            # As servers do: a port whose last connections are still in TIME_WAIT can be bound.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True
