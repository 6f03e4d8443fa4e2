"""Errors that the description documents: which test asks for which, and how each API words them.

Most are asked for of every operation that documents them, by one test a status (`GENERATED` and
`OF_CHATS`); for the others `test_documented_singly.py` has a request each. Together they are all
that is documented, and nothing else.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final

import httpx
import orjson

from gateway.faces import face_of
from tests.integration.gateway.everything import DOCUMENT
from tests.integration.gateway.serving import ADMIN_KEY, Gateway, Tenant
from tests.integration.gateway.tenant_matrix import METHODS, OPEN, Operation, operations_of

NOWHERE: Final = "5b710eca-4a0e-4b52-9c53-3b2f6f0f8d11"
"""The id of nothing."""

PROJECTS_OWN: Final = "GET /api/v1/projects/{project_id}/secrets/{provider}"
"""Tells a key of another project so, whatever is there."""

COMMAND: Final = re.compile(r"/v1/calls/{call_id}/(transfer|hold|resume|dtmf|say|whisper|end)")

_TIME: Final = re.compile(rb'"timestamp":"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)"')

_LIMITED_VALUES: Final = {
    "GET /api/v1/usage",
    "GET /v1/voice/models",
    "GET /v1/voice/voices",
}
"""Their queries have nothing that is required, and no number."""

Pair = tuple[str, int]
"""An operation and a status."""


def is_repeatable(operation: Operation) -> bool:
    """Whether an `Idempotency-Key` means something."""
    return operation.method == "post" and not operation.takes_files


def _any(operation: Operation) -> bool:
    del operation
    return True


def _is_for_tenants(operation: Operation) -> bool:
    return not operation.is_admins


def _names_a_thing(operation: Operation) -> bool:
    return bool(operation.parameters) and operation.label != PROJECTS_OWN


def _can_be_wrong(operation: Operation) -> bool:
    return operation.label not in _LIMITED_VALUES


def _is_command(operation: Operation) -> bool:
    return COMMAND.fullmatch(operation.path) is not None


GENERATED: Final[Mapping[int, Callable[[Operation], bool]]] = MappingProxyType(
    {
        400: _can_be_wrong,
        401: _any,
        402: _any,
        403: _any,
        404: _names_a_thing,
        409: is_repeatable,
        413: _any,
        429: _is_for_tenants,
        502: _is_command,
        503: _any,
        504: _is_command,
    }
)
"""Of which operations that document a status it is asked for together."""

OF_CHATS: Final = frozenset({400, 401, 402, 403, 404, 409, 413, 429, 500, 503})
"""What is asked for of the operations that a chat's token opens."""


def documented(gateway: Gateway) -> set[Pair]:
    """Return every error that is described; `/readyz` tells by its 503 what is not ready."""
    return {
        (f"{method.upper()} {path}", int(status))
        for path, methods in gateway.app.openapi()["paths"].items()
        for method, told in methods.items()
        if method in METHODS
        for status in told["responses"]
        if status.isdecimal() and int(status) >= 400 and path != "/readyz"
    }


def operations(gateway: Gateway, status: int) -> Iterator[Operation]:
    """Yield the operations that document a status and are asked for it together."""
    found = documented(gateway)
    for operation in operations_of(gateway.app.openapi()):
        if operation.label in OPEN or operation.is_a_chats:
            continue
        if (operation.label, status) in found and GENERATED[status](operation):
            yield operation


def operations_of_chats(gateway: Gateway, status: int) -> Iterator[Operation]:
    """Yield the operations that a chat's token opens and that document a status."""
    found = documented(gateway)
    for operation in operations_of(gateway.app.openapi()):
        if operation.is_a_chats and (operation.label, status) in found:
            yield operation


def asked_together(gateway: Gateway) -> set[Pair]:
    """Return the errors that are asked for of all operations that have them."""
    of_all = {
        (operation.label, status)
        for status in GENERATED
        for operation in operations(gateway, status)
    }
    return of_all | {
        (operation.label, status)
        for status in OF_CHATS
        for operation in operations_of_chats(gateway, status)
    }


async def send(
    http: httpx.AsyncClient,
    operation: Operation,
    headers: Mapping[str, str],
    names: Mapping[str, str] = MappingProxyType({}),
    **sent: Any,
) -> httpx.Response:
    """Ask an operation about things that are not there, but for those that are named."""
    path = re.sub(r"{([^}]+)}", lambda found: names.get(found[1], NOWHERE), operation.path)
    content: dict[str, Any] = {}
    if operation.takes_files:
        content = {"files": DOCUMENT}
    elif operation.example is not None and not sent:
        content = {"json": operation.example}
    return await http.request(
        operation.method.upper(), path, headers=dict(headers), **(content | sent)
    )


def body(
    operation: Operation, answer: httpx.Response, code: str, message: str, **more: Any
) -> bytes:
    """Return the body of an error, as the operation's API writes it."""
    face = face_of(operation.path).name
    if face == "talkifai":
        return orjson.dumps({"detail": message})
    if face == "voxai":
        return orjson.dumps({"error": message, "code": code, **more})
    request_id = answer.headers["x-request-id"]
    error: dict[str, Any] = {"code": code, "message": message, "status": answer.status_code}
    if "details" in more:
        error["details"] = [
            {"field": field, "message": told} for field, told in more["details"].items()
        ]
    if face == "agntix":
        error["requestId"] = request_id
    found = _TIME.search(answer.content)
    assert found is not None, answer.text
    meta = {"requestId": request_id, "timestamp": found[1].decode()}
    return orjson.dumps({"error": error, "meta": meta})


def invalid(operation: Operation, answer: httpx.Response, told: Mapping[str, str]) -> bytes:
    """Return the body of a refusal of these fields, the first of which is the message."""
    code = "INVALID_REQUEST" if face_of(operation.path).name == "voxai" else "VALIDATION_ERROR"
    return body(operation, answer, code, next(iter(told.values())), details=dict(told))


class Wrong(list[str]):
    """What was answered otherwise than expected, all of it at once."""

    def check(self, operation: Operation, answer: httpx.Response, status: int, body: bytes) -> None:
        """Remember an answer that is another one."""
        if answer.status_code != status or answer.content != body:
            self.append(f"{operation.label}: {answer.status_code} {answer.text[:300]} {body!r}")


def credential(operation: Operation, tenant: Tenant) -> dict[str, str]:
    """Return what lets a request in."""
    return {"x-api-key": ADMIN_KEY if operation.is_admins else tenant.key}
