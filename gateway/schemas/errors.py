"""The error bodies, for the documentation; `gateway.problems` writes them."""

from typing import Any

from pydantic import Field

from gateway.schemas.base import Answer


class ErrorDetail(Answer):
    """One wrong field."""

    field: str = Field(description="Dotted path, as the request spelled it; empty for the body.")
    message: str


class ErrorContent(Answer):
    """What went wrong."""

    code: str = Field(examples=["VALIDATION_ERROR"])
    message: str = Field(examples=["agentId must be a UUID."])
    status: int = Field(examples=[400])
    details: list[ErrorDetail] | None = Field(
        default=None, description="Present when single fields are wrong."
    )


class ErrorMeta(Answer):
    """Which request failed, and when."""

    request_id: str = Field(examples=["req_5b710eca2f0d4c0e9a53"])
    timestamp: str = Field(examples=["2026-01-01T00:00:00.000Z"])


class ErrorAnswer(Answer):
    """Every error of the native API."""

    error: ErrorContent
    meta: ErrorMeta


_NATIVE: dict[int, tuple[str, str, str]] = {
    400: ("VALIDATION_ERROR", "agentId must be a UUID.", "A field or the body is wrong."),
    401: ("UNAUTHORIZED", "Authentication required.", "No valid key came with the request."),
    402: ("INSUFFICIENT_CREDITS", "Insufficient credits.", "The balance does not cover a call."),
    403: (
        "FORBIDDEN",
        "This key lacks the scope agents:write.",
        "The credential does not allow it.",
    ),
    404: ("NOT_FOUND", "Agent not found.", "There is no such thing in the key's project."),
    409: ("CONFLICT", "Another number has this value.", "The request contradicts what exists."),
    413: ("PAYLOAD_TOO_LARGE", "The body is longer than 1048576 bytes.", "The body is too long."),
    429: ("RATE_LIMITED", "Rate limit exceeded", "Too many requests, or every call slot is taken."),
    502: ("BAD_GATEWAY", "LiveKit did not create the room.", "LiveKit refused or was not there."),
    504: (
        "TIMEOUT",
        "The command is still being carried out.",
        "What became of it was not heard in time; the message says what is known.",
    ),
    503: ("UNAVAILABLE", "A store is unavailable.", "Postgres or Redis is not there; try again."),
}

_RETRY_AFTER = {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer"}}}
HEADERS: dict[int, dict[str, Any]] = {
    401: {
        "WWW-Authenticate": {"description": "Always `Bearer`.", "schema": {"type": "string"}},
    },
    429: _RETRY_AFTER,
    503: _RETRY_AFTER,
}

Responses = dict[int | str, dict[str, Any]]


def native_errors(*statuses: int) -> Responses:
    """Return the documentation of these statuses for a native route."""
    documented: Responses = {status: _documented(status) for status in (*statuses, 503)}
    # With a default of our own FastAPI does not document its 422, which we never answer.
    return documented | {"default": {"model": ErrorAnswer, "description": "Any other error."}}


def _documented(status: int) -> dict[str, Any]:
    code, message, description = _NATIVE[status]
    example = {
        "error": {"code": code, "message": message, "status": status},
        "meta": {"requestId": "req_5b710eca2f0d4c0e9a53", "timestamp": "2026-01-01T00:00:00.000Z"},
    }
    return {
        "model": ErrorAnswer,
        "description": description,
        "headers": HEADERS.get(status, {}),
        "content": {"application/json": {"example": example}},
    }
