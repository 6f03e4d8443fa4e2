"""What happens to every request before and after its route: an id, a size limit, one log line.

Plain ASGI: a middleware of Starlette's `BaseHTTPMiddleware` costs a task and a channel for each
request, which is more than the rest of the voice session path together.
"""

import logging
import re
import time
import uuid
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

logger = logging.getLogger(__name__)

REQUEST_ID_HEADER: Final = "x-request-id"

_EVERY_ANSWER: Final = {
    # Answers hold keys, tokens and transcripts; `x-api-key` does not keep a shared cache from
    # storing them, as `Authorization` would.
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
}

_ACCEPTABLE_ID: Final = re.compile(r"[A-Za-z0-9._:-]{1,64}")
"""Ids of others are echoed and logged, so they may hold nothing that needs escaping."""


class RequestContext:
    """Gives each request an id, returns it in a header, and logs the request in one line.

    The line names the route's template and never the path or the query: both can hold phone
    numbers.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = time.perf_counter()
        given = Headers(scope=scope).get(REQUEST_ID_HEADER, "")
        request_id = given if _ACCEPTABLE_ID.fullmatch(given) else f"req_{uuid.uuid4().hex}"
        scope.setdefault("state", {})["request_id"] = request_id
        status = 500  # Stays so when the application dies before it answers.

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers[REQUEST_ID_HEADER] = request_id
                headers.update(_EVERY_ANSWER)
                headers.update(scope["state"].get("answer_headers", {}))
            await send(message)

        try:
            await self.app(scope, receive, send_with_id)
        finally:
            logger.info(
                "request served",
                extra={
                    "method": scope["method"],
                    "route": getattr(scope.get("route"), "path", "none"),
                    "status": status,
                    "duration_ms": round((time.perf_counter() - started) * 1_000, 1),
                    "request_id": request_id,
                },
            )


class BodyLimit:
    """Refuses request bodies above a size, whether their length was announced or not.

    Starlette's own limit answers in plain text; the exception raised here is answered in the
    error body of the API that was called.
    """

    def __init__(
        self, app: ASGIApp, max_bytes: int, larger: tuple[tuple[re.Pattern[str], int], ...] = ()
    ) -> None:
        """Set the limits.

        Args:
            app: What is protected.
            max_bytes: Longest body.
            larger: Paths, as a pattern of the whole, to which more may be sent, and how much.
        """
        self.app = app
        self.max_bytes = max_bytes
        self.larger = larger

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        max_bytes = self._limit_of(scope["path"])
        announced = Headers(scope=scope).get("content-length", "0")
        too_long = announced.isdecimal() and int(announced[:20]) > max_bytes
        received = 0

        async def limited_receive() -> Message:
            nonlocal received
            if too_long:
                raise self._refusal(max_bytes)
            message = await receive()
            received += len(message.get("body", b""))
            if received > max_bytes:
                raise self._refusal(max_bytes)
            return message

        await self.app(scope, limited_receive, send)

    def _limit_of(self, path: str) -> int:
        return next(
            (limit for pattern, limit in self.larger if pattern.fullmatch(path)), self.max_bytes
        )

    def _refusal(self, max_bytes: int) -> HTTPException:
        detail = f"The body is longer than {max_bytes} bytes."
        # The rest of the body is not read, so the connection cannot serve another request.
        return HTTPException(413, detail=detail, headers={"Connection": "close"})
