"""A small HTTP server whose answers are written byte by byte: well-behaved, slow or hostile."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any


@dataclass(frozen=True)
class Received:
    """A request as it arrived."""

    method: str
    target: str
    headers: dict[str, str]
    """By lower-case name."""
    body: bytes

    @property
    def json(self) -> Any:
        """The body, parsed."""
        return json.loads(self.body)


@dataclass(frozen=True)
class Reply:
    """What the server says, after `pause_s` and `until`; with `cut` without its body."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    pause_s: float = 0
    until: Callable[[], Awaitable[None]] | None = None
    cut: bool = False


Behave = Callable[[Received], Reply]


def json_reply(value: object, status: int = 200) -> Reply:
    """Answer with JSON."""
    return Reply(json.dumps(value).encode(), status, {"Content-Type": "application/json"})


@dataclass
class ToolServer:
    """A running server."""

    port: int
    behave: Behave
    received: list[Received] = field(default_factory=list)

    def url(self, path: str = "/", host: str = "127.0.0.1", scheme: str = "http") -> str:
        """Return a URL of this server."""
        return f"{scheme}://{host}:{self.port}{path}"


@asynccontextmanager
async def running_tool_server(
    behave: Behave, tls: ssl.SSLContext | None = None
) -> AsyncIterator[ToolServer]:
    """Serve on a free port of 127.0.0.1; connections are cut at the end."""
    connections: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        connections.add(task)
        try:
            while (request := await _read(reader)) is not None:
                server.received.append(request)
                if not await _answer(writer, server.behave(request)):
                    break
        except (ConnectionError, asyncio.CancelledError, asyncio.IncompleteReadError):
            pass
        finally:
            connections.discard(task)
            writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    server = ToolServer(listening.sockets[0].getsockname()[1], behave)
    try:
        yield server
    finally:
        listening.close()
        for task in list(connections):
            task.cancel()
        await asyncio.gather(*connections, return_exceptions=True)


async def _read(reader: asyncio.StreamReader) -> Received | None:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.rstrip("\r\n").split("\r\n")
    method, target, _ = first.split(" ")
    headers = {
        name.lower(): value.strip() for name, _, value in (ln.partition(":") for ln in lines)
    }
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Received(method, target, headers, body)


async def _answer(writer: asyncio.StreamWriter, reply: Reply) -> bool:
    """Write an answer; return whether the connection may be used again."""
    headers = {"Content-Length": str(len(reply.body)), **reply.headers}
    lines = [f"HTTP/1.1 {reply.status} {HTTPStatus(reply.status).phrase}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if reply.pause_s:
        await asyncio.sleep(reply.pause_s)
    if reply.until is not None:
        await reply.until()
    writer.write("\r\n".join([*lines, "", ""]).encode("latin-1"))
    if not reply.cut:
        writer.write(reply.body)
    await writer.drain()
    return not reply.cut
