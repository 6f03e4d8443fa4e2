"""HTTP connections that reach only what `dispatch.tools.addresses` lets through.

The check sits where the connection is opened: httpcore asks our backend to connect to a host, the
backend resolves it, judges what it resolves to and connects to a judged address. The request keeps
its host name, so `Host`, TLS server name and certificate check are untouched, and so does the pool
of connections.
"""

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import AsyncIterator, Iterable
from typing import Any, Final

import httpcore
import httpx

from dispatch.tools.addresses import AllowedHosts, HostRefused, is_public

_MOST_CONNECTIONS: Final = 500
_KEEPALIVE_S: Final = 5.0

_CONNECT_TIMEOUT_S: Final = 3.0
"""For each address of a host: one that does not answer must leave time for the next."""


class HostNotFound(Exception):
    """The name has no address."""


class _GuardedBackend(httpcore.AsyncNetworkBackend):
    """Opens connections to judged addresses."""

    def __init__(self, allowed: AllowedHosts) -> None:
        self._allowed = allowed
        self._sockets = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  (httpcore's interface)
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to one of the host's addresses that may be connected to.

        Raises:
            HostRefused: None of them may.
            HostNotFound: It has none.
            httpcore.ConnectError: None of them answered.
        """
        failure: Exception = HostNotFound()
        limit_s = min(timeout or _CONNECT_TIMEOUT_S, _CONNECT_TIMEOUT_S)
        for address in await self._addresses(host, port):
            try:
                return await self._sockets.connect_tcp(
                    address, port, limit_s, local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as exc:
                failure = exc
        raise failure

    async def _addresses(self, host: str, port: int) -> list[str]:
        loop = asyncio.get_running_loop()
        try:
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, OverflowError, UnicodeError) as exc:
            raise HostNotFound from exc
        addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        if self._allowed.names(host, port):
            return addresses
        public = [address for address in addresses if is_public(ipaddress.ip_address(address))]
        if addresses and not public:
            raise HostRefused("This host is not at a public address.")
        return public

    async def connect_unix_socket(
        self, *_args: Any, **_options: Any
    ) -> httpcore.AsyncNetworkStream:
        """Refuse: no URL leads to a socket on this machine."""
        raise HostRefused("Tools do not connect to local sockets.")

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)


class _Body(httpx.AsyncByteStream):
    """The body of an answer as httpx reads it."""

    def __init__(self, response: httpcore.Response) -> None:
        self._response = response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._response.aiter_stream():
            yield chunk

    async def aclose(self) -> None:
        await self._response.aclose()


class GuardedTransport(httpx.AsyncBaseTransport):
    """httpx's transport over guarded connections; its errors are httpcore's and those above.

    Args:
        allowed: Hosts allowed by name.
        tls: How servers' certificates are checked.
    """

    def __init__(self, allowed: AllowedHosts, tls: ssl.SSLContext) -> None:
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=tls,
            max_connections=_MOST_CONNECTIONS,
            keepalive_expiry=_KEEPALIVE_S,
            network_backend=_GuardedBackend(allowed),
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request and return its answer, the body still on its way."""
        response = await self._pool.handle_async_request(
            httpcore.Request(
                method=request.method,
                url=httpcore.URL(
                    scheme=request.url.raw_scheme,
                    host=request.url.raw_host,
                    port=request.url.port,
                    target=request.url.raw_path,
                ),
                headers=request.headers.raw,
                content=request.stream,
                extensions=request.extensions,
            )
        )
        return httpx.Response(
            response.status,
            headers=response.headers,
            stream=_Body(response),
            extensions=response.extensions,
        )

    async def aclose(self) -> None:
        """Close every connection."""
        await self._pool.aclose()
