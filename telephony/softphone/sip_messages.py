"""SIP messages: reading datagrams, and the parts of a message that must be kept as written.

`sipmessage` parses and prints. What a peer must find again unchanged (Via, From and To with
their tags, routes) is copied as text and never printed anew.

Source: RFC 3261 sections 7, 8.1.1, 8.2.6; RFC 3581 (rport).
"""

import re
import secrets
from dataclasses import dataclass
from typing import Final

from sipmessage import Address, Request, Response, Via

PRODUCT: Final = "Dialplane softphone"
ALLOWED_METHODS: Final = ("INVITE", "ACK", "CANCEL", "BYE", "OPTIONS", "INFO", "REFER", "NOTIFY")
SDP_TYPE: Final = "application/sdp"

_MAGIC_COOKIE: Final = "z9hG4bK"
_NEEDED: Final = ("Via", "From", "To", "Call-ID", "CSeq")
_FOLDED_LINE: Final = re.compile(rb"\r\n[ \t]+")
_ADDRESS: Final = re.compile(r'\s*((?:"(?:[^"\\]|\\.)*"|[^,<"])*<[^>]*>[^,]*|[^,<"]+)')
_RPORT: Final = re.compile(r";\s*rport(?=\s*(?:;|$))", re.IGNORECASE)
_REASONS: Final = {
    100: "Trying",
    180: "Ringing",
    183: "Session Progress",
    200: "OK",
    202: "Accepted",
    400: "Bad Request",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    407: "Proxy Authentication Required",
    408: "Request Timeout",
    420: "Bad Extension",
    480: "Temporarily Unavailable",
    481: "Call/Transaction Does Not Exist",
    482: "Loop Detected",
    486: "Busy Here",
    487: "Request Terminated",
    488: "Not Acceptable Here",
    491: "Request Pending",
    500: "Server Internal Error",
    501: "Not Implemented",
    503: "Service Unavailable",
    600: "Busy Everywhere",
    603: "Decline",
}


@dataclass(frozen=True, slots=True)
class Body:
    """A message body and its type."""

    content: bytes
    content_type: str


def reason_phrase(status: int) -> str:
    """Return the usual words for a status code."""
    return _REASONS.get(status, "Unknown")


def new_branch() -> str:
    """Return a fresh transaction identifier."""
    return _MAGIC_COOKIE + secrets.token_hex(12)


def new_tag() -> str:
    """Return a fresh dialog tag."""
    return secrets.token_hex(6)


def parse_message(datagram: bytes) -> Request | Response:
    """Read a SIP message and check that what every message needs is there.

    Raises:
        ValueError: Not a SIP message, or a header that matters is missing or malformed.
    """
    head, separator, body = datagram.partition(b"\r\n\r\n")
    # `sipmessage` does not unfold continued header lines.
    message = _parse(_FOLDED_LINE.sub(b" ", head) + separator + body)
    missing = [name for name in _NEEDED if message.headers.get(name) is None]
    if missing:
        raise ValueError("a SIP header is missing")
    # Read once here, so that nothing after this point meets a malformed one.
    _ = (message.cseq, message.from_address, message.to_address)
    _ = (message.contact, message.record_route)
    length = message.content_length
    if not message.via or (length is not None and length < 0):
        raise ValueError("the Via header is empty or the body has a negative length")
    if isinstance(message, Response) and not 100 <= message.code <= 699:
        raise ValueError("not a SIP status")
    message.body = message.body[:length]
    return message


def _parse(datagram: bytes) -> Request | Response:
    try:
        return Request.parse(datagram)
    except TypeError as exc:
        # `sipmessage` passes parameter names on as keyword arguments, and `self` is taken.
        raise ValueError("a parameter cannot be read") from exc


def tag_of(header: str) -> str | None:
    """Return the tag of a From or To header."""
    return Address.parse(header).parameters.get("tag")


def split_addresses(values: list[str]) -> list[str]:
    """Split header values that may hold several addresses each, keeping each as written."""
    return [match.strip() for value in values for match in _ADDRESS.findall(value) if match.strip()]


def top_via(message: Request | Response) -> Via:
    """Return the topmost Via."""
    return message.via[0]


def branch_of(message: Request | Response) -> str:
    """Return the transaction identifier of the topmost Via; empty when it has none."""
    return top_via(message).parameters.get("branch") or ""


def with_received(request: Request, host: str, port: int) -> None:
    """Note in the topmost Via where the request came from (RFC 3261 18.2.1, RFC 3581 4)."""
    via = top_via(request)
    values = request.headers.getlist("Via")
    first, comma, others = values[0].partition(",")
    if "rport" in via.parameters:
        first = _RPORT.sub(f";rport={port}", first)
    if "rport" in via.parameters or via.host != host:
        first += f";received={host}"
    request.headers.setlist("Via", [first + comma + others, *values[1:]])


def set_body(message: Request | Response, body: Body | None) -> None:
    """Put a body into a message, with its type and length."""
    message.body = body.content if body else b""
    if body:
        message.headers.set("Content-Type", body.content_type)
    message.headers.set("Content-Length", str(len(message.body)))


def make_response(
    request: Request, status: int, *, reason: str | None = None, to_tag: str | None = None
) -> Response:
    """Return a response to a request, without a body.

    Args:
        request: Request to answer.
        status: Status code, 100 to 699.
        reason: Words for it; the usual ones when not given.
        to_tag: Our tag, added when the request has none.
    """
    response = Response(status, reason or reason_phrase(status))
    for name in ("Via", "From", "To", "Call-ID", "CSeq"):
        response.headers.setlist(name, list(request.headers.getlist(name)))
    if status > 100 and to_tag and tag_of(request.headers["To"]) is None:
        response.headers.set("To", f"{request.headers['To']};tag={to_tag}")
    if routes := request.headers.getlist("Record-Route"):
        response.headers.setlist("Record-Route", list(routes))
    response.headers.set("Server", PRODUCT)
    set_body(response, None)
    return response
