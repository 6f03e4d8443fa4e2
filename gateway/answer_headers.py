"""Headers that a request's answer gets whatever it will be, an error too; and those of CORS.

A browser lets a page read an answer only if `Access-Control-Allow-Origin` names the page's origin.
Whether it may is a matter of the key, which a preflight does not carry. So every preflight is
granted: it only lets the page send what it holds in its own hands, for no cookie or other
credential of the browser is ever accepted here. The key decides when the request comes.
"""

import math
import time
from typing import Final

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

_PREFLIGHT: Final = {
    "Access-Control-Allow-Methods": "GET, POST, PUT, PATCH, DELETE",
    "Access-Control-Allow-Headers": (
        "authorization, content-type, idempotency-key, x-api-key, x-project-id, x-request-id, "
        "x-session-token, x-studio-token"
    ),
    "Access-Control-Max-Age": "600",
    "Vary": "Origin, Access-Control-Request-Method, Access-Control-Request-Headers",
}
_EXPOSED: Final = (
    "idempotency-replayed, retry-after, x-ratelimit-limit, x-ratelimit-remaining, "
    "x-ratelimit-reset, x-request-id"
)
_LONGEST_ORIGIN: Final = 300


def add_answer_headers(request: Request, headers: dict[str, str]) -> None:
    """Let the answer to this request carry these headers."""
    request.scope["state"].setdefault("answer_headers", {}).update(headers)


def let_page_read(request: Request, origin: str) -> None:
    """Let the page of this origin read the answer; call it only once the origin was checked."""
    add_answer_headers(
        request,
        {
            "Access-Control-Allow-Origin": origin,
            "Access-Control-Expose-Headers": _EXPOSED,
            "Vary": "Origin",
        },
    )


def let_page_read_refusal(request: Request) -> None:
    """Let a page of any origin read this answer, which must hold nothing but why it is refused."""
    origin = request.headers.get("origin", "")
    if 0 < len(origin) <= _LONGEST_ORIGIN:
        let_page_read(request, origin)


def add_rate_headers(request: Request, limit: int, remaining: int, free_in_ms: int) -> None:
    """Tell how often the caller may ask: `X-RateLimit-Limit`, `-Remaining` and `-Reset`.

    `-Reset` is when there is more room again, in whole seconds since 1970. Where several limits
    count a request, the one with the least room is told.
    """
    told = request.scope["state"].get("answer_headers", {}).get("X-RateLimit-Remaining")
    if told is not None and int(told) < remaining:
        return
    reset_at = math.ceil(time.time() + free_in_ms / 1_000)
    add_answer_headers(
        request,
        {
            "X-RateLimit-Limit": str(limit),
            "X-RateLimit-Remaining": str(remaining),
            "X-RateLimit-Reset": str(reset_at),
        },
    )


class Preflight:
    """Answers the preflights of browsers (Fetch standard, 4.8), before any route."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http" and scope["method"] == "OPTIONS":
            headers = Headers(scope=scope)
            origin = headers.get("origin", "")
            if 0 < len(origin) <= _LONGEST_ORIGIN and "access-control-request-method" in headers:
                granted = {"Access-Control-Allow-Origin": origin, **_PREFLIGHT}
                await Response(status_code=204, headers=granted)(scope, receive, send)
                return
        await self.app(scope, receive, send)
