"""A call coming in: let it ring, answer it, or refuse it; and people who always do one of these."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Final, TypeAlias

from sipmessage import Request

from telephony.softphone.call import CallParts, PhoneCall
from telephony.softphone.call_audio import CallAudio
from telephony.softphone.errors import CallCancelled, NoCommonCodec
from telephony.softphone.moments import CallTimings, Moment
from telephony.softphone.sdp import SessionDescription, answer, negotiate
from telephony.softphone.sip_messages import SDP_TYPE, Body
from telephony.softphone.transactions import ServerTransaction


class IncomingCall:
    """An INVITE of somebody else, not yet answered."""

    def __init__(
        self,
        parts: CallParts,
        transaction: ServerTransaction,
        offer: SessionDescription | None,
        *,
        on_answered: Callable[[PhoneCall], None],
    ) -> None:
        """Take an INVITE.

        Args:
            parts: What the call is made of.
            transaction: The INVITE.
            offer: What the caller offered; None when it leaves the offer to us.
            on_answered: Called with the call the moment it exists.
        """
        self.timings: Final[CallTimings] = parts.timings
        self.cancelled: Final = asyncio.Event()
        """Set when the caller gave up."""
        self._parts = parts
        self._transaction = transaction
        self._offer = offer
        self._on_answered = on_answered
        transaction.on_cancel = self._on_cancel

    @property
    def invite(self) -> Request:
        """The INVITE as received, for its headers."""
        return self._transaction.request

    @property
    def caller(self) -> str | None:
        """User part of the From header: usually the caller's number."""
        return self.invite.from_address.uri.user

    @property
    def callee(self) -> str | None:
        """User part of the request: usually the number dialled."""
        return self.invite.uri.user

    def ring(self) -> None:
        """Answer 180: the phone rings."""
        self.timings.ringing_at = self.timings.ringing_at or Moment.now()
        self._transaction.respond(180, headers={"Contact": self._parts.dialog.contact})

    def ring_with_sound(self) -> CallAudio:
        """Answer 183: before anybody answers, the caller may hear something and be heard.

        Returns:
            What is said and heard until the call is answered.

        Raises:
            NoCommonCodec: The caller offers no G.711; it was told 488.

        Source: RFC 3960 section 3 (early media).
        """
        self.timings.ringing_at = self.timings.ringing_at or Moment.now()
        ours, reply = self._descriptions()
        if self._offer is not None:
            self._parts.media.use(negotiate(ours, self._offer))
        self._transaction.respond(
            183,
            headers={"Contact": self._parts.dialog.contact},
            body=Body(reply.to_bytes(), SDP_TYPE),
        )
        return CallAudio(self._parts.media)

    async def answer(self) -> PhoneCall:
        """Take the call; returns when the caller has acknowledged it.

        Raises:
            CallCancelled: The caller gave up, before or while it was answered.
            NoCommonCodec: The caller offers no G.711; it was told 488.
        """
        if self._transaction.is_answered:
            raise CallCancelled("the call was already cancelled, refused or answered")
        ours, reply = self._descriptions()
        if self._offer is not None:
            self._parts.media.use(negotiate(ours, self._offer))
        call = PhoneCall(replace(self._parts, local=ours))
        self.timings.answered_at = Moment.now()
        self._on_answered(call)
        self._transaction.respond(
            200,
            headers={"Contact": self._parts.dialog.contact},
            body=Body(reply.to_bytes(), SDP_TYPE),
        )
        await call.await_acknowledgement(self._transaction, has_offered=self._offer is None)
        if call.is_over and self._transaction.ack.cancelled():
            raise CallCancelled("the caller never acknowledged the answer")
        return call

    def reject(
        self, status: int = 486, *, reason: str | None = None, retry_after: int | None = None
    ) -> None:
        """Refuse the call.

        Args:
            status: SIP status, 300 to 699.
            reason: Words for it; the usual ones when not given.
            retry_after: Seconds after which the caller may try again.
        """
        headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
        self._transaction.respond(status, reason=reason, headers=headers)
        self._parts.media.close()

    def _descriptions(self) -> tuple[SessionDescription, SessionDescription]:
        """Return what we can do in this call, and what we answer to the offer."""
        offer, ours = self._offer, self._parts.local
        if offer is None:
            return ours, ours
        ours = replace(ours, media_before=offer.media_before, media_after=offer.media_after)
        try:
            return ours, answer(ours, offer)
        except NoCommonCodec:
            self.reject(488)
            raise

    def _on_cancel(self) -> None:
        self._transaction.respond(487)
        self._parts.media.close()
        self.cancelled.set()


CallHandler: TypeAlias = Callable[[IncomingCall], Awaitable[object]]
"""Deals with an incoming call."""


def answer_after(ring_s: float = 0.0) -> CallHandler:
    """Return a person who lets it ring for so many seconds and then answers."""

    async def handle(call: IncomingCall) -> None:
        call.ring()
        await asyncio.sleep(ring_s)
        if not call.cancelled.is_set():
            await call.answer()

    return handle


def reject_with(status: int = 486) -> CallHandler:
    """Return a person who refuses every call with this status; 486 is busy."""

    async def handle(call: IncomingCall) -> None:
        call.reject(status)

    return handle


async def never_answer(call: IncomingCall) -> None:
    """Let every call ring until the caller gives up."""
    call.ring()
    await call.cancelled.wait()
