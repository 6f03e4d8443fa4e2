"""Where requests from outside arrive: to the call they belong to, or answered on the spot.

Source: RFC 3261 sections 8.2 (UAS behaviour), 11 (OPTIONS), 12.2.2 (requests within a dialog).
"""

import asyncio
from collections.abc import Callable
from typing import Final, TypeAlias

from sipmessage import Request

from telephony.softphone.call import PhoneCall
from telephony.softphone.digest import Challenge, Credentials, is_right_answer
from telephony.softphone.errors import InvalidSDP, NoCommonCodec
from telephony.softphone.incoming import IncomingCall
from telephony.softphone.sdp import SessionDescription, parse_sdp
from telephony.softphone.sip_messages import ALLOWED_METHODS, SDP_TYPE, tag_of
from telephony.softphone.transactions import ServerTransaction, TransactionLayer

_ALLOW: Final = {"Allow": ", ".join(ALLOWED_METHODS)}
_KNOWN_BUT_NOT_ALLOWED: Final = frozenset(
    {"MESSAGE", "PRACK", "PUBLISH", "REGISTER", "SUBSCRIBE", "UPDATE"}
)

InviteHandler: TypeAlias = Callable[[ServerTransaction, SessionDescription | None], IncomingCall]


class Reception:
    """Sorts incoming requests and knows every call by its dialog."""

    def __init__(
        self,
        *,
        layer: TransactionLayer,
        on_invite: InviteHandler,
        required: Credentials | None,
        challenge: Challenge,
    ) -> None:
        self._layer = layer
        self._on_invite = on_invite
        self._required = required
        self._challenge = challenge
        self._calls: dict[tuple[str, str, str], PhoneCall] = {}
        self._incoming: dict[ServerTransaction, IncomingCall] = {}

    @property
    def calls(self) -> tuple[PhoneCall, ...]:
        """The calls that are not over, oldest first."""
        return tuple(call for call in self._calls.values() if not call.is_over)

    def unanswered(self) -> tuple[IncomingCall, ...]:
        """Return the incoming calls that still ring."""
        return tuple(
            call for transaction, call in self._incoming.items() if not transaction.is_answered
        )

    def add(self, call: PhoneCall) -> None:
        """Know a new call, until a while after it has ended: a late BYE still belongs to it."""
        key = call.dialog.key
        self._calls[key] = call
        loop = asyncio.get_running_loop()
        timeout_s = self._layer.timers.timeout_s
        call.ended.add_done_callback(
            lambda _: loop.call_later(timeout_s, self._calls.pop, key, None)
        )

    def take(self, transaction: ServerTransaction) -> None:
        """Answer a request, or hand it to its call."""
        request = transaction.request
        if request.method in _KNOWN_BUT_NOT_ALLOWED:
            transaction.respond(405, headers=_ALLOW)
        elif request.method not in ALLOWED_METHODS:
            transaction.respond(501, headers=_ALLOW)
        elif (our_tag := tag_of(request.headers["To"])) is not None:
            their_tag = tag_of(request.headers["From"]) or ""
            call = self._calls.get((request.call_id, our_tag, their_tag))
            if call is None:
                transaction.respond(481)
            else:
                call.receive(transaction)
        elif request.method == "OPTIONS":
            transaction.respond(200, headers={**_ALLOW, "Accept": SDP_TYPE})
        elif request.method == "INVITE":
            self._take_invite(transaction)
        else:
            transaction.respond(481)

    def _take_invite(self, transaction: ServerTransaction) -> None:
        request = transaction.request
        if request.require:
            transaction.respond(420, headers={"Unsupported": ", ".join(request.require)})
        elif not self._is_welcome(request):
            challenge = self._challenge.to_header()
            transaction.respond(407, headers={"Proxy-Authenticate": challenge})
        else:
            try:
                offer = parse_sdp(request.body) if request.body else None
            except (InvalidSDP, NoCommonCodec):
                transaction.respond(488)
                return
            transaction.respond(100)
            self._incoming = {
                known: call for known, call in self._incoming.items() if not known.is_answered
            }
            self._incoming[transaction] = self._on_invite(transaction, offer)

    def _is_welcome(self, request: Request) -> bool:
        if self._required is None:
            return True
        return any(
            is_right_answer(value, self._challenge, self._required, method=request.method)
            for value in request.headers.getlist("Proxy-Authorization")
        )
