"""The agent of a call as call control directs it, and what the caller is doing."""

from enum import StrEnum
from typing import Protocol

from worker.transfers.transfer import SpeaksAside


class CallActivity(StrEnum):
    """What the caller is doing."""

    TALKING = "talking"
    """With the agent."""
    ON_HOLD = "on_hold"
    WITH_HUMAN = "with_human"
    """The call was passed on here; the agent keeps the books, and is silent."""


class AgentOnCall(SpeaksAside, Protocol):
    """The part of a conversation that call control directs."""

    def stand_aside(self) -> None:
        """Fall silent and hear nothing."""
        ...

    def come_back(self) -> None:
        """Talk with the caller again."""
        ...

    async def say(self, text: str) -> None:
        """Say something to the caller."""
        ...

    async def be_told(self, text: str) -> None:
        """Learn something that the caller does not hear."""
        ...

    async def hang_up(self) -> None:
        """Let the last audio reach the caller, then let the call be over."""
        ...
