"""Being transferred: a REFER, and the reports on what became of it.

Source: RFC 3515 (REFER), RFC 3420 (message/sipfrag), RFC 6665 section 4.1.3 (subscription state).
"""

from collections.abc import Awaitable, Callable
from enum import Enum
from typing import Final, TypeAlias
from urllib.parse import unquote

from sipmessage import Request

from telephony.softphone.dialog import Dialog
from telephony.softphone.errors import RequestFailed
from telephony.softphone.sip_messages import Body, reason_phrase
from telephony.softphone.transactions import ServerTransaction
from telephony.softphone.user_agent import Outgoing, UserAgent

_SIPFRAG_TYPE: Final = "message/sipfrag;version=2.0"
_REPORTS_EXPIRE_S: Final = 60


class TransferOutcome(Enum):
    """What a scripted transfer target does: the statuses reported, one after the other."""

    ACCEPTED = (100, 180, 200)
    BUSY = (100, 486)
    NO_ANSWER = (100, 180, 480)
    REFUSED = (100, 603)


class TransferRequest:
    """A REFER of the far end, to be accepted or refused."""

    def __init__(self, agent: UserAgent, dialog: Dialog, transaction: ServerTransaction) -> None:
        """Read the REFER.

        Raises:
            ValueError: It does not name exactly one target.
        """
        request = transaction.request
        self.request: Final = request
        self.target, self.headers = _target(request)
        self.referred_by: Final = request.headers.get("Referred-By")
        self._agent = agent
        self._dialog = dialog
        self._transaction = transaction
        self._event = f"refer;id={request.cseq.sequence}"

    def accept(self) -> None:
        """Answer 202: the transfer will be tried."""
        self._transaction.respond(202, headers={"Contact": self._dialog.contact})

    def refuse(self, status: int = 603) -> None:
        """Answer with a failure: the transfer will not be tried."""
        self._transaction.respond(status)

    async def report(self, status: int) -> None:
        """Tell the far end how the transfer goes; a status from 200 up is the last word.

        Raises:
            RequestFailed: The far end did not take the report.
        """
        state = (
            f"active;expires={_REPORTS_EXPIRE_S}"
            if status < 200
            else "terminated;reason=noresource"
        )
        fragment = f"SIP/2.0 {status} {reason_phrase(status)}\r\n"
        notify = Outgoing(
            self._dialog,
            "NOTIFY",
            Body(fragment.encode(), _SIPFRAG_TYPE),
            headers=(("Event", self._event), ("Subscription-State", state)),
        )
        _, response = await self._agent.exchange(notify)
        if response.code >= 300:
            raise RequestFailed("NOTIFY", response.code)


TransferHandler: TypeAlias = Callable[[TransferRequest], Awaitable[None]]
"""Decides what happens to a REFER; it must accept or refuse it."""


def scripted_transfer(outcome: TransferOutcome) -> TransferHandler:
    """Return a handler that calls nobody and reports this outcome."""

    async def handle(transfer: TransferRequest) -> None:
        transfer.accept()
        for status in outcome.value:
            await transfer.report(status)

    return handle


async def refuse_transfer(transfer: TransferRequest) -> None:
    """Answer every REFER with 603: this phone does not let itself be transferred."""
    transfer.refuse()


def find_fragment_status(body: bytes) -> int | None:
    """Return the status in a sipfrag body; None when there is none."""
    words = body.split(maxsplit=2)
    if len(words) < 2 or words[0] != b"SIP/2.0" or not words[1].isdigit():
        return None
    return int(words[1])


def _target(request: Request) -> tuple[str, dict[str, str]]:
    """Return the Refer-To URI and the headers of the new call that are asked for with it.

    Only those that change nothing about who calls whom are taken (RFC 3261 section 19.1.5).
    """
    values = request.headers.getlist("Refer-To")
    if len(values) != 1:
        raise ValueError("a REFER names exactly one target")
    _, bracket, rest = values[0].partition("<")
    address = rest.partition(">")[0] if bracket else values[0].partition(";")[0]
    uri, _, headers = address.strip().partition("?")
    named = (header.partition("=") for header in headers.split("&"))
    taken = {
        unquote(name): unquote(value)
        for name, _, value in named
        if name.lower() == "replaces" or name.lower().startswith("x-")
    }
    return uri, taken
