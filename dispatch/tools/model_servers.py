"""The way to servers of models: guarded like the tools', for tenants name these servers, too.

The package openai speaks httpx2; the guard sits in connections of httpx. This hands requests of the
one to the other, bodies still on their way.
"""

import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Final

import httpcore
import httpx
import httpx2
import openai

from dispatch.tools.addresses import AllowedHosts, HostRefused
from dispatch.tools.guarded_transport import GuardedTransport, HostNotFound
from dispatch.tools.runner import default_tls

OPENAI_URL: Final = "https://api.openai.com/v1"

NO_KEY: Final = "none"
"""What servers that want no key are given, for the client insists on one."""

_TIMEOUT: Final = httpx2.Timeout(30.0, connect=5.0)
"""Longest silence of a server, before its answer and within it."""

_PORTS: Final = {"http": 80, "https": 443}


def model_server_client(
    allowed: AllowedHosts, tls: ssl.SSLContext | None = None
) -> openai.AsyncOpenAI:
    """Return the client from which all tenants' are made, `with_options` of their own.

    Its connections are shared by all of them; keys travel in headers, with each request.

    Args:
        allowed: Hosts allowed by name although they are private or speak plain HTTP.
        tls: How servers' certificates are checked; by the usual authorities if left out.
    """
    http = httpx2.AsyncClient(
        transport=_GuardedTransport(allowed, tls or default_tls()),
        timeout=_TIMEOUT,
        # A proxy of this machine's environment would connect for us, unguarded.
        trust_env=False,
    )
    return openai.AsyncOpenAI(api_key=NO_KEY, base_url=OPENAI_URL, http_client=http)


class _GuardedTransport(httpx2.AsyncBaseTransport):
    """httpx2's transport over guarded connections."""

    def __init__(self, allowed: AllowedHosts, tls: ssl.SSLContext) -> None:
        self._allowed = allowed
        self._guarded = GuardedTransport(allowed, tls)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send a request and return its answer, the body still on its way."""
        url = request.url
        with _errors_of_httpx2(request):
            self._allowed.check(url.scheme, url.host, url.port or _PORTS[url.scheme])
            response = await self._guarded.handle_async_request(
                httpx.Request(
                    request.method,
                    str(url),
                    headers=request.headers.raw,
                    content=await request.aread(),
                    extensions=dict(request.extensions),
                )
            )
        return httpx2.Response(
            response.status_code,
            headers=response.headers.raw,
            stream=_Body(request, response),
        )

    async def aclose(self) -> None:
        """Close every connection."""
        await self._guarded.aclose()


class _Body(httpx2.AsyncByteStream):
    """The body of an answer."""

    def __init__(self, request: httpx2.Request, response: httpx.Response) -> None:
        self._request = request
        self._response = response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _errors_of_httpx2(self._request):
            async for chunk in self._response.aiter_raw():
                yield chunk

    async def aclose(self) -> None:
        await self._response.aclose()


@contextmanager
def _errors_of_httpx2(request: httpx2.Request) -> Iterator[None]:
    """Turn what goes wrong on the way into errors that httpx2's users know."""
    try:
        yield
    except httpcore.ConnectTimeout as exc:
        raise httpx2.ConnectTimeout("The server cannot be reached.", request=request) from exc
    except httpcore.TimeoutException as exc:
        raise httpx2.ReadTimeout("The server is silent.", request=request) from exc
    except (httpcore.ConnectError, HostNotFound) as exc:
        raise httpx2.ConnectError("The server cannot be reached.", request=request) from exc
    except HostRefused as exc:
        raise httpx2.UnsupportedProtocol(str(exc), request=request) from exc
    except (httpcore.NetworkError, httpcore.ProtocolError) as exc:
        raise httpx2.ReadError("The connection broke.", request=request) from exc
