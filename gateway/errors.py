"""The one table from errors to HTTP: status, code and the exact body of each product's API.

Two faces exist. Every path answers in the native shape, which is Agntix's:
`{"error": {"code", "message", "status", "details"?}, "meta": {"requestId", "timestamp"}}`; the
TalkifAI path answers `{"detail": "…"}` in that product's published words.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

import orjson
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, Route

from dispatch.errors import (
    AgentNotVoiceReady,
    CapacityReached,
    Conflict,
    DispatchError,
    InsufficientCredits,
    InvalidField,
    NotFound,
    RoomUnavailable,
    StoreUnavailable,
)
from gateway.auth import Unauthenticated
from gateway.middleware import REQUEST_ID_HEADER
from gateway.validation import (
    NOT_AN_OBJECT,
    FieldError,
    field_errors_of,
    missing_thing_of,
    of_invalid_field,
)
from telephony.errors import InvalidNumber, InvalidWebhook, TelephonyError

logger = logging.getLogger(__name__)

TALKIFAI_PATH: Final = "/v1/chat/voice-sessions"

_MOST_DETAILS: Final = 20

_Answer = TypeVar("_Answer")


@dataclass(frozen=True, slots=True)
class Problem:
    """An error as it will be answered."""

    status: int
    code: str
    message: str
    details: tuple[FieldError, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Row:
    """How one kind of error is answered; without a message the error speaks for itself."""

    status: int
    code: str
    message: str | None = None
    field: str | None = None
    retry_after_s: int | None = None
    challenge: str | None = None
    """How to authenticate, which a 401 must say (RFC 9110, 11.6.1)."""

    @property
    def headers(self) -> dict[str, str]:
        """The headers that go with the answer."""
        retry = {"Retry-After": str(self.retry_after_s)} if self.retry_after_s else {}
        return retry | ({"WWW-Authenticate": self.challenge} if self.challenge else {})


_TABLE: Final[dict[type[Exception], _Row]] = {
    Unauthenticated: _Row(401, "UNAUTHORIZED", challenge="Bearer"),
    InvalidWebhook: _Row(
        401, "UNAUTHORIZED", "The webhook's signature is wrong.", challenge="Bearer"
    ),
    NotFound: _Row(404, "NOT_FOUND"),
    InvalidNumber: _Row(400, "VALIDATION_ERROR", field="number"),
    Conflict: _Row(409, "CONFLICT"),
    InsufficientCredits: _Row(402, "INSUFFICIENT_CREDITS", "Insufficient credits."),
    AgentNotVoiceReady: _Row(
        400,
        "VALIDATION_ERROR",
        field="agentId",
    ),
    CapacityReached: _Row(
        429, "CAPACITY_REACHED", "Every call slot is taken; try again shortly.", retry_after_s=5
    ),
    StoreUnavailable: _Row(
        503,
        "UNAVAILABLE",
        "A store is unavailable; nothing was changed. Try again shortly.",
        retry_after_s=2,
    ),
    RoomUnavailable: _Row(502, "BAD_GATEWAY", "LiveKit did not create the room."),
    TelephonyError: _Row(502, "BAD_GATEWAY", "LiveKit could not do what was asked."),
}
"""Native answers, by class; a subclass without a row of its own is answered as its base."""

_TALKIFAI: Final[dict[type[Exception], tuple[int, str]]] = {
    Unauthenticated: (401, "Invalid API key"),
    AgentNotVoiceReady: (
        400,
        "Agent must be Pipeline or Realtime architecture for voice sessions",
    ),
    InsufficientCredits: (402, "Insufficient credits"),
    NotFound: (404, "Agent not found or does not belong to your organization"),
    RoomUnavailable: (500, "Failed to create voice session: LiveKit connection failed"),
    TelephonyError: (500, "Failed to create voice session: LiveKit connection failed"),
}
"""TalkifAI's published words; what is not here keeps the native status and message."""

_HTTP_CODES: Final = {
    400: "VALIDATION_ERROR",
    404: "NOT_FOUND",
    405: "METHOD_NOT_ALLOWED",
    413: "PAYLOAD_TOO_LARGE",
}

_INTERNAL: Final = Problem(500, "INTERNAL_ERROR", "Something went wrong inside the gateway.")


