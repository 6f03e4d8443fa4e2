"""The questions that tell whether a part of the stack is up; none takes long to say no."""

import http.client
import json
import secrets
import socket
from typing import Any

from stack.ports import LOOPBACK

TIMEOUT_S = 2.0
"""A datagram may be lost: then it is asked again."""
HTTP_TIMEOUT_S = 10.0
"""Who takes a connection on a busy machine answers, sooner or later."""


def http_answers(port: int, path: str = "/") -> bool:
    """Whether an HTTP server of this machine answers a GET with 200."""
    return http_get(port, path)[0] == http.HTTPStatus.OK


def http_get(port: int, path: str) -> tuple[int, bytes]:
    """Return status and body of a GET; status 0 when nobody answers.

    Plain `http.client`: this runs fifty times a second while parts start, and a full client would
    take the processor they need.
    """
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=HTTP_TIMEOUT_S)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    except (OSError, http.client.HTTPException):
        return 0, b""
    finally:
        connection.close()


def failing_checks(port: int) -> list[str] | None:
    """Return the failing checks of the gateway's `/readyz`, a line each.

    Returns:
        An empty list when it is ready, None when the gateway does not answer.
    """
    status, body = http_get(port, "/readyz")
    if status == http.HTTPStatus.OK:
        return []
    if status != http.HTTPStatus.SERVICE_UNAVAILABLE:
        return None
    checks: dict[str, dict[str, Any]] = json.loads(body).get("checks", {})
    return [f"{name}: {check.get('detail')}" for name, check in checks.items() if not check["ok"]]


def sip_answers(port: int) -> bool:
    """Whether a SIP server of this machine answers OPTIONS with 200.

    Source: RFC 3261 section 11, querying for capabilities.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(TIMEOUT_S)
        client.bind((LOOPBACK, 0))
        client.connect((LOOPBACK, port))
        try:
            client.send(options_request(port, client.getsockname()[1]))
            return client.recv(4096).startswith(b"SIP/2.0 200")
        except OSError:
            return False


def options_request(port: int, own_port: int) -> bytes:
    """Return an OPTIONS request from a port of ours to a SIP server of this machine."""
    lines = [
        f"OPTIONS sip:{LOOPBACK}:{port} SIP/2.0",
        f"Via: SIP/2.0/UDP {LOOPBACK}:{own_port};branch=z9hG4bK{secrets.token_hex(8)}",
        "Max-Forwards: 70",
        f"From: <sip:health@{LOOPBACK}:{own_port}>;tag={secrets.token_hex(4)}",
        f"To: <sip:{LOOPBACK}:{port}>",
        f"Call-ID: {secrets.token_hex(8)}@{LOOPBACK}",
        "CSeq: 1 OPTIONS",
        f"Contact: <sip:health@{LOOPBACK}:{own_port}>",
        "Content-Length: 0",
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()
