"""A call in progress, and the requests its far end makes."""

import asyncio
import logging
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

from telephony.softphone.call_audio import CallAudio, CallEnd, EndedBy
from telephony.softphone.dialog import Dialog
from telephony.softphone.digest import Credentials
from telephony.softphone.errors import InvalidSDP, NoCommonCodec, RequestFailed
from telephony.softphone.media import MediaStream
from telephony.softphone.moments import CallTimings, Moment
from telephony.softphone.sdp import Direction, SessionDescription, answer, negotiate, parse_sdp
from telephony.softphone.sip_messages import SDP_TYPE, Body
from telephony.softphone.sip_transport import resolve
from telephony.softphone.transactions import ServerTransaction
from telephony.softphone.transfers import TransferHandler, TransferRequest, find_fragment_status
from telephony.softphone.user_agent import Outgoing, UserAgent

_logger = logging.getLogger(__name__)

_BYE_PATIENCE_S: Final = 2.0
"""How long hanging up waits for the far end's 200; the BYE goes on being repeated after it."""

_MOST_OFFERS: Final = 5
"""Tries to change a call while the far end is changing it too."""


class CallState(Enum):
    """State of an established call."""

    ACTIVE = "active"
    ON_HOLD = "on_hold"
    """This end holds the call."""
    HELD = "held"
    """The far end holds the call."""
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class CallParts:
    """What the setting up of a call hands over to the call."""

    agent: UserAgent
    dialog: Dialog
    media: MediaStream
    local: SessionDescription
    timings: CallTimings
    on_transfer: TransferHandler
    credentials: Credentials | None = None


