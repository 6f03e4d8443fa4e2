"""A UDP socket for media whose packets carry the time the kernel received them.

The event loop may be late; the kernel's own time stamp is not. Latency measured from it is that
of the far end, not of this process. Where the platform has no such stamp (it is a Linux socket
option), the moment of reading stands in.
"""

import asyncio
import socket
import struct
import sys
import time
from collections.abc import Callable
from typing import Final, TypeAlias

Endpoint: TypeAlias = tuple[str, int]
"""IP address and port."""

_LARGEST_DATAGRAM: Final = 2048
_MOST_AT_ONCE: Final = 64
_TIMESPEC: Final = struct.Struct("@ll")
# SO_TIMESTAMPNS is 35 on every Linux architecture Python runs on but SPARC and PA-RISC; the
# socket module does not name it. Source: linux/asm-generic/socket.h.
_SO_TIMESTAMPNS: Final = 35


class MediaSocket:
    """A bound, non-blocking UDP socket read by the running event loop."""

    def __init__(self, host: str, on_datagram: Callable[[bytes, Endpoint, float], None]) -> None:
        """Bind a free even port, as RTP asks for (RFC 3550 section 11).

        Args:
            host: Address to bind.
            on_datagram: Called with datagram, source and arrival in monotonic seconds.
        """
        self._on_datagram = on_datagram
        self._loop = asyncio.get_running_loop()
        self._socket = _bind_even_port(host)
        if sys.platform == "linux":
            self._socket.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        self._loop.add_reader(self._socket, self._read)

    @property
    def port(self) -> int:
        """The bound port."""
        port: int = self._socket.getsockname()[1]
        return port

    def send(self, datagram: bytes, to: Endpoint) -> bool:
        """Send at once; False when the network would not take it, as a lost packet."""
        try:
            self._socket.sendto(datagram, to)
        except OSError:
            return False
        return True

    def close(self) -> None:
        """Stop reading and free the port."""
        if self._socket.fileno() >= 0:
            self._loop.remove_reader(self._socket)
            self._socket.close()

    def _read(self) -> None:
        for _ in range(_MOST_AT_ONCE):
            if self._socket.fileno() < 0:
                return
            try:
                datagram, ancillary, _, source = self._socket.recvmsg(_LARGEST_DATAGRAM, 64)
            except BlockingIOError:
                return
            except OSError:
                # An ICMP "port unreachable" for an earlier packet; the next read goes on.
                continue
            self._on_datagram(datagram, source[:2], _arrival(ancillary))


def _bind_even_port(host: str) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    odd: list[socket.socket] = []
    try:
        while True:
            candidate = socket.socket(family, socket.SOCK_DGRAM)
            candidate.settimeout(0)
            candidate.bind((host, 0))
            if candidate.getsockname()[1] % 2 == 0:
                return candidate
            # Held until an even port is found, or the kernel may offer the same one again.
            odd.append(candidate)
    finally:
        for refused in odd:
            refused.close()


def _arrival(ancillary: list[tuple[int, int, bytes]]) -> float:
    now = time.monotonic()
    for level, kind, data in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, _SO_TIMESTAMPNS):
            seconds, nanoseconds = _TIMESPEC.unpack_from(data)
            waited = time.time() - float(seconds + nanoseconds / 1e9)
            # A step of the wall clock must not move a packet far from when it was read.
            return now - min(max(waited, 0.0), 1.0)
    return now
