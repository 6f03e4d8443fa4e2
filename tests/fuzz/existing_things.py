"""Requests that name what exists: made-up ids alone would only ever find nothing."""

import zlib
from typing import Any, Final

import schemathesis
from schemathesis.core import NotSet
from schemathesis.core.parameters import ParameterLocation

from tests.fuzz.conftest import Target

_CHANGING: Final = ("/close", "/end", "/revoke", "/credits", "/adjustments")
"""Ends of the paths after which a thing is no longer what it was."""


def lot_of(*parts: Any) -> int:
    """Return a number drawn by what a case says, the same in every run.

    A body that is none has no text but its address in memory, which is another one in each process.
    """
    told = [None if isinstance(part, NotSet) else part for part in parts]
    return zlib.crc32(repr(told).encode())


def name_existing_things(case: schemathesis.Case[Any], target: Target) -> str | None:
    """Put ids that exist into half of the requests whose ids were meant to be right.

    Returns:
        The token of the chat session that the path now names, if it names one.
    """
    if lot_of(case.path_parameters, case.body) % 2:
        return None
    if _is_right(case, ParameterLocation.BODY) and isinstance(case.body, dict):
        _fill(case.body, target)
    if not _is_right(case, ParameterLocation.PATH) or not case.path_parameters:
        return None
    known = target.names(case.method, case.path)
    given = {name: known[name] for name in case.path_parameters if name in known}
    last = list(case.operation.path_parameters)[-1].name
    if case.method in ("DELETE", "PATCH", "PUT") or case.path.endswith(_CHANGING):
        given[last] = target.to_be_lost(case.method, case.path, last) or given[last]
    token = None
    if "conversation_id" in given:
        given["conversation_id"], token = target.chat()
    if case.path.startswith("/api/v1/sessions/") and case.path.endswith("/end"):
        given.pop("room_name")  # A session that is over stays over; others are made up.
    case.path_parameters.update(given)
    return token


def _is_right(case: schemathesis.Case[Any], location: ParameterLocation) -> bool:
    return case.meta is None or not case.meta.is_negative_at(location)


def _fill(body: dict[str, Any], target: Target) -> None:
    things = target.things
    known: dict[str, Any] = {
        "agentId": things.agent_id,
        "agent_id": things.writer_id,
        "inBoundAgentId": things.agent_id,
        "outBoundAgentId": things.agent_id,
        "inboundAgentId": things.agent_id,
        "outboundAgentId": things.agent_id,
        "connectionId": things.carrier_connection_id,
        "agent_config_id": things.config_id,
        "knowledge_base_id": things.knowledge_base_number,
        "phoneNumber": things.phone_number,
    }
    body.update({name: known[name] for name in body if name in known and body[name] is not None})
