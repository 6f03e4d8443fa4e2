"""A call being placed: from the INVITE until it is answered, refused or given up."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Final, TypeVar

from sipmessage import Response

from telephony.softphone.call import CallParts, PhoneCall
from telephony.softphone.errors import (
    CallCancelled,
    CallNotAnswered,
    CallRejected,
    InvalidSDP,
    NoCommonCodec,
)
from telephony.softphone.moments import CallTimings, Moment
from telephony.softphone.sdp import NegotiatedAudio, negotiate, parse_sdp
from telephony.softphone.sip_messages import SDP_TYPE, Body
from telephony.softphone.sip_transport import resolve
from telephony.softphone.transactions import ClientTransaction, make_cancel
from telephony.softphone.user_agent import Outgoing

_logger = logging.getLogger(__name__)


_CANCEL_PATIENCE_S: Final = 2.0
"""How long a cancelled caller waits for the 487; livekit-sip never sends it for unknown numbers."""

_T = TypeVar("_T")


class OutgoingCall:
    """An INVITE of ours on its way."""

    def __init__(
        self,
        parts: CallParts,
        *,
        headers: tuple[tuple[str, str], ...],
        on_answered: Callable[[PhoneCall], None],
        on_done: Callable[["OutgoingCall"], None],
    ) -> None:
        """Send the INVITE.

        Args:
            parts: What the call is made of.
            headers: Further headers for the INVITE.
            on_answered: Called with the call the moment it exists, before anybody awaits it.
            on_done: Called when the call is answered or has failed.
        """
        self.timings: Final[CallTimings] = parts.timings
        self.statuses: Final[list[int]] = []
        """Every status received, in order."""
        self._parts = parts
        self._headers = headers
        self._on_answered = on_answered
        self._transaction: ClientTransaction | None = None
        self._is_cancelled = False
        self._cancel_was_sent = False
        loop = asyncio.get_running_loop()
        self._ringing: asyncio.Future[int] = loop.create_future()
        self._answered: asyncio.Future[PhoneCall] = loop.create_future()
        self._ringing.add_done_callback(_retrieve)
        self._answered.add_done_callback(_retrieve)
        self._answered.add_done_callback(lambda _: on_done(self))
        parts.agent.spawn(self._run(), "invite")

    @property
    def ringing(self) -> asyncio.Future[int]:
        """Resolves with the status of the first 180 or 183; fails as `answered` does."""
        return _shielded(self._ringing)

    @property
    def answered(self) -> asyncio.Future[PhoneCall]:
        """Resolves with the call, or fails with a `CallFailed`; waiting may be cancelled."""
        return _shielded(self._answered)

    async def cancel(self) -> None:
        """Give up; returns when the far end knows, or after 2 s when it says nothing.

        If it answers all the same, in the same instant or later, the call is hung up.
        """
        self._is_cancelled = True
        self._send_cancel()
        await asyncio.wait({self._answered}, timeout=_CANCEL_PATIENCE_S)
        self._fail(CallCancelled("the call was cancelled; the far end did not confirm it"))

    async def _run(self) -> None:
        try:
            await self._invite()
        except OSError as exc:
            _logger.info("The far end's host has no address", extra={"errno": exc.errno})
            self._fail(CallNotAnswered(None))
        finally:
            self._fail(CallCancelled("the phone was closed"))

    async def _invite(self) -> None:
        parts = self._parts
        outgoing = Outgoing(
            parts.dialog,
            "INVITE",
            Body(parts.local.to_bytes(), SDP_TYPE),
            headers=self._headers,
            credentials=parts.credentials,
            on_sent=self._on_sent,
            on_provisional=self._on_provisional,
        )
        transaction, response = await parts.agent.exchange(outgoing)
        if response.code >= 300:
            self._rejected(response)
        else:
            await self._accepted(transaction, response)

    def _on_sent(self, transaction: ClientTransaction) -> None:
        self._transaction = transaction
        self._cancel_was_sent = False

    def _on_provisional(self, response: Response) -> None:
        self.statuses.append(response.code)
        if self._is_cancelled:
            self._send_cancel()
        if response.code == 100:
            return
        if self.timings.ringing_at is None:
            self.timings.ringing_at = Moment.now()
        if not self._ringing.done():
            self._ringing.set_result(response.code)
        if response.body and (early := self._find_negotiated(response)) is not None:
            self._parts.media.use(early)

    def _send_cancel(self) -> None:
        # RFC 3261 section 9.1: not before a provisional response, and once.
        if self._transaction is None or self._cancel_was_sent or not self.statuses:
            return
        self._cancel_was_sent = True
        cancel = make_cancel(self._transaction.request)
        self._parts.agent.layer.send_request(cancel, self._transaction.destination)

    def _rejected(self, response: Response) -> None:
        self.statuses.append(response.code)
        if self._is_cancelled:
            self._fail(CallCancelled("the call was cancelled"))
        elif self.statuses == [408]:
            self._fail(CallNotAnswered(None))
        else:
            self._fail(CallRejected(response.code, response.phrase, _retry_after(response)))

    async def _accepted(self, transaction: ClientTransaction, response: Response) -> None:
        parts = self._parts
        self.statuses.append(response.code)
        parts.timings.answered_at = Moment.now()
        parts.dialog.establish(response)
        ack = parts.dialog.acknowledgement(transaction.request)
        transaction.acknowledge(ack, await resolve(parts.dialog.next_hop))
        call = PhoneCall(parts)
        self._on_answered(call)
        negotiated = self._find_negotiated(response) if response.body else parts.media.agreed
        if self._is_cancelled or negotiated is None:
            await call.hang_up()
            self._fail(
                CallCancelled("the call was answered while being cancelled")
                if self._is_cancelled
                else NoCommonCodec("the answer holds no usable audio")
            )
            return
        parts.media.use(negotiated)
        if not self._ringing.done():
            self._ringing.set_result(response.code)
        self._answered.set_result(call)

    def _find_negotiated(self, response: Response) -> NegotiatedAudio | None:
        try:
            return negotiate(self._parts.local, parse_sdp(response.body))
        except (InvalidSDP, NoCommonCodec):
            return None

    def _fail(self, error: Exception) -> None:
        if self._answered.done():
            return
        self._parts.media.close()
        self._answered.set_exception(error)
        if not self._ringing.done():
            self._ringing.set_exception(error)


def _retrieve(done: asyncio.Future[Any]) -> None:
    """Look at the exception: whoever never asks must not cause "was never retrieved"."""
    if not done.cancelled():
        done.exception()


def _shielded(future: asyncio.Future[_T]) -> asyncio.Future[_T]:
    shielded = asyncio.shield(future)
    shielded.add_done_callback(_retrieve)
    return shielded


def _retry_after(response: Response) -> int | None:
    """Return the seconds of a Retry-After header, without its comment and parameters."""
    value = (response.headers.get("Retry-After") or "").partition("(")[0].partition(";")[0]
    return int(value) if value.strip().isdigit() else None
