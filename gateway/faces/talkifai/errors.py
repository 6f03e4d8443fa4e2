"""How an error of TalkifAI's API looks: `{"detail": "..."}`, in that product's published words.

The same thing is worded differently for voice and for chat, so each has a table of its own; what is
in neither keeps the native status and message.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from pydantic import BaseModel, Field

from dispatch.calls import REFUSAL_SENTENCES, RefusalReason
from dispatch.errors import (
    AgentIsForCalls,
    AgentNotVoiceReady,
    InsufficientCredits,
    ModelKeyMissing,
    NotFound,
    RoomUnavailable,
    StoreUnavailable,
)
from gateway.auth import Unauthenticated
from gateway.faces.talkifai.authentication import (
    KeyMissing,
    SessionTokenRefused,
    StudioTokenRefused,
)
from gateway.problems import Problem, problem_of, row_of
from gateway.schemas.errors import HEADERS, Responses
from gateway.validation import NOT_AN_OBJECT
from telephony.errors import TelephonyError

_NUL: Final = "may not hold a NUL character."

Words = Mapping[type[Exception], tuple[int, str]]

_LIVEKIT_FAILED: Final = (500, "Failed to create voice session: LiveKit connection failed")
MODEL_KEY_MISSING: Final = REFUSAL_SENTENCES[RefusalReason.PROVIDER_NOT_CONFIGURED]
_FOR_VOICE: Final = "Agent must be Pipeline or Realtime architecture for voice sessions"
_VOICE: Final[Words] = {
    Unauthenticated: (401, "Invalid API key"),
    AgentNotVoiceReady: (400, _FOR_VOICE),
    # Its architecture is right, so the published words would mislead.
    ModelKeyMissing: (400, MODEL_KEY_MISSING),
    InsufficientCredits: (402, "Insufficient credits"),
    NotFound: (404, "Agent not found or does not belong to your organization"),
    RoomUnavailable: _LIVEKIT_FAILED,
    TelephonyError: _LIVEKIT_FAILED,
}

_CHAT: Final[Words] = {
    KeyMissing: (401, "Authentication required: provide X-API-Key or X-Studio-Token"),
    StudioTokenRefused: (401, "Invalid or expired studio session"),
    SessionTokenRefused: (401, "Invalid token"),
    Unauthenticated: (401, "Invalid API key"),
    # TalkifAI names the case (`not_text_agent`) but not its words, which are ours.
    AgentIsForCalls: (400, "Agent must be Text architecture for chat sessions"),
    InsufficientCredits: (402, "Insufficient credits. Please add credits to continue."),
    NotFound: (404, "Session not found or expired"),
    StoreUnavailable: (503, "Billing service unavailable: connection timeout"),
}

_ENDING: Final[Words] = {**_CHAT, StoreUnavailable: (500, "Failed to end session")}

_NUMBERS: Final[Words] = {
    Unauthenticated: (401, "Invalid API key"),
    AgentNotVoiceReady: (
        400,
        "Only Pipeline and Realtime agents can be assigned to phone numbers",
    ),
}


def _worded(words: Words) -> Callable[[Exception], Problem]:
    """Return how errors are answered where these words are used."""

    def problem_in_words(error: Exception) -> Problem:
        problem = problem_of(error)
        published = row_of(error, words)
        if published is None:
            return problem
        status, detail = published
        if words is _CHAT and isinstance(error, NotFound) and error.kind == "agent":
            detail = f"Agent {error.key} not found or does not belong to your organization"
        return Problem(status, problem.code, detail, headers=problem.headers)

    return problem_in_words


def _about_an_agent(wording: Callable[[Exception], Problem]) -> Callable[[Exception], Problem]:
    """Return the wording of routes whose one necessary field is `agent_id`."""

    def problem_in_words(error: Exception) -> Problem:
        problem = wording(error)
        for detail in problem.details:
            is_missing = detail.field == "agent_id" and not detail.message.endswith(_NUL)
            if is_missing or detail.message == NOT_AN_OBJECT:
                return Problem(400, problem.code, "Agent ID is required")
        return problem

    return problem_in_words


voice_problem_of: Final = _about_an_agent(_worded(_VOICE))
opening_problem_of: Final = _about_an_agent(_worded(_CHAT))
chat_problem_of: Final = _worded(_CHAT)
ending_problem_of: Final = _worded(_ENDING)
numbers_problem_of: Final = _worded(_NUMBERS)


def talkifai_body(problem: Problem, request_id: str) -> dict[str, Any]:
    """Return the body of a problem; the request's id is in the header only."""
    del request_id
    return {"detail": problem.message}


TOO_LONG: Final = ["The body is longer than 1048576 bytes."]
KEY_REUSED: Final = ["This Idempotency-Key was used for another request."]
KEY_UNUSABLE: Final = ["Idempotency-Key: must have 1 to 255 visible ASCII characters."]
"""What is told of the bodies and idempotency keys of all POSTs; those that take no body as well,
for with a key whatever was sent is compared."""


class ErrorAnswer(BaseModel):
    """Every error of this API."""

    detail: str = Field(examples=["Insufficient credits"])


def talkifai_errors(texts: Mapping[int, list[str]]) -> Responses:
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
        for status, details in sorted(texts.items())
    }