def problem_of(error: Exception) -> Problem:
    """Return how an error is answered on the native face."""
    if isinstance(error, RequestValidationError):
        return _of_validation(error)
    if isinstance(error, InvalidField):
        return _invalid((of_invalid_field(error.field, error.message),))
    if isinstance(error, HTTPException):
        return _of_http(error)
    row = _row_of(error, _TABLE)
    if row is None:
        return _INTERNAL
    message = row.message or str(error)
    details = (FieldError(row.field, message),) if row.field else ()
    return Problem(row.status, row.code, message, details, row.headers)


def native_body(problem: Problem, request_id: str) -> dict[str, Any]:
    """Return the body of a problem in the native shape."""
    error: dict[str, Any] = {
        "code": problem.code,
        "message": problem.message,
        "status": problem.status,
    }
    if problem.details:
        error["details"] = [
            {"field": detail.field, "message": detail.message} for detail in problem.details
        ]
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {"error": error, "meta": {"requestId": request_id, "timestamp": now}}


def talkifai_problem_of(error: Exception) -> Problem:
    """Return how an error is answered on the TalkifAI path."""
    problem = problem_of(error)
    details = problem.details
    published = _row_of(error, _TALKIFAI)
    if published is not None:
        status, detail = published
        return Problem(status, problem.code, detail, headers=problem.headers)
    if any(detail.field == "agent_id" or detail.message == NOT_AN_OBJECT for detail in details):
        return Problem(400, problem.code, "Agent ID is required")
    return problem


def install_error_handlers(app: FastAPI, routes: Sequence[BaseRoute] = ()) -> None:
    """Answer every error of the application through this module's tables.

    Args:
        app: The application.
        routes: Its routes, to name every method of a path that was asked with a wrong one; by
            itself the router names those of one route.
    """
    kinds: tuple[type[Exception], ...] = (
        Unauthenticated,
        DispatchError,
        TelephonyError,
        RequestValidationError,
        HTTPException,
        Exception,
    )
    for kind in kinds:
        app.add_exception_handler(kind, answer_error)

    async def answer_wrong_method(request: Request, error: Exception) -> Response:
        answer = await answer_error(request, error)
        methods = _methods_at(routes, request)
        if methods:
            answer.headers["Allow"] = ", ".join(sorted(methods))
        return answer

    app.add_exception_handler(405, answer_wrong_method)


async def answer_error(request: Request, error: Exception) -> Response:
    """Answer an error in the body of the API that was called."""
    request_id = getattr(request.state, "request_id", "")
    if request.url.path == TALKIFAI_PATH:
        problem = talkifai_problem_of(error)
        body: dict[str, Any] = {"detail": problem.message}
    else:
        problem = problem_of(error)
        body = native_body(problem, request_id)
    if problem.status >= 500:
        _log(error, problem, request_id)
    return Response(
        orjson.dumps(body),
        status_code=problem.status,
        media_type="application/json",
        # Starlette answers what nobody foresaw outside of the middleware that adds the id.
        headers={REQUEST_ID_HEADER: request_id, **problem.headers},
    )


def _methods_at(routes: Sequence[BaseRoute], request: Request) -> set[str]:
    here = [route for route in routes if route.matches(request.scope)[0] is not Match.NONE]
    return {method for route in here if isinstance(route, Route) for method in route.methods or ()}


def _log(error: Exception, problem: Problem, request_id: str) -> None:
    # Only our own errors have words that are known to hold no personal data.
    own = isinstance(error, DispatchError | TelephonyError)
    logger.warning(
        "request failed",
        extra={
            "status": problem.status,
            "error": type(error).__name__,
            "reason": str(error) if own else "",
            "request_id": request_id,
        },
    )


def _of_validation(error: RequestValidationError) -> Problem:
    errors = error.errors()
    thing = missing_thing_of(errors)
    if thing is not None:
        return problem_of(NotFound(thing, None))
    return _invalid(field_errors_of(errors))


def _invalid(details: tuple[FieldError, ...]) -> Problem:
    return Problem(400, "VALIDATION_ERROR", details[0].message, details[:_MOST_DETAILS])


def _of_http(error: HTTPException) -> Problem:
    message = error.detail
    if error.status_code == 404:
        message = "There is nothing at this path."
    elif error.status_code == 405:
        message = "This path does not have this method."
    code = _HTTP_CODES.get(error.status_code, "ERROR")
    return Problem(error.status_code, code, message, headers=error.headers or {})


def _row_of(error: Exception, table: Mapping[type[Exception], _Answer]) -> _Answer | None:
    return next((table[kind] for kind in type(error).__mro__ if kind in table), None)
