"""SIP transactions over UDP: one request, its retransmissions and its responses.

Source: RFC 3261 section 17 (state machines, timers of table 4) and RFC 6026 (a 2xx keeps the
INVITE transaction, so that a repeated 2xx gets its ACK again).
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from sipmessage import CSeq, Request, Response

from telephony.softphone.media_socket import Endpoint
from telephony.softphone.sip_messages import (
    Body,
    branch_of,
    make_response,
    new_tag,
    set_body,
    tag_of,
    top_via,
)
from telephony.softphone.sip_transport import SIPTransport, response_endpoint

_logger = logging.getLogger(__name__)

_Key: TypeAlias = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SIPTimers:
    """The two times every SIP timer is made of."""

    t1_s: float = 0.5
    """Estimate of the round trip; the first retransmission comes after it."""
    t2_s: float = 4.0
    """Longest time between retransmissions of everything but an INVITE."""

    @property
    def timeout_s(self) -> float:
        """How long a transaction tries, and how long it is remembered (timers B, D, F, H, J)."""
        return 64 * self.t1_s


class ClientTransaction:
    """A request of ours and the responses to it."""

    def __init__(self, layer: "TransactionLayer", request: Request, destination: Endpoint) -> None:
        self.request: Final = request
        self.destination: Final = destination
        self._layer = layer
        self._responses: asyncio.Queue[Response] = asyncio.Queue()
        self._got_provisional = False
        self._ack: tuple[Request, Endpoint] | None = None
        self._is_final = False
        self._retransmission = asyncio.create_task(self._retransmit())

    async def final(self, on_provisional: Callable[[Response], None] | None = None) -> Response:
        """Return the final response; 408 made here when none came.

        Args:
            on_provisional: Called with each 1xx as it comes.
        """
        while True:
            response = await self._responses.get()
            if response.code >= 200:
                return response
            if on_provisional is not None:
                on_provisional(response)

    def acknowledge(self, ack: Request, destination: Endpoint) -> None:
        """Send the ACK of a final response, and again whenever that response is repeated."""
        self._ack = (ack, destination)
        self._layer.transport.send(ack, destination)

    def receive(self, response: Response) -> None:
        """Take a response off the wire."""
        if self._is_final:
            if self._ack is not None and response.code >= 200:
                self._layer.transport.send(*self._ack)
            return
        self._got_provisional = True
        if response.code >= 200:
            self._finish()
            if self.request.method == "INVITE" and response.code >= 300:
                self.acknowledge(_ack_of_failure(self.request, response), self.destination)
        self._responses.put_nowait(response)

    def stop(self) -> None:
        """Stop retransmitting."""
        self._retransmission.cancel()

    async def _retransmit(self) -> None:
        """Send until something is heard (INVITE) or the final response has come (others)."""
        timers, is_invite = self._layer.timers, self.request.method == "INVITE"
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timers.timeout_s
        wait_s = timers.t1_s
        while loop.time() < deadline:
            if not (is_invite and self._got_provisional):
                self._layer.transport.send(self.request, self.destination)
            await asyncio.sleep(min(wait_s, max(0.0, deadline - loop.time())))
            wait_s = timers.t2_s if self._got_provisional else 2 * wait_s
            if not is_invite:
                wait_s = min(wait_s, timers.t2_s)
        # An INVITE that rings has no such limit; its caller decides how long to wait.
        if not (is_invite and self._got_provisional):
            self._finish()
            self._responses.put_nowait(make_response(self.request, 408))

    def _finish(self) -> None:
        self._is_final = True
        if self._retransmission is not asyncio.current_task():
            self._retransmission.cancel()
        self._layer.forget_later(self)


class ServerTransaction:
    """A request of the far end and our responses to it."""

    def __init__(self, layer: "TransactionLayer", request: Request, source: Endpoint) -> None:
        self.request: Final = request
        self.source: Final = source
        self.to_tag: Final = new_tag()
        self.ack: asyncio.Future[Request] = asyncio.get_running_loop().create_future()
        """Resolves with the ACK of an INVITE's final response; cancelled when none came."""
        self.on_cancel: Callable[[], None] | None = None
        """Called when the far end cancels this INVITE before its final response."""
        self._layer = layer
        self._destination = response_endpoint(request, source)
        self._last: Response | None = None
        self._retransmission: asyncio.Task[None] | None = None

    @property
    def is_answered(self) -> bool:
        """Whether a final response was given."""
        return self._last is not None and self._last.code >= 200

    def respond(
        self,
        status: int,
        *,
        reason: str | None = None,
        headers: dict[str, str] | None = None,
        body: Body | None = None,
    ) -> None:
        """Send a response; after the final one this does nothing.

        Args:
            status: Status code, 100 to 699.
            reason: Words for it; the usual ones when not given.
            headers: Further headers.
            body: Message body.
        """
        if self.is_answered:
            return
        response = make_response(self.request, status, reason=reason, to_tag=self.to_tag)
        for name, value in (headers or {}).items():
            response.headers.set(name, value)
        set_body(response, body)
        self._last = response
        self._send_last()
        if status < 200:
            return
        self._layer.forget_later(self)
        if self.request.method == "INVITE":
            self._retransmission = asyncio.create_task(self._retransmit())

    def repeat(self) -> None:
        """Answer a retransmitted request as before."""
        if self._last is not None:
            self._send_last()

    def acknowledge(self, ack: Request) -> None:
        """Take the ACK: the final response has arrived."""
        if self._retransmission is not None:
            self._retransmission.cancel()
        if not self.ack.done():
            self.ack.set_result(ack)

    def stop(self) -> None:
        """Stop retransmitting and give up waiting for the ACK."""
        if self._retransmission is not None:
            self._retransmission.cancel()
        self.ack.cancel()

    def _send_last(self) -> None:
        if self._last is not None:
            self._layer.transport.send(self._last, self._destination)

    async def _retransmit(self) -> None:
        timers = self._layer.timers
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timers.timeout_s
        wait_s = timers.t1_s
        while loop.time() < deadline:
            await asyncio.sleep(wait_s)
            self._send_last()
            wait_s = min(2 * wait_s, timers.t2_s)
        self.ack.cancel()


