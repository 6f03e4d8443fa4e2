"""Keys the caller presses: input beside speech."""

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from livekit import rtc
from livekit.agents import AgentSession

from dispatch.script import key_text
from telephony.dtmf import DIGITS
from worker.call_errors import NotNow
from worker.ending import Ending
from worker.transcript import CallJournal

logger = logging.getLogger(__name__)


class KeyInput:
    """Makes a turn of each key the caller presses, one after the other.

    Args:
        session: The agent's session.
        journal: Where keys are put on record, at the moment they are pressed.
        ending: Once the call is ending, keys change nothing any more.
        caller_identity: Keys of anyone else in the room are ignored: livekit-sip relays one
            leg's keys to the others.
    """

    def __init__(
        self,
        session: AgentSession[Any],
        journal: CallJournal,
        ending: Ending,
        caller_identity: str,
    ) -> None:
        self._session = session
        self._journal = journal
        self._ending = ending
        self._caller_identity = caller_identity
        self._pressed: asyncio.Queue[str] = asyncio.Queue()
        self._taker: Callable[[str], None] | None = None
        self.is_for_agent = True
        """Keys pressed while the caller does not talk with the agent are for somebody else: they
        are neither answered nor put on record."""

    @contextmanager
    def given_to(self, taker: Callable[[str], None]) -> Iterator[None]:
        """Give the caller's keys to somebody, in a `with`: they are neither answered nor on record.

        Raises:
            NotNow: Somebody is given them already.
        """
        if self._taker is not None:
            raise NotNow("The caller is being asked for keys already.")
        self._taker = taker
        try:
            yield
        finally:
            self._taker = None

    def press(self, event: rtc.SipDTMF) -> None:
        """Take a key: a handler of the room's `sip_dtmf_received`."""
        participant = event.participant
        is_caller = participant is not None and participant.identity == self._caller_identity
        if not is_caller or not self.is_for_agent:
            return
        key = event.digit.upper()
        if len(key) != 1 or key not in DIGITS:
            logger.warning("unknown key ignored")
            return
        if self._taker is not None:
            self._taker(key)
            return
        self._journal.keys(key, datetime.now(UTC))
        self._pressed.put_nowait(key)

    async def run(self) -> None:
        """Answer keys until cancelled."""
        while True:
            key = await self._pressed.get()
            if self._ending.is_decided:
                continue
            try:
                await self._answer(key)
            except Exception:
                # A vendor that did not take this key may take the next one.
                logger.exception("key not answered")

    async def _answer(self, key: str) -> None:
        try:
            await self._session.interrupt()
        except RuntimeError:
            # An agent without barge-in finishes its sentence; the answer to the key follows it.
            logger.debug("speech not interrupted by a key")
        # The key is written into the conversation before it is answered, because a reply that is
        # interrupted by the next key before it began would take its question with it.
        agent = self._session.current_agent
        context = agent.chat_ctx.copy()
        context.add_message(role="user", content=key_text(key))
        await agent.update_chat_ctx(context)
        if not self._ending.is_decided:
            self._session.generate_reply()
