"""Runs a tool: checks the arguments, makes the request, and says in a sentence what went wrong."""

import asyncio
import functools
import logging
import ssl
import time
from collections.abc import Awaitable, Callable, Mapping
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, Final

import httpcore
import httpx
from tenacity import (
    AsyncRetrying,
    RetryError,
    retry_if_exception_type,
    retry_if_result,
    stop_after_attempt,
    wait_exponential_jitter,
)

from dispatch.errors import SecretUnreadable, StoreUnavailable
from dispatch.tool_definition import HttpRequest, ToolDefinition, fill_secrets
from dispatch.tool_parameters import complaints_about
from dispatch.tools.addresses import AllowedHosts, HostRefused
from dispatch.tools.guarded_transport import GuardedTransport, HostNotFound
from dispatch.tools.requests import Outgoing, UnfitCall, first_request, origin_of, redirected
from dispatch.tools.results import ToolResult, failed, result_of, without

logger = logging.getLogger(__name__)

SecretsOf = Callable[[str], Awaitable[Mapping[str, str]]]
"""Returns a provider's values by name: `functools.partial(secrets.for_call, project_id)`."""

LONGEST_ANSWER_BYTES: Final = 65_536
MOST_REDIRECTS: Final = 3

_REPEATED_STATUSES: Final = frozenset({429, 502, 503, 504})
_SHORTEST_SECRET: Final = 6
"""Shorter values stand in texts by chance."""

_NO_CONNECTION: Final = (httpcore.ConnectError, httpcore.ConnectTimeout)
_BROKEN: Final = (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException)
_FAILURES: Final = (
    *_BROKEN,
    HostNotFound,
    HostRefused,
    TimeoutError,
    UnfitCall,
    httpx.HTTPError,
    httpx.InvalidURL,
)


@functools.cache
def default_tls() -> ssl.SSLContext:
    """Return how servers' certificates are checked: by the usual authorities; loaded once."""
    return httpx.create_ssl_context()


