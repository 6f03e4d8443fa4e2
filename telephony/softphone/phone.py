"""The phone: one UDP port that places and takes any number of calls.

async with Softphone() as phone:
    call = await phone.call("sip:+12015550100@127.0.0.1:5060", from_user="+12015550123")
    await call.wait_for_audio(timeout_s=5)
    await call.send_dtmf("2")
    await call.hang_up()
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Self

from sipmessage import URI, Request

from telephony.softphone.call import CallParts, PhoneCall
from telephony.softphone.dialog import Dialog
from telephony.softphone.digest import Challenge, Credentials
from telephony.softphone.errors import CallFailed, CallNotAnswered, CallRejected
from telephony.softphone.g711 import PCMA, PCMU, Codec
from telephony.softphone.incoming import CallHandler, IncomingCall
from telephony.softphone.media import DatagramFilter, MediaStream
from telephony.softphone.moments import CallTimings, Moment
from telephony.softphone.outgoing import OutgoingCall
from telephony.softphone.reception import Reception
from telephony.softphone.sdp import SessionDescription
from telephony.softphone.sip_messages import new_tag
from telephony.softphone.sip_transport import SIPTransport
from telephony.softphone.transactions import ServerTransaction, SIPTimers, TransactionLayer
from telephony.softphone.transfers import TransferHandler, TransferRequest
from telephony.softphone.user_agent import UserAgent

_CLOSING_PATIENCE_S: Final = 2.0
"""How long closing waits for calls being placed to be cancelled."""


@dataclass(frozen=True, slots=True)
class PhoneOptions:
    """What rarely needs to be said about a phone."""

    advertised_host: str | None = None
    """Address others reach this phone at; the bound one when None."""
    timers: SIPTimers = field(default_factory=SIPTimers)
    codecs: tuple[Codec, ...] = (PCMU, PCMA)
    """Codecs offered, best first."""
    required_credentials: Credentials | None = None
    """Callers must prove to know these; None lets everybody call."""
    sip_filter: DatagramFilter | None = None
    """Decides which SIP datagrams really leave; for tests."""
    media_filter: DatagramFilter | None = None
    """Decides which RTP packets really leave; for tests."""


class Softphone:
    """A SIP phone; use it as an async context manager."""

    def __init__(
        self,
        bind_host: str = "127.0.0.1",
        bind_port: int = 0,
        *,
        on_call: CallHandler | None = None,
        on_transfer: TransferHandler | None = None,
        options: PhoneOptions | None = None,
    ) -> None:
        """Set up; nothing is bound before `async with`.

        Args:
            bind_host: IP address to bind; a specific one unless `advertised_host` is given.
            bind_port: SIP port; 0 takes a free one.
            on_call: Deals with incoming calls; without it they wait in `incoming`.
            on_transfer: Deals with a REFER; without it the target is really called.
            options: Everything else.

        Raises:
            ValueError: The bound address is a wildcard and no other is advertised.
        """
        self._options = options or PhoneOptions()
        if bind_host in {"0.0.0.0", "::"} and self._options.advertised_host is None:
            raise ValueError("a phone bound to every address must be told its advertised_host")
        self._bind = (bind_host, bind_port)
        self._on_call = on_call
        self._on_transfer = on_transfer or self._follow_transfer
        self._waiting: asyncio.Queue[IncomingCall] = asyncio.Queue()
        self._placed: set[OutgoingCall] = set()

    async def __aenter__(self) -> Self:
        """Bind the SIP port."""
        options = self._options
        self._transport = SIPTransport(outgoing_filter=options.sip_filter)
        self._layer = TransactionLayer(self._transport, options.timers)
        host, port = await self._transport.open(*self._bind, self._layer.receive)
        self._agent = UserAgent(
            host=options.advertised_host or host,
            bind_host=host,
            port=port,
            layer=self._layer,
            media_filter=options.media_filter,
        )
        self._reception = Reception(
            layer=self._layer,
            on_invite=self._receive_call,
            required=options.required_credentials,
            challenge=Challenge("dialplane-softphone", secrets.token_hex(16), "SHA-256"),
        )
        self._layer.serve(self._reception.take)
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End every call politely and free the port."""
        leaving = [
            *(self._agent.spawn(call.hang_up(), "closing") for call in self.calls),
            *(self._agent.spawn(placed.cancel(), "closing") for placed in self._placed),
        ]
        for waiting in self._reception.unanswered():
            waiting.reject(480)
        if leaving:
            await asyncio.wait(leaving, timeout=_CLOSING_PATIENCE_S)
        await self._agent.close()
        self._layer.close()
        self._transport.close()

    @property
    def address(self) -> str:
        """Where others reach this phone, as `host:port`."""
        return self._agent.via

    @property
    def calls(self) -> tuple[PhoneCall, ...]:
        """The established calls, oldest first."""
        return self._reception.calls

    def uri(self, user: str) -> str:
        """Return the SIP URI at which this phone is called under a user part."""
        return f"sip:{user}@{self.address}"

    async def call(
        self,
        target: str,
        *,
        from_user: str = "softphone",
        auth: Credentials | None = None,
        ring_timeout_s: float = 60.0,
        headers: Mapping[str, str] | None = None,
    ) -> PhoneCall:
        """Call somebody and return the answered call.

        Args:
            target: SIP URI, such as `sip:+12015550100@127.0.0.1:5060`.
            from_user: User part of From: the caller's number.
            auth: Answers a digest challenge.
            ring_timeout_s: Seconds until the call is given up.
            headers: Further headers of the INVITE.

        Raises:
            CallRejected: The far end refused.
            CallNotAnswered: It rang too long, or nothing answered.
            NoCommonCodec: It answered without usable audio.
            ValueError: Not a SIP URI.
        """
        outgoing = self.invite(target, from_user=from_user, auth=auth, headers=headers)
        try:
            async with asyncio.timeout(ring_timeout_s):
                return await outgoing.answered
        except TimeoutError:
            last_status = outgoing.statuses[-1] if outgoing.statuses else None
            await outgoing.cancel()
            raise CallNotAnswered(last_status) from None
        except asyncio.CancelledError:
            self._agent.spawn(outgoing.cancel(), "cancel")
            raise

    def invite(
        self,
        target: str,
        *,
        from_user: str = "softphone",
        auth: Credentials | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> OutgoingCall:
        """Begin to call somebody; arguments as for `call`.

        Raises:
            ValueError: Not a SIP URI.
        """
        uri = URI.parse(target)
        if uri.scheme != "sip":
            raise ValueError("this phone calls sip: addresses only")
        dialog = Dialog(
            call_id=f"{secrets.token_hex(12)}@{self._agent.host}",
            local=f"<sip:{from_user}@{self.address}>;tag={new_tag()}",
            remote=f"<{uri}>",
            remote_target=uri,
            via=self._agent.via,
            contact=self._agent.contact(from_user),
        )
        outgoing = OutgoingCall(
            self._parts(dialog, auth),
            headers=tuple((headers or {}).items()),
            on_answered=self._reception.add,
            on_done=self._placed.discard,
        )
        self._placed.add(outgoing)
        return outgoing

    async def incoming(self) -> AsyncIterator[IncomingCall]:
        """Yield calls as they come in, when no `on_call` deals with them."""
        while True:
            yield await self._waiting.get()

    async def next_call(self, *, timeout_s: float = 30.0) -> IncomingCall:
        """Return the next call to come in, when no `on_call` deals with them.

        Raises:
            TimeoutError: None came in that time.
        """
        async with asyncio.timeout(timeout_s):
            return await self._waiting.get()

    def _parts(self, dialog: Dialog, credentials: Credentials | None = None) -> CallParts:
        media = self._agent.open_media()
        return CallParts(
            agent=self._agent,
            dialog=dialog,
            media=media,
            local=self._description(media),
            timings=CallTimings(Moment.now()),
            on_transfer=self._on_transfer,
            credentials=credentials,
        )

    def _description(self, media: MediaStream) -> SessionDescription:
        return SessionDescription(
            host=self._agent.host,
            port=media.port,
            codecs=tuple(codec.payload_type for codec in self._options.codecs),
            session_id=secrets.randbits(31),
        )

    def _receive_call(
        self, transaction: ServerTransaction, offer: SessionDescription | None
    ) -> IncomingCall:
        invite: Request = transaction.request
        dialog = Dialog.of_incoming(
            invite,
            local_tag=transaction.to_tag,
            via=self._agent.via,
            contact=self._agent.contact(invite.uri.user or "softphone"),
        )
        incoming = IncomingCall(
            self._parts(dialog), transaction, offer, on_answered=self._reception.add
        )
        if self._on_call is None:
            self._waiting.put_nowait(incoming)
        else:
            self._agent.spawn(self._handle(self._on_call, incoming), "incoming")
        return incoming

    async def _handle(self, handler: CallHandler, incoming: IncomingCall) -> None:
        try:
            await handler(incoming)
        except CallFailed:
            # The caller gave up or offered no usable audio; it has been told.
            incoming.reject(480)

    async def _follow_transfer(self, transfer: TransferRequest) -> None:
        """Call the target of a REFER and report how that goes."""
        transfer.accept()
        await transfer.report(100)
        try:
            outgoing = self.invite(transfer.target, headers=transfer.headers)
            await transfer.report(await outgoing.ringing)
            await outgoing.answered
        except ValueError:
            await transfer.report(404)
        except CallRejected as exc:
            await transfer.report(exc.status)
        except CallFailed:
            await transfer.report(408)
        else:
            await transfer.report(200)
