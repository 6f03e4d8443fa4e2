"""How answers leave: what uvicorn writes in two parts, its head and its body, goes out as one.

Each part would be a packet of its own, by a system call of its own; for an answer of ours that is a
twentieth of the work, and it is as much again for whoever reads it.
"""

import asyncio
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


class JoiningProtocol(HttpToolsProtocol):
    """uvicorn's protocol over a transport that joins writes."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to serve a connection."""
        super().connection_made(cast("asyncio.Transport", JoiningTransport(transport, self.loop)))


class JoiningTransport:
    """A transport that holds a write back for a turn of the loop at most, to join the next to it.

    It never holds more than one: a long answer is slowed down by a slow reader as before.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._held = b""

    def write(self, data: bytes) -> None:
        """Send data, together with what is held, or hold it."""
        if self._held:
            data, self._held = self._held + data, b""
            self._transport.write(data)
        else:
            self._held = data
            self._loop.call_soon(self._release)

    def close(self) -> None:
        """Send what is held and close."""
        self._release()
        self._transport.close()

    def _release(self) -> None:
        data, self._held = self._held, b""
        if data and not self._transport.is_closing():
            self._transport.write(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)