class HttpToolRunner:
    """Runs tools over HTTP; one serves a whole process.

    Args:
        allowed: Hosts allowed by name although they are private or speak plain HTTP.
        tls: How servers' certificates are checked; by the usual authorities if left out.
    """

    def __init__(self, allowed: AllowedHosts, tls: ssl.SSLContext | None = None) -> None:
        self._allowed = allowed
        self._tls = tls
        self._opened: httpx.AsyncClient | None = None

    async def aclose(self) -> None:
        """Close every connection."""
        if self._opened is not None:
            await self._opened.aclose()

    async def run(
        self, tool: ToolDefinition, arguments: Mapping[str, Any], secrets: SecretsOf
    ) -> ToolResult:
        """Call a tool and return what it said, or what went wrong; raises nothing of its own.

        Args:
            tool: The tool.
            arguments: What the model or the script gives it.
            secrets: Where the values of the headers' placeholders are.
        """
        began_s = time.monotonic()
        result = await self._run(tool, arguments, secrets)
        logger.info(
            "tool called",
            extra={
                "tool_id": str(tool.tool_id),
                "status": result.status,
                "failed": result.is_error,
                "took_ms": round((time.monotonic() - began_s) * 1000),
            },
        )
        return result

    async def _run(
        self, tool: ToolDefinition, arguments: Mapping[str, Any], secrets: SecretsOf
    ) -> ToolResult:
        complaints = complaints_about(tool.parameters, arguments)
        if complaints:
            return failed(f"The arguments do not fit. {' '.join(complaints)}")
        try:
            async with asyncio.timeout(tool.http.timeout_s):
                headers, told = await _filled_headers(tool.http, secrets)
                outgoing = first_request(tool.http, arguments, headers)
                result = await self._with_repetitions(tool.http, outgoing)
        except _FAILURES as exc:
            return failed(_sentence_of(exc, tool.http.timeout_s))
        return ToolResult(without(result.text, told), result.is_error, result.status)

    async def _with_repetitions(self, http: HttpRequest, outgoing: Outgoing) -> ToolResult:
        # A connection that never came about has carried nothing, so anything may be tried again.
        again = (*_NO_CONNECTION, *_BROKEN) if http.may_repeat else _NO_CONNECTION
        attempts = AsyncRetrying(
            stop=stop_after_attempt(http.max_attempts),
            wait=wait_exponential_jitter(multiplier=0.2, max=2.0, jitter=0.2),
            retry=retry_if_exception_type(again)
            | retry_if_result(
                lambda result: http.may_repeat and result.status in _REPEATED_STATUSES
            ),
            reraise=True,
        )
        try:
            return await attempts(self._follow, outgoing)
        except RetryError as exc:
            last: ToolResult = exc.last_attempt.result()
            return last

    async def _follow(self, outgoing: Outgoing) -> ToolResult:
        """Make a request and go where its answer points to, each place checked like the first."""
        for _ in range(MOST_REDIRECTS + 1):
            self._allowed.check(*origin_of(outgoing.url))
            async with self._client().stream(
                outgoing.method,
                outgoing.url,
                headers=outgoing.headers,
                content=outgoing.content,
                follow_redirects=False,
            ) as response:
                if not response.has_redirect_location:
                    return result_of(response, await _body_of(response))
                outgoing = redirected(outgoing, response)
        raise UnfitCall(f"The tool redirects more than {MOST_REDIRECTS} times.")

    def _client(self) -> httpx.AsyncClient:
        if self._opened is None:
            transport = GuardedTransport(self._allowed, self._tls or default_tls())
            self._opened = httpx.AsyncClient(
                transport=transport,
                # A proxy of this machine's environment would connect for us, unguarded.
                trust_env=False,
                # The whole call has one time limit, set around it.
                timeout=None,  # noqa: S113
                # What a server sets must not travel to another tenant's call.
                cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
            )
            self._opened.headers = httpx.Headers({"user-agent": "dialplane"})
        return self._opened


def _sentence_of(failure: Exception, timeout_s: float) -> str:
    match failure:
        case TimeoutError():
            return f"The tool did not answer within {timeout_s:g} seconds."
        case UnfitCall() | HostRefused():
            return str(failure)
        case HostNotFound():
            return "The tool's host cannot be found."
        case httpcore.ConnectError() | httpcore.ConnectTimeout():
            return "The tool cannot be reached."
        case _:
            return "The connection to the tool broke."


async def _filled_headers(
    http: HttpRequest, secrets: SecretsOf
) -> tuple[dict[str, str], list[str]]:
    """Return the headers as they are sent, and which secrets stand in them."""
    values: dict[tuple[str, str], str] = {}
    named = list(http.secrets)
    for provider in dict.fromkeys(provider for provider, _ in named):
        try:
            of_provider = await secrets(provider)
        except (StoreUnavailable, SecretUnreadable) as exc:
            raise UnfitCall("The tool's secrets cannot be read now.") from exc
        values |= {(provider, name): value for name, value in of_provider.items()}
    for provider, name in named:
        value = values.get((provider, name))
        if value is None:
            raise UnfitCall(f"The tool is not set up: the secret {provider}.{name} is missing.")
        if not value.isascii() or not value.isprintable():
            raise UnfitCall(f"The secret {provider}.{name} cannot be sent in a header.")
    headers = {name: fill_secrets(value, values) for name, value in http.headers.items()}
    told = [values[key] for key in named if len(values[key]) >= _SHORTEST_SECRET]
    return headers, told


async def _body_of(response: httpx.Response) -> bytes:
    if response.headers.get("content-encoding", "identity").lower() != "identity":
        raise UnfitCall("The tool answered with a packed body although it was asked not to.")
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > LONGEST_ANSWER_BYTES:
            raise UnfitCall(f"The tool's answer is longer than {LONGEST_ANSWER_BYTES // 1024} KiB.")
    return bytes(body)
