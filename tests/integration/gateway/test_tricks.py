"""Requests that are made to break a parser: every operation answers them by 4xx, in its own words.

Through a socket where a client library would mend the request before it is sent.
"""

import asyncio
from collections.abc import AsyncIterator

import orjson
import pytest

from gateway.app import DEFAULT_MAX_BODY_BYTES
from gateway.faces import FACES, face_of
from tests.integration.gateway.listening import listening
from tests.integration.gateway.serving import ADMIN_KEY, Gateway, Tenant
from tests.integration.gateway.tenant_matrix import OPEN, Operation, operations_of

pytestmark = pytest.mark.integration

PARTS = [
    b"%00",
    b"a%00b",
    b"%2e%2e",
    b"..%2f..%2fetc%2fpasswd",
    b"%ff%fe",
    b"%ed%a0%80",
    b"%",
    b"%zz",
    b"%0d%0aX-Evil:%201",
    b"9" * 400,
    b"-1",
    b"x" * 8_000,
]
"""What may stand where a path names something: NUL, dots, broken UTF-8, a lone surrogate…"""

VALUES = [b"a%00b", b"%ff%fe", b"9" * 400]
"""What a parameter of a query may hold."""

BODIES = {
    "empty": b"",
    "NUL": b'{"name": "a\\u0000b", "\\u0000": 1}',
    "broken UTF-8": b'{"name": "\xff\xfe"}',
    "lone surrogate": b'{"name": "\\ud800"}',
    "deep": b'{"a":' * 5_000 + b"1" + b"}" * 5_000,
    "deep list": b"[" * 100_000,
    "huge integer": b'{"name": ' + b"9" * 5_000 + b', "agentId": ' + b"9" * 30 + b"}",
    "huge exponent": b'{"name": 1e999999, "limit": -1e400}',
    "twice": b'{"name": 1, "name": {"a": []}}',
    "no object": b'"text"',
    "byte order mark": b'\xef\xbb\xbf{"name": []}',
}

TYPES = [b"text/plain", b"multipart/form-data", b"application/json; charset=\xff", b"a/b;" * 500]


class Line:
    """Sends requests as they are written, over connections of their own."""

    def __init__(self, url: str) -> None:
        host, port = url.removeprefix("http://").split(":")
        self._address = (host, int(port))

    async def ask(self, *parts: bytes) -> tuple[int, bytes]:
        """Send bytes; return the answer's status and body."""
        reader, writer = await asyncio.open_connection(*self._address)
        try:
            writer.write(b"".join(parts))
            await writer.drain()
            answer = await asyncio.wait_for(reader.read(), 30)
        finally:
            writer.close()
        head, _, body = answer.partition(b"\r\n\r\n")
        return int(head.split(b" ", 2)[1]), body


@pytest.fixture
async def tenant(gateway: Gateway) -> Tenant:
    """A tenant who may ask often."""
    tenant = await gateway.tenant()
    limits = {"limits": dict.fromkeys(("native", "agntix", "talkifai", "voxai"), 1_000_000)}
    answer = await gateway.admin.put(f"/admin/v1/keys/{tenant.key_id}/limits", json=limits)
    assert answer.status_code == 200, answer.text
    return tenant


@pytest.fixture(params=[face.name for face in FACES])
def operations(gateway: Gateway, request: pytest.FixtureRequest) -> list[Operation]:
    """Return the operations of one API: all at once take minutes on a busy machine."""
    return [
        operation
        for operation in operations_of(gateway.app.openapi())
        if face_of(operation.path).name == request.param
    ]


@pytest.fixture
async def line(gateway: Gateway) -> AsyncIterator[Line]:
    async with listening(gateway.app) as url:
        yield Line(url)


def head_of(operation: Operation, tenant: Tenant, path: bytes, *headers: bytes) -> bytes:
    """Return a request's head, with a good credential."""
    key = ADMIN_KEY if operation.is_admins else tenant.key
    lines = [
        operation.method.upper().encode() + b" " + path + b" HTTP/1.1",
        b"Host: test",
        b"Connection: close",
        b"x-api-key: " + key.encode(),
        *headers,
    ]
    return b"\r\n".join(lines) + b"\r\n\r\n"


def path_of(operation: Operation, part: bytes = b"5b710eca-4a0e-4b52-9c53-3b2f6f0f8d11") -> bytes:
    """Return a path with the same part wherever something is named."""
    path = operation.path.encode()
    for name in operation.parameters:
        path = path.replace(b"{" + name.encode() + b"}", part)
    return path


def wrong(operation: Operation, trick: object, answer: tuple[int, bytes]) -> list[str]:
    """Return what is wrong with an answer that should refuse."""
    status, body = answer
    told = f"{operation.label} {trick!r:.60}: {status} {body[:200]!r}"
    if not 400 <= status < 500:
        return [told]
    if status == 400 and body == b"Invalid HTTP request received.":
        return []  # The server refused the bytes before there was a request.
    face = face_of(operation.path)
    expected = face.body_of(face.problem_at(operation.path, ValueError()), "")
    return [] if orjson.loads(body).keys() >= {next(iter(expected))} else [told]