class PhoneCall(CallAudio):
    """An answered call."""

    def __init__(self, parts: CallParts) -> None:
        super().__init__(parts.media)
        self.dialog: Final = parts.dialog
        self.timings: Final = parts.timings
        self.transfer_statuses: Final[list[int]] = []
        """Statuses reported for a transfer this end asked for, in order."""
        self._agent = parts.agent
        self._local = parts.local
        self._credentials = parts.credentials
        self._on_transfer = parts.on_transfer
        self._offering = asyncio.Lock()
        self._transfer_news = asyncio.Event()

    @property
    def sip_call_id(self) -> str:
        """The SIP Call-ID."""
        return self.dialog.call_id

    @property
    def state(self) -> CallState:
        """What the call is doing now."""
        if self.is_over:
            return CallState.ENDED
        if not self._local.direction.receives:
            return CallState.ON_HOLD
        agreed = self.media.agreed
        return CallState.HELD if agreed and not agreed.may_send else CallState.ACTIVE

    async def hang_up(self, *, reason: str | None = None) -> CallEnd:
        """End the call; does nothing when it is over.

        Args:
            reason: Value for a `Reason` header, such as `Q.850;cause=16`.
        """
        if not self.is_over:
            self.finish(EndedBy.LOCAL)
            headers = (("Reason", reason),) if reason else ()
            bye = Outgoing(self.dialog, "BYE", headers=headers, credentials=self._credentials)
            sending = self._agent.spawn(self._agent.exchange(bye), "bye")
            await asyncio.wait({sending}, timeout=_BYE_PATIENCE_S)
        return self._ended.result()

    async def hold(self, *, silent: bool = False) -> None:
        """Put the far end on hold.

        Args:
            silent: Send nothing either (`inactive`), as where no music is played.

        Raises:
            RequestFailed: The far end refused.
            CallIsOver: The call has ended.
        """
        await self._offer(Direction.INACTIVE if silent else Direction.SENDONLY)

    async def resume(self) -> None:
        """Take the far end off hold.

        Raises:
            RequestFailed: The far end refused.
            CallIsOver: The call has ended.
        """
        await self._offer(Direction.SENDRECV)

    async def transfer(self, target: str, *, timeout_s: float = 30.0) -> int:
        """Ask the far end to call somebody else, and return what became of it.

        Args:
            target: SIP or tel URI.
            timeout_s: Seconds to wait for the last report.

        Returns:
            The final status reported; 200 when the target answered.

        Raises:
            RequestFailed: The far end refused to try.
            TimeoutError: It did not report in time.
            CallIsOver: The call has ended.
        """
        self._require_alive()
        self.transfer_statuses.clear()
        refer = Outgoing(
            self.dialog,
            "REFER",
            headers=(("Refer-To", f"<{target}>"), ("Referred-By", self.dialog.contact)),
            credentials=self._credentials,
        )
        _, response = await self._agent.exchange(refer)
        if response.code >= 300:
            raise RequestFailed("REFER", response.code)
        async with asyncio.timeout(timeout_s):
            while not self.transfer_statuses or self.transfer_statuses[-1] < 200:
                self._transfer_news.clear()
                await self._transfer_news.wait()
        return self.transfer_statuses[-1]

    def finish(self, by: EndedBy, reason: str | None = None) -> None:
        """Note the end of the call and stop its sound; the first word counts."""
        if self.is_over:
            return
        self.timings.ended_at = Moment.now()
        self._ended.set_result(CallEnd(by, self.timings.ended_at, reason))
        self.media.close()

    def receive(self, transaction: ServerTransaction) -> None:
        """Answer a request of the far end."""
        request = transaction.request
        if not self.dialog.accepts(request):
            transaction.respond(500)
        elif request.method == "BYE":
            transaction.respond(200)
            self.finish(EndedBy.REMOTE, request.headers.get("Reason"))
        elif self.is_over:
            transaction.respond(481)
        elif request.method == "INVITE":
            self._agent.spawn(self._receive_offer(transaction), "re-invite")
        elif request.method == "REFER":
            self._receive_transfer(transaction)
        elif request.method == "NOTIFY":
            self._receive_report(transaction)
        else:
            transaction.respond(200)

    async def _offer(self, direction: Direction) -> None:
        for _ in range(_MOST_OFFERS):
            status = await self._try_offer(direction)
            if status != 491:
                break
            # Both ends offered at once. Source: RFC 3261 section 14.1, with shorter waits: what
            # matters is that the two ends do not wait equally long.
            await asyncio.sleep(random.uniform(0.05, 0.5))  # noqa: S311 - not a secret
        if status >= 300:
            raise RequestFailed("INVITE", status)

    async def _try_offer(self, direction: Direction) -> int:
        """Send one re-INVITE, apply its answer, and return its status."""
        async with self._negotiating():
            offered = replace(self._local, direction=direction, version=self._local.version + 1)
            invite = Outgoing(
                self.dialog,
                "INVITE",
                Body(offered.to_bytes(), SDP_TYPE),
                credentials=self._credentials,
            )
            transaction, response = await self._agent.exchange(invite)
            if response.code < 300:
                self.dialog.refresh_target(response)
                ack = self.dialog.acknowledgement(transaction.request)
                transaction.acknowledge(ack, await resolve(self.dialog.next_hop))
                self._local = offered
                self.media.use(negotiate(offered, parse_sdp(response.body)))
            return response.code

    @asynccontextmanager
    async def _negotiating(self) -> AsyncIterator[None]:
        async with self._offering:
            self._require_alive()
            yield

    async def _receive_offer(self, transaction: ServerTransaction) -> None:
        if self._offering.locked():
            transaction.respond(491)
            return
        async with self._negotiating():
            request = transaction.request
            ours = replace(self._local, version=self._local.version + 1)
            try:
                offer = parse_sdp(request.body) if request.body else None
                reply = answer(ours, offer) if offer else ours
            except (InvalidSDP, NoCommonCodec):
                transaction.respond(488)
                return
            self.dialog.refresh_target(request)
            self._local = ours
            if offer is not None:
                self.media.use(negotiate(ours, offer))
            transaction.respond(
                200,
                headers={"Contact": self.dialog.contact},
                body=Body(reply.to_bytes(), SDP_TYPE),
            )
            await self.await_acknowledgement(transaction, has_offered=offer is None)

    async def await_acknowledgement(
        self, transaction: ServerTransaction, *, has_offered: bool
    ) -> None:
        """Wait for the ACK of our 200; without one the call is over.

        Args:
            transaction: The answered INVITE.
            has_offered: Whether the 200 carried our offer, so that the ACK carries the answer.
        """
        await asyncio.wait({transaction.ack})
        if transaction.ack.cancelled():
            self.finish(EndedBy.NETWORK)
            return
        if has_offered:
            try:
                self.media.use(negotiate(self._local, parse_sdp(transaction.ack.result().body)))
            except (InvalidSDP, NoCommonCodec):
                await self.hang_up()

    def _receive_transfer(self, transaction: ServerTransaction) -> None:
        try:
            transfer = TransferRequest(self._agent, self.dialog, transaction)
        except ValueError:
            transaction.respond(400)
            return
        self._agent.spawn(self._follow(transfer), "transfer")

    async def _follow(self, transfer: TransferRequest) -> None:
        try:
            await self._on_transfer(transfer)
        except RequestFailed as exc:
            # The far end hangs up as soon as it knows enough; nobody is left to report to.
            _logger.info("A transfer report was not taken", extra={"status": exc.status})

    def _receive_report(self, transaction: ServerTransaction) -> None:
        transaction.respond(200)
        status = find_fragment_status(transaction.request.body)
        if status is not None:
            self.transfer_statuses.append(status)
            self._transfer_news.set()