class TransactionLayer:
    """All transactions of one socket."""

    def __init__(
        self,
        transport: SIPTransport,
        timers: SIPTimers,
    ) -> None:
        """Set up, with no transaction yet.

        Args:
            transport: The socket.
            timers: How patient to be.
        """
        self.transport: Final = transport
        self.timers: Final = timers
        self._on_request: Callable[[ServerTransaction], None] | None = None
        self._clients: dict[_Key, ClientTransaction] = {}
        self._servers: dict[_Key, ServerTransaction] = {}
        self._invites: dict[_Key, ServerTransaction] = {}
        self._is_closed = False

    def serve(self, on_request: Callable[[ServerTransaction], None]) -> None:
        """Hand each new request on from here, except ACK and CANCEL."""
        self._on_request = on_request

    def send_request(self, request: Request, destination: Endpoint) -> ClientTransaction:
        """Send a request and keep sending it until it is answered."""
        transaction = ClientTransaction(self, request, destination)
        self._clients[(branch_of(request), request.method)] = transaction
        return transaction

    def receive(self, message: Request | Response, source: Endpoint) -> None:
        """Take a message off the wire."""
        if isinstance(message, Response):
            client = self._clients.get((branch_of(message), message.cseq.method))
            if client is not None:
                client.receive(message)
        else:
            self._receive_request(message, source)

    def forget_later(self, transaction: ClientTransaction | ServerTransaction) -> None:
        """Forget a transaction once nothing of it can arrive any more."""
        # One timeout for the far end's repeats, and one more for those of the last ACK.
        loop = asyncio.get_running_loop()
        loop.call_later(2 * self.timers.timeout_s, self._forget, transaction)

    def close(self) -> None:
        """Stop every transaction."""
        self._is_closed = True
        for client in self._clients.values():
            client.stop()
        for server in self._servers.values():
            server.stop()
        self._clients.clear()
        self._servers.clear()
        self._invites.clear()

    def _forget(self, transaction: ClientTransaction | ServerTransaction) -> None:
        transaction.stop()
        if isinstance(transaction, ClientTransaction):
            request = transaction.request
            self._clients.pop((branch_of(request), request.method), None)
        else:
            self._servers.pop(_server_key(transaction.request), None)
            self._invites.pop(_invite_key(transaction.request), None)

    def _receive_request(self, request: Request, source: Endpoint) -> None:
        known = self._servers.get(_server_key(request))
        if request.method == "ACK":
            # The ACK of a 2xx is a transaction of its own; only call and number tie it to it.
            known = known or self._invites.get(_invite_key(request))
            if known is not None:
                known.acknowledge(request)
        elif known is not None:
            known.repeat()
        elif self._on_request is not None and not self._is_closed:
            self._begin(request, source, self._on_request)

    def _begin(
        self, request: Request, source: Endpoint, on_request: Callable[[ServerTransaction], None]
    ) -> None:
        transaction = ServerTransaction(self, request, source)
        self._servers[_server_key(request)] = transaction
        if request.method == "CANCEL":
            self._cancel(transaction)
            return
        if request.method == "INVITE":
            self._invites[_invite_key(request)] = transaction
        on_request(transaction)

    def _cancel(self, transaction: ServerTransaction) -> None:
        cancelled = self._servers.get(_server_key(transaction.request, method="INVITE"))
        transaction.respond(200 if cancelled else 481)
        if cancelled and not cancelled.is_answered and cancelled.on_cancel is not None:
            cancelled.on_cancel()


def make_cancel(invite: Request) -> Request:
    """Return the CANCEL of an INVITE (RFC 3261 section 9.1)."""
    return _echo_of(invite, "CANCEL", invite.headers["To"])


def _ack_of_failure(invite: Request, response: Response) -> Request:
    """Return the ACK of a final response from 300 up (RFC 3261 section 17.1.1.3)."""
    return _echo_of(invite, "ACK", response.headers["To"])


def _echo_of(invite: Request, method: str, to: str) -> Request:
    request = Request(method, invite.uri)
    request.headers.set("Via", invite.headers["Via"])
    request.headers.set("Max-Forwards", "70")
    request.headers.set("From", invite.headers["From"])
    request.headers.set("To", to)
    request.headers.set("Call-ID", invite.headers["Call-ID"])
    request.cseq = CSeq(invite.cseq.sequence, method)
    if routes := invite.headers.getlist("Route"):
        request.headers.setlist("Route", list(routes))
    set_body(request, None)
    return request


def _server_key(request: Request, method: str | None = None) -> _Key:
    via = top_via(request)
    name = method or ("INVITE" if request.method == "ACK" else request.method)
    return (branch_of(request), f"{via.host}:{via.port}", name)


def _invite_key(request: Request) -> _Key:
    return (request.call_id, str(request.cseq.sequence), tag_of(request.headers["From"]) or "")
