"""What a job does for a number in place of an agent: it says a message, or passes the call on."""

import logging
from typing import Protocol

from dispatch.number_behaviour import CallPlan
from dispatch.transfer_policy import TransferMode
from telephony.dialling_rules import TargetRefused
from telephony.errors import VendorError
from worker.call_errors import CallOver, NotNow
from worker.ending import MESSAGE_HEARD, NOBODY_REACHED
from worker.line import Line, LineDownError
from worker.transfers.outcome import SENTENCES, TransferCode, TransferOutcome

logger = logging.getLogger(__name__)


class Announces(Protocol):
    """The part of a conversation that an attendant uses."""

    def stand_aside(self) -> None:
        """Fall silent and hear nothing."""
        ...

    async def announce(self, text: str) -> None:
        """Say something to the caller, whatever becomes of the agent's voice."""
        ...

    async def hang_up(self) -> None:
        """Let the last audio reach the caller, then let the call be over."""
        ...


class PassesOn(Protocol):
    """The part of call control that an attendant uses."""

    async def transfer(
        self,
        to: str | None = None,
        mode: TransferMode | None = None,
        summary: str = "",
        *,
        by_owner: bool = False,
    ) -> TransferOutcome:
        """Pass the call to somebody."""
        ...


async def attend(plan: CallPlan, conversation: Announces, control: PassesOn, line: Line) -> None:
    """Do what a number's behaviour says with an answered call, up to its end or its transfer.

    The caller is not listened to: there is nobody who could react.

    Args:
        plan: A message, somebody to pass the call to, or both.
        conversation: Speaks to the caller.
        control: Passes the call on.
        line: The call's.
    """
    try:
        conversation.stand_aside()
        if plan.message:
            await line.unless_down(conversation.announce(plan.message))
        end = MESSAGE_HEARD
        if plan.transfer_to is not None:
            code = await pass_on(plan.transfer_to, control)
            if code is TransferCode.ACCEPTED:
                return
            conversation.stand_aside()
            await line.unless_down(conversation.announce(SENTENCES[code]))
            end = NOBODY_REACHED
    except LineDownError:
        logger.info("over before it was attended to")
        return
    if line.ending.decide(end):
        await conversation.hang_up()


async def pass_on(to: str, control: PassesOn) -> TransferCode:
    """Pass a call to somebody whom the number's owner names; return what became of it.

    A call that ends meanwhile counts as taken: nothing is left to be done about it.
    """
    try:
        outcome = await control.transfer(to, TransferMode.COLD, by_owner=True)
    except CallOver:
        return TransferCode.ACCEPTED
    except TargetRefused as exc:
        logger.warning("call not passed on", extra={"code": exc.code.value})
        return TransferCode.FAILED
    except (NotNow, VendorError) as exc:
        logger.warning("call not passed on", extra={"error": type(exc).__name__})
        return TransferCode.FAILED
    except Exception:
        # Whatever broke, the caller is back and must be told.
        logger.exception("call not passed on")
        return TransferCode.FAILED
    return outcome.code


async def is_taken(to: str, control: PassesOn) -> bool:
    """Pass a call to somebody whom the number's owner names; return whether they have it."""
    return await pass_on(to, control) is TransferCode.ACCEPTED
