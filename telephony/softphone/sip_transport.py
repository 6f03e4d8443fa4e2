"""SIP over UDP: one socket, messages in and out.

Source: RFC 3261 section 18; RFC 3581 section 4 (answer to where the request came from).
"""

import asyncio
import ipaddress
import logging
import socket
from collections.abc import Callable
from typing import Final, TypeAlias

from sipmessage import URI, Request, Response

from telephony.softphone.media import DatagramFilter
from telephony.softphone.media_socket import Endpoint
from telephony.softphone.sip_messages import parse_message, top_via, with_received

_logger = logging.getLogger(__name__)

DEFAULT_SIP_PORT: Final = 5060

MessageHandler: TypeAlias = Callable[[Request | Response, Endpoint], None]


class SIPTransport(asyncio.DatagramProtocol):
    """A bound UDP socket that speaks SIP."""

    def __init__(self, *, outgoing_filter: DatagramFilter | None = None) -> None:
        self._on_message: MessageHandler | None = None
        self._filter = outgoing_filter
        self._transport: asyncio.DatagramTransport | None = None

    async def open(self, host: str, port: int, on_message: MessageHandler) -> Endpoint:
        """Bind the socket and return where it is bound.

        Args:
            host: Address to bind.
            port: Port to bind; 0 takes a free one.
            on_message: Called with each message and where it came from.
        """
        self._on_message = on_message
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(
            lambda: self, local_addr=(host, port)
        )
        bound_host, bound_port, *_ = self._transport.get_extra_info("sockname")
        return (bound_host, bound_port)

    def close(self) -> None:
        """Free the socket."""
        if self._transport is not None:
            self._transport.close()

    def send(self, message: Request | Response, to: Endpoint) -> None:
        """Send one message; UDP does not say whether it arrives."""
        datagram = bytes(message)
        if self._filter is not None and not self._filter(datagram, to):
            return
        if self._transport is not None and not self._transport.is_closing():
            self._transport.sendto(datagram, to)

    def datagram_received(self, data: bytes, addr: tuple[str | int, ...]) -> None:
        """Read one datagram and hand the message on."""
        if not data.strip():
            return  # A keep-alive (RFC 5626 section 3.5.1).
        source = (str(addr[0]), int(addr[1]))
        try:
            message = parse_message(data)
        except (ValueError, KeyError):
            _logger.debug("Dropped a datagram that is not SIP", extra={"size_bytes": len(data)})
            return
        if isinstance(message, Request):
            with_received(message, *source)
        if self._on_message is not None:
            self._on_message(message, source)

    def error_received(self, exc: Exception) -> None:
        """Note an ICMP error; the transaction's own timer decides what it means."""
        _logger.debug("The network refused a SIP datagram", extra={"error": type(exc).__name__})


def response_endpoint(request: Request, source: Endpoint) -> Endpoint:
    """Return where the responses to a request go."""
    via = top_via(request)
    if "rport" in via.parameters:
        return source
    return (source[0], via.port or DEFAULT_SIP_PORT)


async def resolve(uri: URI) -> Endpoint:
    """Return the address a SIP URI is reached at.

    Raises:
        OSError: The host name has no address.
    """
    port = uri.port or DEFAULT_SIP_PORT
    host = uri.parameters.get("maddr") or uri.host
    try:
        return (str(ipaddress.ip_address(host.strip("[]"))), port)
    except ValueError:
        found = await asyncio.get_running_loop().getaddrinfo(
            host, port, family=socket.AF_INET, type=socket.SOCK_DGRAM
        )
        return (str(found[0][4][0]), port)
