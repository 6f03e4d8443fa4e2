"""Every error of the domain has one answer on each face."""

import inspect

import pytest
from starlette.exceptions import HTTPException
from starlette.requests import Request

from dispatch import errors as dispatch_errors
from dispatch.errors import (
    AgentIsForCalls,
    AgentNotChatReady,
    AgentNotVoiceReady,
    BalanceUnknown,
    CallNotLive,
    CapacityReached,
    CommandFailed,
    CommandUnanswered,
    Conflict,
    DispatchError,
    DocumentTooLarge,
    InsufficientCredits,
    InvalidField,
    KeyReused,
    ModelKeyMissing,
    ModelUnavailable,
    NotAllowed,
    NotFound,
    NoWayOut,
    QuotaExceeded,
    RateLimited,
    RoomUnavailable,
    SecretUnreadable,
    StillRunning,
    StoreUnavailable,
)
from gateway.auth import Forbidden, Unauthenticated
from gateway.error_answers import answer_error
from gateway.faces.native.errors import native_body
from gateway.faces.talkifai.errors import voice_problem_of
from gateway.problems import problem_of
from telephony.errors import InvalidWebhook, VendorUnavailable

pytestmark = pytest.mark.unit

EVERY_ERROR = [
    (Unauthenticated(), 401, "UNAUTHORIZED", "Authentication required."),
    (InvalidWebhook("x"), 401, "UNAUTHORIZED", "The webhook's signature is wrong."),
    (NotFound("agent", "1"), 404, "NOT_FOUND", "Agent not found."),
    (InvalidField("is_active", "No."), 400, "VALIDATION_ERROR", "No."),
    (Conflict("Taken."), 409, "CONFLICT", "Taken."),
    (KeyReused("Used."), 409, "CONFLICT", "Used."),
    (
        StillRunning(3),
        409,
        "CONFLICT",
        "A request with this Idempotency-Key is still being worked on.",
    ),
    (CallNotLive("Over."), 409, "CONFLICT", "Over."),
    (NoWayOut("No carrier."), 409, "CONFLICT", "No carrier."),
    (CommandFailed("Not done."), 502, "BAD_GATEWAY", "Not done."),
    (CommandUnanswered("Not heard."), 504, "TIMEOUT", "Not heard."),
    (NotAllowed("Not you."), 403, "FORBIDDEN", "Not you."),
    (Forbidden("Not here."), 403, "FORBIDDEN", "Not here."),
    (RateLimited(60, 12), 429, "RATE_LIMITED", "Rate limit exceeded"),
    (DocumentTooLarge("Too long."), 413, "PAYLOAD_TOO_LARGE", "Too long."),
    (
        QuotaExceeded("phone_numbers", 3, "free"),
        429,
        "QUOTA_EXCEEDED",
        "The plan free allows 3 phone numbers.",
    ),
    (AgentNotChatReady("For calls."), 400, "VALIDATION_ERROR", "For calls."),
    (AgentIsForCalls("For calls."), 400, "VALIDATION_ERROR", "For calls."),
    (ModelUnavailable("No key."), 409, "CONFLICT", "No key."),
    (
        SecretUnreadable("x"),
        503,
        "UNAVAILABLE",
        "The project's secrets cannot be read now.",
    ),
    (InsufficientCredits("x"), 402, "INSUFFICIENT_CREDITS", "Insufficient credits."),
    (AgentNotVoiceReady("Text-only."), 400, "VALIDATION_ERROR", "Text-only."),
    (ModelKeyMissing("No key."), 400, "VALIDATION_ERROR", "No key."),
    (
        CapacityReached("x"),
        429,
        "CAPACITY_REACHED",
        "Every call slot is taken; try again shortly.",
    ),
    (
        StoreUnavailable("x"),
        503,
        "UNAVAILABLE",
        "A store is unavailable; nothing was changed. Try again shortly.",
    ),
    (
        BalanceUnknown("x"),
        503,
        "UNAVAILABLE",
        "A store is unavailable; nothing was changed. Try again shortly.",
    ),
    (RoomUnavailable("x"), 502, "BAD_GATEWAY", "LiveKit did not create the room."),
    (
        VendorUnavailable("livekit", "list_rooms", "x"),
        502,
        "BAD_GATEWAY",
        "LiveKit could not do what was asked.",
    ),
    (HTTPException(404), 404, "NOT_FOUND", "There is nothing at this path."),
    (ZeroDivisionError(), 500, "INTERNAL_ERROR", "Something went wrong inside the gateway."),
]


@pytest.mark.parametrize(("error", "status", "code", "message"), EVERY_ERROR)
def test_each_error_has_its_status_code_and_message(
    error: Exception, status: int, code: str, message: str
):
    problem = problem_of(error)
    assert (problem.status, problem.code, problem.message) == (status, code, message)


def test_no_error_of_dispatch_is_answered_as_an_internal_one():
    answered = {type(error) for error, *_ in EVERY_ERROR}
    defined = {
        kind
        for _, kind in inspect.getmembers(dispatch_errors, inspect.isclass)
        if issubclass(kind, DispatchError) and kind is not DispatchError
    }
    assert defined <= answered


@pytest.mark.parametrize(
    ("error", "status", "detail"),
    [
        (Unauthenticated(), 401, "Invalid API key"),
        (
            AgentNotVoiceReady("x"),
            400,
            "Agent must be Pipeline or Realtime architecture for voice sessions",
        ),
        (
            ModelKeyMissing("x"),
            400,
            "The agent's models need an API key that is not among the project's secrets.",
        ),
        (InsufficientCredits("x"), 402, "Insufficient credits"),
        (NotFound("agent", "1"), 404, "Agent not found or does not belong to your organization"),
        (
            RoomUnavailable("x"),
            500,
            "Failed to create voice session: LiveKit connection failed",
        ),
        (
            StoreUnavailable("x"),
            503,
            "A store is unavailable; nothing was changed. Try again shortly.",
        ),
    ],
)
def test_the_talkifai_face_uses_the_published_words(error: Exception, status: int, detail: str):
    problem = voice_problem_of(error)
    assert (problem.status, problem.message) == (status, detail)


@pytest.mark.parametrize("error", [StoreUnavailable("x"), CapacityReached("x")])
def test_says_when_to_try_again(error: Exception):
    assert int(problem_of(error).headers["Retry-After"]) > 0
    assert int(voice_problem_of(error).headers["Retry-After"]) > 0


def test_the_native_body_names_the_wrong_field():
    body = native_body(problem_of(InvalidField("max_duration_s", "Too long.")), "req_1")
    assert body["error"] == {
        "code": "VALIDATION_ERROR",
        "message": "Too long.",
        "status": 400,
        "details": [{"field": "maxDurationS", "message": "Too long."}],
    }
    assert body["meta"]["requestId"] == "req_1"
    assert body["meta"]["timestamp"].endswith("Z")


async def test_an_error_nobody_foresaw_is_answered_with_the_requests_id():
    scope = {"type": "http", "path": "/v1/agents", "headers": [], "query_string": b""}
    request = Request(scope | {"state": {"request_id": "req_1"}})
    answer = await answer_error(request, ZeroDivisionError("secret"))
    assert (answer.status_code, answer.headers["x-request-id"]) == (500, "req_1")
    assert b"secret" not in bytes(answer.body)