async def test_no_part_of_a_path_breaks_anything(
    operations: list[Operation], tenant: Tenant, line: Line
):
    problems = []
    for operation in operations:
        for part in PARTS if operation.parameters else ():
            content = b"Content-Length: 2"
            head = head_of(operation, tenant, path_of(operation, part), content)
            status, body = await line.ask(head, b"{}")
            if status >= 500:
                problems.append(f"{operation.label} {part!r:.40}: {status} {body[:200]!r}")
    assert not problems, "\n".join(problems)


async def test_no_value_in_a_query_breaks_anything(
    gateway: Gateway, operations: list[Operation], tenant: Tenant, line: Line
):
    problems = []
    description = gateway.app.openapi()
    for operation in operations:
        told = description["paths"][operation.path][operation.method].get("parameters", [])
        for name in [each["name"].encode() for each in told if each["in"] == "query"]:
            for value in VALUES:
                at = path_of(operation) + b"?" + name + b"=" + value
                head = head_of(operation, tenant, at, b"Content-Length: 2")
                status, body = await line.ask(head, b"{}")
                # Nothing has a NUL in it: an empty list would answer another question.
                if status >= 500 or (b"%00" in value and status < 400):
                    problems.append(
                        f"{operation.label} {name!r} {value!r:.40}: {status} {body[:200]!r}"
                    )
    assert not problems, "\n".join(problems)


async def test_no_body_breaks_anything(operations: list[Operation], tenant: Tenant, line: Line):
    problems = []
    for operation in operations:
        if not (operation.example or operation.takes_files) or operation.label in OPEN:
            continue
        for trick, body in BODIES.items():
            length = b"Content-Length: " + str(len(body)).encode()
            json = b"Content-Type: application/json"
            head = head_of(operation, tenant, path_of(operation), length, json)
            problems += wrong(operation, trick, await line.ask(head, body))
        for kind in TYPES:
            length = b"Content-Length: 7"
            head = head_of(operation, tenant, path_of(operation), length, b"Content-Type: " + kind)
            problems += wrong(operation, kind, await line.ask(head, b'{"a":1}'))
    assert not problems, "\n".join(problems)


@pytest.mark.parametrize("way", ["announced", "chunked"])
async def test_every_body_that_is_too_long_is_refused(
    operations: list[Operation], tenant: Tenant, line: Line, way: str
):
    problems = []
    filler = b"x" * (DEFAULT_MAX_BODY_BYTES + 1)
    for operation in operations:
        if not (operation.example or operation.takes_files) or operation.label in OPEN:
            continue
        if operation.takes_files and way == "chunked":
            continue  # 50 MB, which `test_knowledge` sends.
        if operation.is_a_chats:
            continue  # Refused for the key, before any of the body is read.
        length = b"Content-Length: 99999999"
        if way == "chunked":
            length = b"Transfer-Encoding: chunked"
        sent = b"" if way == "announced" else b"%x\r\n%b\r\n" % (len(filler), filler)
        form = b"Content-Type: multipart/form-data; boundary=b"
        kind = form if operation.takes_files else b"Content-Type: application/json"
        head = head_of(operation, tenant, path_of(operation), length, kind)
        status, body = await line.ask(head, sent)
        if status != 413:
            problems.append(f"{operation.label}: {status} {body[:200]!r}")
    assert not problems, "\n".join(problems)


async def test_no_header_breaks_anything(operations: list[Operation], tenant: Tenant, line: Line):
    problems = []
    headers = [
        (b"x-api-key: another",),
        (b"Authorization: Bearer \xff\xfe",),
        (b"Authorization: Bearer " + b"a" * 20_000,),
        (b"Idempotency-Key: \xff",),
        (b"Idempotency-Key: a", b"Idempotency-Key: b"),
        (b"Idempotency-Key: " + b"k" * 10_000,),
        (b"x-project-id: \xed\xa0\x80",),
        (b"Origin: \xff", b"Origin: null"),
        (b"x-request-id: \xff\x01",),
        (b"Content-Length: 2", b"Content-Length: 3"),
        (b"Content-Length: -1",),
        (b"Transfer-Encoding: chunked", b"Content-Length: 2"),
    ]
    for operation in operations:
        if operation.method == "delete" or "/calls" in operation.path:
            continue
        for extra in headers:
            head = head_of(operation, tenant, path_of(operation), *extra)
            status, body = await line.ask(head, b"{}")
            if status >= 500 and operation.label != "GET /readyz":
                problems.append(f"{operation.label} {extra!r:.60}: {status} {body[:200]!r}")
    assert not problems, "\n".join(problems)
