"""How an error of TalkifAI's API looks: `{"detail": "..."}`, in that product's published words."""

from typing import Any, Final

from pydantic import BaseModel, Field

from dispatch.errors import AgentNotVoiceReady, InsufficientCredits, NotFound, RoomUnavailable
from gateway.auth import Unauthenticated
from gateway.problems import Problem, problem_of, row_of
from gateway.schemas.errors import HEADERS, Responses
from gateway.validation import NOT_AN_OBJECT
from telephony.errors import TelephonyError

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


def talkifai_problem_of(error: Exception) -> Problem:
    """Return how an error is answered on the TalkifAI path."""
    problem = problem_of(error)
    details = problem.details
    published = row_of(error, _TALKIFAI)
    if published is not None:
        status, detail = published
        return Problem(status, problem.code, detail, headers=problem.headers)
    if any(detail.field == "agent_id" or detail.message == NOT_AN_OBJECT for detail in details):
        return Problem(400, problem.code, "Agent ID is required")
    return problem


def talkifai_body(problem: Problem, request_id: str) -> dict[str, Any]:
    """Return the body of a problem; the request's id is in the header only."""
    del request_id
    return {"detail": problem.message}


class ErrorAnswer(BaseModel):
    """Every error of this API."""

    detail: str = Field(examples=["Insufficient credits"])


def talkifai_errors(texts: dict[int, list[str]]) -> Responses:
    """Return the documentation of a route's statuses and their exact texts."""
    other = {"model": ErrorAnswer, "description": "Any other error."}
    return {"default": other} | {
        status: {
            "model": ErrorAnswer,
            "description": " / ".join(details),
            "headers": HEADERS.get(status, {}),
            "content": {
                "application/json": {
                    "examples": {text: {"value": {"detail": text}} for text in details}
                }
            },
        }
        for status, details in texts.items()
    }
