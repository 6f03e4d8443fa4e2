"""What every call of a phone shares: its address, its transactions, its answers to challenges."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Final

from sipmessage import Request, Response

from telephony.softphone.dialog import Dialog
from telephony.softphone.digest import Credentials, answer_challenge, choose_challenge
from telephony.softphone.media import DatagramFilter, MediaStream
from telephony.softphone.sip_messages import Body
from telephony.softphone.sip_transport import resolve
from telephony.softphone.transactions import ClientTransaction, TransactionLayer

_logger = logging.getLogger(__name__)

_CHALLENGES: Final = {
    401: ("WWW-Authenticate", "Authorization"),
    407: ("Proxy-Authenticate", "Proxy-Authorization"),
}
_MOST_ATTEMPTS: Final = 3
"""The first request, its answer to a challenge, and one more when the nonce was stale."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A request to be sent inside or at the start of a dialog."""

    dialog: Dialog
    method: str
    body: Body | None = None
    headers: tuple[tuple[str, str], ...] = ()
    credentials: Credentials | None = None
    on_sent: Callable[[ClientTransaction], None] | None = None
    """Called with the transaction of each attempt."""
    on_provisional: Callable[[Response], None] | None = None


class UserAgent:
    """Sends requests for the calls of one phone and keeps their background work."""

    def __init__(
        self,
        *,
        host: str,
        bind_host: str,
        port: int,
        layer: TransactionLayer,
        media_filter: DatagramFilter | None,
    ) -> None:
        self.host: Final = host
        """Address the far end reaches us at."""
        self.port: Final = port
        self.layer: Final = layer
        self._bind_host = bind_host
        self._media_filter = media_filter
        self._tasks: set[asyncio.Task[Any]] = set()

    @property
    def via(self) -> str:
        """Our address as in Via."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def contact(self, user: str) -> str:
        """Return our Contact header for a user part."""
        return f"<sip:{user}@{self.via}>"

    def open_media(self) -> MediaStream:
        """Open an RTP port for a call."""
        return MediaStream(self._bind_host, outgoing_filter=self._media_filter)

    def spawn(self, work: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any]:
        """Run work in the background until it is done or the phone closes."""
        task = asyncio.create_task(work, name=f"softphone-{name}")
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    async def exchange(self, outgoing: Outgoing) -> tuple[ClientTransaction, Response]:
        """Send a request and return the final response, challenges answered.

        Returns:
            The last transaction and its response; a 408 made here when nothing answered.

        Raises:
            OSError: The far end's host name has no address.
        """
        headers = outgoing.headers
        for attempt in range(1, _MOST_ATTEMPTS + 1):
            request = outgoing.dialog.request(outgoing.method, outgoing.body)
            for name, value in headers:
                request.headers.add(name, value)
            destination = await resolve(outgoing.dialog.next_hop)
            transaction = self.layer.send_request(request, destination)
            if outgoing.on_sent is not None:
                outgoing.on_sent(transaction)
            response = await transaction.final(outgoing.on_provisional)
            answer = self._answer(request, response, outgoing.credentials, attempt)
            if answer is None:
                return transaction, response
            headers = (*outgoing.headers, answer)
        return transaction, response

    async def close(self) -> None:
        """Stop the background work."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _answer(
        self,
        request: Request,
        response: Response,
        credentials: Credentials | None,
        attempt: int,
    ) -> tuple[str, str] | None:
        """Return the header that answers a challenge; None when there is nothing to answer."""
        if response.code not in _CHALLENGES or credentials is None:
            return None
        asking, answering = _CHALLENGES[response.code]
        challenge = choose_challenge(response.headers.getlist(asking))
        # A second challenge with a fresh nonce and not `stale` says: wrong password.
        if challenge is None or (attempt > 1 and not challenge.is_stale):
            return None
        value = answer_challenge(
            challenge, credentials, method=request.method, uri=str(request.uri)
        )
        return answering, value

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _logger.error("Background work of a call failed", exc_info=error)
