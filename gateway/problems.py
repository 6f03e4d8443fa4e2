"""The one table from errors to HTTP: status, code and words; a face may have words of its own.

How an answer looks is the faces' business (`gateway.faces`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, TypeVar

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from dispatch.errors import (
    AgentNotChatReady,
    AgentNotVoiceReady,
    CapacityReached,
    CommandFailed,
    CommandUnanswered,
    Conflict,
    DocumentTooLarge,
    InsufficientCredits,
    InvalidField,
    ModelUnavailable,
    NotAllowed,
    NotFound,
    QuotaExceeded,
    RateLimited,
    RoomUnavailable,
    SecretUnreadable,
    StoreUnavailable,
)
from gateway.auth import Forbidden, Unauthenticated
from gateway.validation import (
    FieldError,
    field_errors_of,
    missing_thing_of,
    of_invalid_field,
)
from telephony.errors import InvalidNumber, InvalidWebhook, TelephonyError

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
    rate_limit: int | None = None
    """Requests allowed a minute, when they were too many."""


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
    Forbidden: _Row(403, "FORBIDDEN"),
    NotAllowed: _Row(403, "FORBIDDEN"),
    RateLimited: _Row(429, "RATE_LIMITED"),
    InvalidWebhook: _Row(
        401, "UNAUTHORIZED", "The webhook's signature is wrong.", challenge="Bearer"
    ),
    NotFound: _Row(404, "NOT_FOUND"),
    InvalidNumber: _Row(400, "VALIDATION_ERROR", field="number"),
    Conflict: _Row(409, "CONFLICT"),
    CommandFailed: _Row(502, "BAD_GATEWAY"),
    CommandUnanswered: _Row(504, "TIMEOUT"),
    DocumentTooLarge: _Row(413, "PAYLOAD_TOO_LARGE"),
    InsufficientCredits: _Row(402, "INSUFFICIENT_CREDITS", "Insufficient credits."),
    QuotaExceeded: _Row(429, "QUOTA_EXCEEDED"),
    AgentNotVoiceReady: _Row(
        400,
        "VALIDATION_ERROR",
        field="agentId",
    ),
    AgentNotChatReady: _Row(400, "VALIDATION_ERROR", field="agentId"),
    ModelUnavailable: _Row(409, "CONFLICT"),
    CapacityReached: _Row(
        429, "CAPACITY_REACHED", "Every call slot is taken; try again shortly.", retry_after_s=5
    ),
    StoreUnavailable: _Row(
        503,
        "UNAVAILABLE",
        "A store is unavailable; nothing was changed. Try again shortly.",
        retry_after_s=2,
    ),
    SecretUnreadable: _Row(503, "UNAVAILABLE", "The project's secrets cannot be read now."),
    RoomUnavailable: _Row(502, "BAD_GATEWAY", "LiveKit did not create the room."),
    TelephonyError: _Row(502, "BAD_GATEWAY", "LiveKit could not do what was asked."),
}
"""Native answers, by class; a subclass without a row of its own is answered as its base."""

_HTTP_CODES: Final = {
    400: "VALIDATION_ERROR",
    404: "NOT_FOUND",
    405: "METHOD_NOT_ALLOWED",
    413: "PAYLOAD_TOO_LARGE",
}

_INTERNAL: Final = Problem(500, "INTERNAL_ERROR", "Something went wrong inside the gateway.")


def problem_of(error: Exception) -> Problem:
    """Return how an error is answered where a face has no words of its own."""
    if isinstance(error, RequestValidationError):
        return _of_validation(error)
    if isinstance(error, InvalidField):
        return _invalid((of_invalid_field(error.field, error.message),))
    if isinstance(error, HTTPException):
        return _of_http(error)
    row = row_of(error, _TABLE)
    if row is None:
        return _INTERNAL
    message = row.message or str(error)
    details = (FieldError(row.field, message),) if row.field else ()
    headers = row.headers
    wait_s: int | None = getattr(error, "retry_after_s", None)
    if wait_s is not None:
        headers["Retry-After"] = str(wait_s)
    limit = error.limit if isinstance(error, RateLimited) else None
    return Problem(row.status, row.code, message, details, headers, limit)


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


def row_of(error: Exception, table: Mapping[type[Exception], _Answer]) -> _Answer | None:
    """Return the table's entry for the error's class or the nearest of its bases."""
    return next((table[kind] for kind in type(error).__mro__ if kind in table), None)
