"""Requests with an `Idempotency-Key` are carried out once; repetitions get the first answer."""

import base64
import re
from collections.abc import Awaitable, Callable
from typing import Final

import orjson
from fastapi.exceptions import RequestValidationError
from starlette.responses import Response, StreamingResponse

from dispatch.access.idempotency import Idempotency, RepeatableRequest
from gateway.json_requests import JsonRequest

HEADER: Final = "Idempotency-Key"
REPLAYED_HEADER: Final = "Idempotency-Replayed"

_USABLE: Final = re.compile(r"[!-~]{1,255}")
_NOT_KEPT: Final = frozenset({"content-length"})
"""Made anew for each answer."""


async def serve_once(
    idempotency: Idempotency,
    request: JsonRequest,
    tenant: str,
    credential: str,
    serve: Callable[[JsonRequest], Awaitable[Response]],
) -> Response:
    """Serve a request, or answer as it was answered before.

    Only success is kept: what failed changed nothing, and may be tried again. A stream is not kept
    either; its route finds by the request's ids what was done already.

    Args:
        idempotency: Claims and answers.
        request: A request with the header.
        tenant: Whose.
        credential: What the client alone has.
        serve: Carries the request out.

    Raises:
        RequestValidationError: The key is empty, too long, or holds other than visible ASCII.
        KeyReused: It came with another request before.
        StillRunning: The first request is not answered yet.
        StoreUnavailable: Redis did not answer; nothing was done.
    """
    key = request.headers[HEADER]
    if not _USABLE.fullmatch(key):
        raise _unusable()
    what = f"{request.method} {request.url.path}?{request.url.query}\n".encode()
    content = what + await request.body()
    begun = await idempotency.begin(RepeatableRequest(tenant, credential, key, content))
    if isinstance(begun, bytes):
        return _replayed(begun)
    request.state.new_id, request.state.new_seed = begun.new_id, begun.seed
    try:
        async with idempotency.held(begun):
            answer = await serve(request)
    except Exception:
        await idempotency.give_up(begun)
        raise
    if answer.status_code < 300 and not isinstance(answer, StreamingResponse):
        await idempotency.keep(begun, _kept(answer))
    else:
        await idempotency.give_up(begun)
    return answer


def _kept(answer: Response) -> bytes:
    headers = [[name, value] for name, value in answer.headers.items() if name not in _NOT_KEPT]
    body = base64.b64encode(bytes(answer.body)).decode()
    return orjson.dumps({"status": answer.status_code, "headers": headers, "body": body})


def _replayed(kept: bytes) -> Response:
    parts = orjson.loads(kept)
    answer = Response(base64.b64decode(parts["body"]), status_code=parts["status"])
    for name, value in parts["headers"]:
        answer.headers[name] = value
    answer.headers[REPLAYED_HEADER] = "true"
    return answer


def _unusable() -> RequestValidationError:
    message = "must have 1 to 255 visible ASCII characters"
    return RequestValidationError(
        [
            {
                "type": "value_error",
                "loc": ("header", HEADER),
                "msg": message,
                "ctx": {"error": message},
            }
        ]
    )
