"""How Agntix's API words what is wrong: its published codes, and its names of an agent's fields."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final

from fastapi.exceptions import RequestValidationError

from dispatch.errors import DispatchError, InvalidField, NotFound
from dispatch.outbound.requests import AgentCannotCall
from gateway.auth import GatewayError
from gateway.faces.agntix.agent_models import PARAM_NAMES
from gateway.faces.native.errors import native_body
from gateway.problems import Problem, problem_of
from gateway.validation import missing_thing_of

_NOT_FOUND: Final = {"session": "SESSION_NOT_FOUND", "tool": "TOOLS_NOT_FOUND"}
"""Published codes of things that are not there; of all others it is NOT_FOUND."""

_AGENT_FIELDS: Final = {
    "name": "fullName",
    "greeting_mode": "voiceParams.welcomeMode",
    "greeting": "voiceParams.welcomeText",
    "max_duration_s": "voiceParams.maxDurationInSeconds",
    "silence_timeout_s": "voiceParams.idleTimeoutInSeconds",
    "turn_taking.barge_in_greeting": "welcomeAllowInterruptions",
    "turn_taking.barge_in_min_speech_s": "voiceParams.interruptSpeechDuration",
    "turn_taking.barge_in_min_words": "voiceParams.interruptMinWords",
    "turn_taking.barge_in": "voiceParams.allowInterruptions",
    "turn_taking.endpointing_min_delay_s": "voiceParams.minEndpointingDelay",
    "models.llm": "modelId",
    "models.stt.params": "sttModelParams",
    "models.stt": "sttModelId",
    "models.tts.params": "ttsModelParams",
    "models.tts.voice": "ttsModelParams.voice",
    "models.tts": "ttsModelId",
    "models.realtime.params": "stsModelParams",
    "models.realtime.voice": "stsModelParams.voice",
    "models.realtime": "stsModelId",
    "tool_ids": "tools",
    "knowledge_base_ids": "knowledgeStoreId",
    "extensions": "",
}
"""Where the core's fields of an agent stand here; a longer path goes before a shorter one."""

_PARAMS: Final = {core: ours for names in PARAM_NAMES.values() for ours, core in names.items()}

_CORE_NAME: Final = re.compile(
    "|".join(rf"\b{re.escape(name)}\b" for name in _AGENT_FIELDS if {".", "_"} & set(name))
)


class SessionClosed(GatewayError):
    """The chat session is over; nothing can be written in it any more."""

    def __init__(self) -> None:
        super().__init__("The session is closed.")


class AnswerFailed(GatewayError):
    """The agent began to answer and could not end."""


def agntix_problem_of(error: Exception) -> Problem:
    """Return how an error is answered, with the code that Agntix's clients know."""
    if isinstance(error, SessionClosed):
        return Problem(409, "SESSION_EXPIRED", str(error))
    if isinstance(error, AnswerFailed):
        return Problem(502, "GENERIC_ERROR", str(error))
    if isinstance(error, RequestValidationError) and (thing := missing_thing_of(error.errors())):
        error = NotFound(thing, None)
    problem = problem_of(error)
    if isinstance(error, NotFound):
        return replace(problem, code=_NOT_FOUND.get(error.kind, problem.code))
    return problem


@contextmanager
def agents_in_agntix_words() -> Iterator[None]:
    """Name an agent's wrong field, inside the block, as Agntix's clients know it."""
    try:
        yield
    except InvalidField as exc:
        raise _in_agntix_words(exc) from exc


@contextmanager
def calls_in_agntix_words(names: Mapping[str, str]) -> Iterator[None]:
    """Name a wrong field of a call, inside the block, as the request spelled it.

    Args:
        names: The core's names, and the request's; others are the same in both.
    """
    cause: DispatchError
    try:
        yield
    except InvalidField as exc:
        field, message, cause = exc.field, exc.message, exc
    except AgentCannotCall as exc:
        field, message, cause = "agentId", str(exc), exc
    else:
        return
    wrong = {"type": "value_error", "loc": ("body", names.get(field, field)), "msg": message}
    raise RequestValidationError([wrong | {"ctx": {"error": message}}]) from cause


def _in_agntix_words(error: InvalidField) -> InvalidField:
    field = error.field
    for core, ours in _AGENT_FIELDS.items():
        if field == core or field.startswith(f"{core}."):
            rest = field.removeprefix(core).removeprefix(".")
            keeps_rest = core.endswith(".params") and rest
            field = f"{ours}.{_PARAMS.get(rest, rest)}" if keeps_rest else ours
            break
    message = _CORE_NAME.sub(lambda found: _AGENT_FIELDS[found[0]], error.message)
    if field and not message.startswith(field):
        message = f"{field}: {message}"
    return InvalidField(field, message if message.endswith(".") else f"{message}.")


def agntix_body(problem: Problem, request_id: str) -> dict[str, Any]:
    """Return the body of a problem: in the native shape, and the request's id where both are.

    Agntix publishes two shapes, one with `meta.requestId` and one with `error.requestId`.
    """
    body = native_body(problem, request_id)
    body["error"]["requestId"] = request_id
    return body
