"""One attempt to pass a call on: dial, brief, merge; or ask the carrier."""

import asyncio
import logging
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from livekit import rtc
from livekit.agents import APIError, vad

from dispatch.calls import EventType
from dispatch.errors import DispatchError, NoWayOut
from dispatch.transfer_policy import TransferMode, TransferPolicy
from telephony import hearing
from telephony.dialling_rules import PhoneTarget, SipTarget, Target
from telephony.errors import DialError, VendorError
from telephony.ports import Dialler, DialRequest, SipServer
from worker.hearing import RoomHearing
from worker.in_vain import unless
from worker.line import HOPS_HEADER, Line
from worker.transcript import CallJournal
from worker.transfers.acceptance import HOW_TO_ANSWER, Decision, wait_for_decision
from worker.transfers.leg import HumanLeg
from worker.transfers.outcome import CODE_OF_DIAL, CODE_OF_REFER, TransferCode, TransferOutcome

logger = logging.getLogger(__name__)

_CODE_OF_DECISION: Final = {
    Decision.ACCEPTED: TransferCode.ACCEPTED,
    Decision.DECLINED: TransferCode.DECLINED,
    Decision.HUNG_UP: TransferCode.HUNG_UP,
}


_NOT_BY_CARRIER: Final = frozenset({TransferCode.REFUSED, TransferCode.FAILED})
"""What a carrier says that takes no REFER, or not from us."""


class SpeaksAside(Protocol):
    """The part of a conversation that a briefing needs."""

    async def say_aside(self, text: str) -> None:
        """Speak to somebody who is not the caller."""
        ...


@dataclass(frozen=True, slots=True)
class TransferParts:
    """What every transfer of one call works with."""

    room: rtc.Room
    line: Line
    caller_identity: str
    from_number: str
    """Shown to whoever the call is passed to."""
    journal: CallJournal
    hearing: RoomHearing
    dialler: Dialler
    voice: SpeaksAside
    detection: vad.VAD
    policy: TransferPolicy
    may_dial: Callable[[str], Awaitable[bool]]
    """Whether calls may be sent to a SIP server, by its host."""
    find_trunk: Callable[[], Awaitable[SipServer]]
    """Finds the carrier of the number that was called; raises `NoWayOut` where there is none."""
    legs: list[HumanLeg] = field(default_factory=list)
    """Every leg that was dialled, for the bill."""

    @property
    def hops(self) -> dict[str, str]:
        """The header that counts how often the call was passed on, this time included."""
        return {HOPS_HEADER: str(self.line.hops + 1)}


