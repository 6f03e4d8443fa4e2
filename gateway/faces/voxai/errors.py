"""How an error of VoxAI's API looks: `{"error": "Words", "code": "CODE", "details": {}}`.

Source: VoxAI's API page, section Error Handling. Codes it does not publish (402, 413, 502, 503) are
ours.
"""

from dataclasses import replace
from typing import Any, Final

from pydantic import BaseModel, Field

from dispatch.errors import AgentNotVoiceReady, InvalidField
from gateway.problems import Problem, problem_of
from gateway.schemas.errors import HEADERS, Responses
from gateway.validation import FieldError

_CODES: Final = {
    "VALIDATION_ERROR": "INVALID_REQUEST",
    "METHOD_NOT_ALLOWED": "INVALID_REQUEST",
    "CAPACITY_REACHED": "QUOTA_EXCEEDED",
}
"""Where VoxAI has another word for it."""


def voxai_problem_of(error: Exception) -> Problem:
    """Return how an error is answered: the core's fields are named as they are in VoxAI's bodies.

    What pydantic finds is named as the client spelled it already.
    """
    problem = problem_of(error)
    match error:
        case AgentNotVoiceReady():
            field = "agent_config_id"
        case InvalidField():
            field = error.field
        case _:
            return problem
    return replace(problem, details=(FieldError(field, problem.message),))


def voxai_body(problem: Problem, request_id: str) -> dict[str, Any]:
    """Return the body of a problem; the request's id is in the header only."""
    del request_id
    body: dict[str, Any] = {
        "error": problem.message,
        "code": _CODES.get(problem.code, problem.code),
    }
    if problem.rate_limit is not None:
        retry_after = int(problem.headers["Retry-After"])
        body |= {"limit": problem.rate_limit, "remaining": 0, "retry_after": retry_after}
    if problem.details:
        body["details"] = {each.field: each.message for each in problem.details}
    return body


class ErrorAnswer(BaseModel):
    """Every error of this API."""

    error: str = Field(description="What is wrong, for people.")
    code: str = Field(description="What is wrong, for programs.", examples=["INVALID_REQUEST"])
    details: dict[str, str] | None = Field(
        default=None, description="What is wrong with each field, when single ones are."
    )


_ERRORS: Final[dict[int, tuple[str, str, str]]] = {
    400: ("INVALID_REQUEST", "identity is required.", "A field or the body is wrong."),
    401: ("UNAUTHORIZED", "Authentication required.", "No valid key came with the request."),
    402: ("INSUFFICIENT_CREDITS", "Insufficient credits.", "The balance does not cover a call."),
    403: ("FORBIDDEN", "This key lacks the scope rooms:write.", "The key does not allow this."),
    404: ("NOT_FOUND", "Room not found.", "There is no such thing in the key's project."),
    409: ("CONFLICT", "The session is over.", "The request contradicts what exists."),
    413: ("PAYLOAD_TOO_LARGE", "The body is longer than 1048576 bytes.", "The body is too long."),
    429: ("QUOTA_EXCEEDED", "Every call slot is taken.", "A limit of the plan is reached."),
    502: ("BAD_GATEWAY", "LiveKit did not create the room.", "LiveKit refused or was not there."),
    503: ("UNAVAILABLE", "A store is unavailable.", "Postgres or Redis is not there; try again."),
}


def voxai_errors(*statuses: int) -> Responses:
    """Return the documentation of these statuses, and of those every route may answer."""
    every = sorted({401, 403, 429, 503, *statuses})
    documented: Responses = {status: _documented(status) for status in every}
    return documented | {"default": {"model": ErrorAnswer, "description": "Any other error."}}


def _documented(status: int) -> dict[str, Any]:
    code, message, description = _ERRORS[status]
    return {
        "model": ErrorAnswer,
        "description": description,
        "headers": HEADERS.get(status, {}),
        "content": {"application/json": {"example": {"error": message, "code": code}}},
    }
