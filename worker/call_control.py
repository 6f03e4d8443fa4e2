"""The one object through which tools, commands and a number's behaviour act on a call."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, TypeVar

from livekit import rtc

from dispatch.calls import EventType
from dispatch.transfer_policy import TransferMode
from telephony import hearing
from telephony.dtmf import DIGITS, check_keys
from telephony.errors import VendorError
from telephony.hearing import Hearing, Party, Role
from worker.agent_on_call import AgentOnCall, CallActivity
from worker.call_errors import CallOver, NotNow
from worker.ending import CLIENT_HUNG_UP, HUMAN_HUNG_UP, TRANSFERRED
from worker.hold_music import HoldMusic
from worker.keypad import press
from worker.line import LineDownError
from worker.transfers.leg import HumanLeg
from worker.transfers.outcome import TransferOutcome
from worker.transfers.targets import Targets
from worker.transfers.transfer import Transfer, TransferParts

logger = logging.getLogger(__name__)

MAX_TRANSFERS: Final = 5
"""Attempts in one call; an agent that a caller talks into more goes round in circles."""

_LAST_WORDS_TIMEOUT_S: Final = 20.0

_AGAIN_S: Final = 1.0
"""Pause after LiveKit did not take a caller off hold."""

_T = TypeVar("_T")


class CallControl:
    """Hold, resume and transfer of one call. Commands are carried out one after the other.

    Args:
        parts: The call's room, line and record, and what transfers need.
        agent: The conversation.
        music: What a caller on hold hears.
        targets: Who may be dialled.
        can_refer: Whether the caller came by telephone, over a carrier that takes a REFER.
    """

    def __init__(
        self,
        parts: TransferParts,
        agent: AgentOnCall,
        music: HoldMusic,
        targets: Targets,
        *,
        can_refer: bool,
    ) -> None:
        self._parts = parts
        self._agent = agent
        self._music = music
        self._targets = targets
        self._can_refer = can_refer
        self._turn = asyncio.Lock()
        self._activity = CallActivity.TALKING
        self._changed = asyncio.Event()
        self._transfers = 0
        self._watching: asyncio.Task[None] | None = None

    @property
    def activity(self) -> CallActivity:
        """What the caller is doing."""
        return self._activity

    @property
    def may_transfer(self) -> bool:
        """Whether there is anybody the call may be passed to."""
        return bool(self._parts.policy.patterns)

    def placed_legs_s(self) -> int:
        """Return the started seconds of all legs that were dialled, for the bill."""
        return sum(leg.billed_s for leg in self._parts.legs)

    async def close(self) -> None:
        """Let go of the room; the call is over."""
        self._parts.hearing.close()
        if self._watching is not None:
            self._watching.cancel()
        for leg in self._parts.legs:
            leg.close()
        await self._music.stop()

    async def hold(self) -> None:
        """Put the caller on hold; no-op when they are.

        Raises:
            CallOver: The call has ended.
            NotNow: The caller talks with somebody else.
            VendorError: LiveKit did not do it; the caller still talks with the agent.
        """
        async with self._command():
            if self._activity is CallActivity.TALKING:
                await self._unless_over(self._put_on_hold())

    async def resume(self) -> None:
        """Take the caller off hold; no-op when they are not on hold.

        Raises:
            CallOver: The call has ended.
            NotNow: The caller talks with somebody else.
            VendorError: LiveKit did not do it; the caller is still on hold.
        """
        async with self._command():
            if self._activity is CallActivity.ON_HOLD:
                await self._unless_over(self._take_off_hold())

    async def hold_for(self, seconds: float) -> bool:
        """Put the caller on hold until somebody resumes the call, at most for so long.

        Returns:
            Whether the caller is back with the agent, and not with somebody the call was passed
            to meanwhile.

        Raises:
            CallOver: The call has ended, before or meanwhile.
            NotNow: The caller talks with somebody else.
            VendorError: LiveKit did not do it.
        """
        await self.hold()
        try:
            async with asyncio.timeout(seconds):
                while self._activity is CallActivity.ON_HOLD:
                    self._changed.clear()
                    await self._unless_over(self._changed.wait())
        except TimeoutError:
            with contextlib.suppress(NotNow):
                async with self._command():
                    if self._activity is CallActivity.ON_HOLD:
                        await self._give_back()
        return self._activity is CallActivity.TALKING

    async def transfer(
        self,
        to: str | None = None,
        mode: TransferMode | None = None,
        summary: str = "",
        *,
        explain: bool = False,
        by_owner: bool = False,
    ) -> TransferOutcome:
        """Pass the call to somebody; when nobody takes it the caller is back with the agent.

        Args:
            to: Number or SIP address; the agent's own targets, in order, when not given.
            mode: How; as the agent's profile says when not given.
            summary: What a human is told about the call before they take it.
            explain: Let the agent tell the caller when nobody took the call.
            by_owner: Whether the number's owner names them, whatever the agent's policy allows;
                where the carrier does not pass the call on, it is connected here.

        Raises:
            TargetRefused: The target may not be dialled; nothing happened.
            CallOver: The call has ended, before or meanwhile.
            NotNow: The caller talks with somebody else, or was passed on too often.
            VendorError: LiveKit did not put the caller on hold.
        """
        hops = await self._parts.line.count_hops()
        targets = await self._targets.allowed(to, hops, by_owner=by_owner)
        mode = mode or self._parts.policy.mode
        by_carrier = mode is TransferMode.COLD and self._can_refer
        async with self._command():
            if self._transfers >= MAX_TRANSFERS:
                raise NotNow(f"A call may be passed on {MAX_TRANSFERS} times at most.")
            self._transfers += 1
            if self._activity is CallActivity.TALKING:
                await self._unless_over(self._put_on_hold())
            transfer = Transfer(self._parts, targets, mode, summary)
            try:
                outcome = await self._unless_over(
                    transfer.run(by_carrier=by_carrier, or_here=by_owner)
                )
            except CallOver:
                raise
            except Exception:
                await self._give_back()
                raise
            if transfer.leg is not None:
                await self._leave_to(transfer.leg)
            elif outcome.is_accepted:
                self._parts.line.ending.cut_off(TRANSFERRED)
            else:
                await self._give_back()
        if explain and not outcome.is_accepted:
            await self._agent.say(outcome.sentence)
        return outcome

    async def say(self, text: str) -> None:
        """Say something to the caller, word for word; returns when it was heard.

        Raises:
            CallOver: The call has ended, before or meanwhile.
            NotNow: The caller does not talk with the agent.
        """
        async with self._command():
            if self._activity is CallActivity.ON_HOLD:
                raise NotNow("The caller is on hold; resume the call first.")
            await self._unless_over(self._agent.say(text))

    async def whisper(self, text: str) -> None:
        """Tell the agent something that the caller does not hear.

        Raises:
            CallOver: The call has ended.
            NotNow: The agent is silent for good, or follows a script.
        """
        async with self._command():
            await self._unless_over(self._agent.be_told(text))

    async def press_keys(self, keys: str, *, sensitive: bool = False) -> None:
        """Press keys towards the caller; returns after the last.

        LiveKit sends keys to every telephone in the room, so none are sent while a second one is.

        Args:
            keys: As `check_keys` returns them.
            sensitive: Put only their number on record.

        Raises:
            InvalidDtmf: That is not what can be pressed.
            CallOver: The call has ended, before or meanwhile.
            NotNow: The caller talks with somebody else, or has no telephone.
            VendorError: LiveKit did not send them all.
        """
        keys = check_keys(keys)
        async with self._command():
            room = self._parts.room
            caller = room.remote_participants.get(self._parts.caller_identity)
            if caller is None or caller.kind != rtc.ParticipantKind.PARTICIPANT_KIND_SIP:
                raise NotNow("The caller has no telephone that could be sent keys.")
            await self._unless_over(press(room.local_participant, keys))
        count = sum(key in DIGITS for key in keys)
        self._parts.journal.event(EventType.KEYS_SENT, keys="" if sensitive else keys, count=count)

    async def end(self, last_words: str = "") -> None:
        """End the call, whatever goes on in it; returns when the caller's part is over.

        Args:
            last_words: Said first, so that everybody hears it.

        Raises:
            CallOver: It ends already.
        """
        if not self._parts.line.ending.decide(CLIENT_HUNG_UP):
            raise CallOver
        try:
            if last_words:
                async with asyncio.timeout(_LAST_WORDS_TIMEOUT_S):
                    await self.be_heard()
                    await self._agent.say(last_words)
        except (TimeoutError, RuntimeError):
            logger.warning("last words not heard", exc_info=True)
        finally:
            await self._agent.hang_up()

    async def be_heard(self) -> None:
        """Let everybody hear the agent, for its last words; what fails is logged."""
        if self._activity is CallActivity.TALKING:
            return
        try:
            await self._parts.hearing.arrange(_everybody_hears_the_agent)
            await self._music.stop()
        except VendorError as exc:
            logger.warning("last words not heard by all", extra={"operation": exc.operation})

    async def _put_on_hold(self) -> None:
        await self._music.publish()
        await self._parts.hearing.arrange(hearing.hold)
        self._music.play()
        self._agent.stand_aside()
        self._become(CallActivity.ON_HOLD)
        self._parts.journal.event(EventType.HOLD_STARTED)

    async def _take_off_hold(self) -> None:
        await self._parts.hearing.arrange(hearing.talk)
        await self._music.stop()
        self._agent.come_back()
        self._become(CallActivity.TALKING)
        self._parts.journal.event(EventType.HOLD_ENDED)

    async def _give_back(self) -> None:
        """Take the caller off hold, however often LiveKit must be asked: nobody else would."""
        while True:
            try:
                return await self._unless_over(self._take_off_hold())
            except VendorError as exc:
                logger.warning("caller still on hold", extra={"operation": exc.operation})
            await self._unless_over(asyncio.sleep(_AGAIN_S))

    async def _leave_to(self, leg: HumanLeg) -> None:
        await self._music.stop()
        self._become(CallActivity.WITH_HUMAN)
        self._parts.journal.event(EventType.HOLD_ENDED)
        self._watching = asyncio.ensure_future(self._end_with(leg))

    async def _end_with(self, leg: HumanLeg) -> None:
        await leg.gone.wait()
        self._parts.line.ending.cut_off(HUMAN_HUNG_UP)

    def _become(self, activity: CallActivity) -> None:
        self._activity = activity
        self._changed.set()

    @asynccontextmanager
    async def _command(self) -> AsyncIterator[None]:
        async with self._turn:
            if self._parts.line.ending.is_decided:
                raise CallOver
            if self._activity is CallActivity.WITH_HUMAN:
                raise NotNow("The caller talks with somebody the call was passed to.")
            yield

    async def _unless_over(self, work: Coroutine[Any, Any, _T]) -> _T:
        try:
            return await self._parts.line.unless_down(work)
        except LineDownError as exc:
            raise CallOver from exc


def _everybody_hears_the_agent(parties: Sequence[Party]) -> Hearing:
    agents = [party for party in parties if party.role is Role.AGENT]
    return hearing.merge(parties).adding(
        (party.identity, agent.voice)
        for party in parties
        for agent in agents
        if party.role is not Role.AGENT
    )