class Transfer:
    """One attempt to pass a call on, over one or several targets, one after the other.

    The caller is on hold for all of it. On record each step stands under the same `transfer_id`.

    Args:
        parts: What it works with.
        targets: Whom to try, in order; all of them may be dialled.
        mode: How.
        summary: What a target is told about the call, in a warm transfer.
    """

    def __init__(
        self, parts: TransferParts, targets: Sequence[Target], mode: TransferMode, summary: str
    ) -> None:
        self._parts = parts
        self._targets = targets
        self._mode = mode
        self._summary = summary
        self._id = uuid.uuid4().hex
        self.leg: HumanLeg | None = None
        """Who has the call, once it was accepted here."""

    async def run(self, *, by_carrier: bool, or_here: bool = False) -> TransferOutcome:
        """Try the targets until one takes the call; return the last outcome otherwise.

        Args:
            by_carrier: Ask the caller's carrier (REFER) instead of dialling.
            or_here: Dial all the same where the carrier does not pass the call on.
        """
        texts = [target.text for target in self._targets]
        self._note(EventType.TRANSFER_STARTED, mode=self._mode.value, targets=texts)
        outcome = TransferOutcome(TransferCode.FAILED, texts[0])
        for target in self._targets:
            outcome = await (self._refer(target) if by_carrier else self._try(target))
            if by_carrier and or_here and outcome.code in _NOT_BY_CARRIER:
                outcome = await self._try(target)
            if outcome.is_accepted:
                break
            self._note(
                EventType.TRANSFER_FAILED,
                target=outcome.target,
                outcome=outcome.code.value,
                sip_code=outcome.sip_code,
                reason=outcome.reason,
            )
        self._note(EventType.TRANSFER_COMPLETED, outcome=outcome.code.value, target=outcome.target)
        return outcome

    async def _refer(self, target: Target) -> TransferOutcome:
        parts = self._parts
        self._note(EventType.TRANSFER_RINGING, target=target.text)
        with parts.line.passing_on() as was_taken:
            try:
                referred = await parts.dialler.refer(
                    parts.room.name,
                    parts.caller_identity,
                    target.uri,
                    headers=parts.hops,
                    timeout_s=float(parts.policy.ring_timeout_s),
                )
            except VendorError as exc:
                logger.warning("transfer not asked for", extra={"operation": exc.operation})
                return TransferOutcome(TransferCode.FAILED, target.text)
            outcome = TransferOutcome(
                CODE_OF_REFER[referred.outcome], target.text, referred.sip_code
            )
            was_taken.set_result(outcome.is_accepted)
        return outcome

    async def _try(self, target: Target) -> TransferOutcome:
        try:
            leg = await self._leg_to(target)
        except DispatchError as exc:
            logger.warning(
                "no way to dial the target of a transfer", extra={"error": type(exc).__name__}
            )
            return TransferOutcome(TransferCode.FAILED, target.text, reason=str(exc))
        self._parts.legs.append(leg)
        self._note(EventType.TRANSFER_RINGING, target=target.text, leg=leg.identity)
        try:
            await leg.ring()
            self._note(EventType.TRANSFER_ANSWERED, target=target.text, leg=leg.identity)
            code = await unless(leg.gone, self._offer(leg), otherwise=TransferCode.HUNG_UP)
        except DialError as exc:
            return TransferOutcome(CODE_OF_DIAL[exc.outcome], target.text, exc.sip_code)
        except (VendorError, APIError) as exc:
            logger.warning("transfer failed", extra={"error": type(exc).__name__})
            code = TransferCode.FAILED
        except BaseException:
            # The call is over: its room takes every leg down, but one that rings deserves haste.
            await asyncio.shield(leg.hang_up())
            raise
        if code is TransferCode.ACCEPTED:
            self.leg = leg
        else:
            await leg.hang_up()
        return TransferOutcome(code, target.text)

    async def _offer(self, leg: HumanLeg) -> TransferCode:
        """Let somebody who answered have the caller, if they want to."""
        relays = self._parts.policy.relay_keys
        merged = hearing.merge_with_keys if relays else hearing.merge
        if self._mode is TransferMode.COLD:
            await self._parts.hearing.open_ear(leg.identity, merged)
            self._note(EventType.TRANSFER_MERGED, leg=leg.identity)
            return TransferCode.ACCEPTED
        await self._parts.hearing.open_ear(leg.identity, hearing.consult)
        decision, how = await self._consult(leg)
        code = TransferCode.NOT_ACCEPTED if decision is None else _CODE_OF_DECISION[decision]
        if code is TransferCode.ACCEPTED:
            self._note(EventType.TRANSFER_ACCEPTED, leg=leg.identity, by=how)
            await self._parts.hearing.arrange(merged)
            self._note(EventType.TRANSFER_MERGED, leg=leg.identity)
        elif code is TransferCode.DECLINED:
            self._note(EventType.TRANSFER_DECLINED, leg=leg.identity, by=how)
        return code

    async def _consult(self, leg: HumanLeg) -> tuple[Decision | None, str]:
        """Tell somebody what it is about; return what they say to it, None when nothing in time."""
        parts = self._parts
        deciding = asyncio.ensure_future(wait_for_decision(leg, parts.detection))
        text = f"{self._summary} {HOW_TO_ANSWER}".strip()
        briefing = asyncio.ensure_future(parts.voice.say_aside(text))
        try:
            await asyncio.wait({deciding, briefing}, return_when=asyncio.FIRST_COMPLETED)
            if not deciding.done():
                briefing.result()
                self._note(EventType.TRANSFER_BRIEFED, leg=leg.identity, summary=self._summary)
                timeout_s = float(parts.policy.accept_timeout_s)
                await asyncio.wait({deciding}, timeout=timeout_s)
            return deciding.result() if deciding.done() else (None, "")
        finally:
            for work in (deciding, briefing):
                work.cancel()
            await asyncio.gather(deciding, briefing, return_exceptions=True)

    async def _leg_to(self, target: Target) -> HumanLeg:
        parts = self._parts
        match target:
            case SipTarget(user, hostname):
                to, trunk = user, SipServer(hostname)
            case PhoneTarget(number):
                to, trunk = number, await parts.find_trunk()
        # Tenants write targets and carriers alike.
        if not await parts.may_dial(trunk.hostname):
            raise NoWayOut("The host to call is not known, or at an address that is not public.")
        request = DialRequest(
            room_name=parts.room.name,
            identity=f"human_{self._id[:8]}_{len(parts.legs)}",
            to=to,
            trunk=trunk,
            from_number=parts.from_number,
            ringing_timeout_s=float(parts.policy.ring_timeout_s),
            headers=parts.hops,
            name="Transfer",
        )
        return HumanLeg(parts.room, parts.dialler, parts.hearing, request, self._note_end)

    def _note_end(self, leg: HumanLeg) -> None:
        self._note(EventType.LEG_ENDED, leg=leg.identity, billed_s=leg.billed_s)

    def _note(self, event_type: EventType, **data: object) -> None:
        self._parts.journal.event(event_type, transfer_id=self._id, **data)
