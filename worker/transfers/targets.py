"""Whom a call may be passed to: as the agent allows, and never back to where it came from."""

import logging
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from dispatch.errors import StoreUnavailable
from dispatch.transfer_policy import TransferPolicy
from telephony.dialling_rules import (
    DiallingRules,
    PhoneTarget,
    RefusalCode,
    Target,
    TargetRefused,
    check_target,
    parse_target,
)
from telephony.e164 import E164

logger = logging.getLogger(__name__)

MAX_HOPS: Final = 5
"""How often a call may have been passed on before it came to us, through whatever systems."""

FindAgent = Callable[[E164], Awaitable[uuid.UUID | None]]
"""Finds which agent answers a number; None for a number that is not ours."""


@dataclass(frozen=True, slots=True)
class Targets:
    """Who may be dialled to take one call.

    Args:
        policy: The agent's.
        rules: Whom nobody may dial from this call.
        agent_id: The agent.
        caller_number: Who called, if they showed a number: it may be one of ours, whose agent
            passed the call on to this one.
        find_agent: Finds which agent answers a number.
    """

    policy: TransferPolicy
    rules: DiallingRules
    agent_id: uuid.UUID
    caller_number: E164 | None
    find_agent: FindAgent

    async def allowed(
        self, to: str | None, hops: int, *, by_owner: bool = False
    ) -> Sequence[Target]:
        """Return whom to try, in order.

        Args:
            to: Number or SIP address; the agent's own targets when not given.
            hops: How often the call was passed on before it came to us.
            by_owner: Whether the number's owner names them, and not the agent or a caller: then
                the agent's policy does not matter.

        Raises:
            TargetRefused: There is nobody, or one of them may not be dialled.
        """
        texts = self.policy.targets if to is None else (to,)
        if not texts:
            raise TargetRefused(
                RefusalCode.NOT_ALLOWED, "The agent has nobody to pass this call to."
            )
        if hops >= MAX_HOPS:
            raise TargetRefused(
                RefusalCode.LOOP, f"The call has been passed on {hops} times already, as in a loop."
            )
        targets = [parse_target(text) for text in texts]
        rules = replace(self.rules, allow=None) if by_owner else self.rules
        for target in targets:
            check_target(target, rules)
            if isinstance(target, PhoneTarget):
                await self._check_way_back(target.number)
        return targets

    async def _check_way_back(self, number: E164) -> None:
        agent_id = await self._agent_of(number)
        if agent_id is None:
            return
        if agent_id == self.agent_id:
            raise TargetRefused(
                RefusalCode.LOOP, "The target is a number that this agent answers itself."
            )
        if self.caller_number is not None and agent_id == await self._agent_of(self.caller_number):
            raise TargetRefused(
                RefusalCode.LOOP, "The target is a number of the agent that passed this call on."
            )

    async def _agent_of(self, number: E164) -> uuid.UUID | None:
        try:
            return await self.find_agent(number)
        except StoreUnavailable:
            # A carrier can still take the call over; the count of hops ends a loop all the same.
            logger.warning("agent of a number not found, Redis is away")
            return None
