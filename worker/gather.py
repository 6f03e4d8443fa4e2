"""Keys asked of the caller: so many, until a closing key or a pause."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Final, Self

from livekit.agents import AgentSession
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from telephony.dtmf import DIGITS, MOST_KEYS
from worker.call_errors import CallOver, NotNow
from worker.held_keys import NAME_PATTERN
from worker.keys import KeyInput
from worker.line import Line, LineDownError
from worker.transcript import CallJournal


class GatherPlan(BaseModel):
    """What is asked for."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, StringConstraints(pattern=rf"^{NAME_PATTERN}$")] = "keys"
    """Under which tools can be given the keys later: `{keys.name}`."""
    prompt: Annotated[str, StringConstraints(strip_whitespace=True, max_length=1_000)] = ""
    """Said first; keys may be pressed meanwhile."""
    min_digits: Annotated[int, Field(ge=1, le=MOST_KEYS)] = 1
    max_digits: Annotated[int, Field(ge=1, le=MOST_KEYS)] = 32
    """The last of so many is not waited after."""
    terminator: Annotated[str, StringConstraints(pattern=r"^[0-9A-D*#]?$")] = "#"
    """Closes the entry and is no part of it; none when empty."""
    first_timeout_s: Annotated[float, Field(ge=0.5, le=60, allow_inf_nan=False)] = 8.0
    """From the end of the prompt to the first key."""
    inter_digit_timeout_s: Annotated[float, Field(ge=0.5, le=30, allow_inf_nan=False)] = 4.0
    """From one key to the next; then the entry is complete as it is."""
    barge_in: bool = True
    """Whether a key cuts the prompt short; if not, keys pressed during it are ignored."""
    sensitive: bool = False
    """Whether the keys are kept from the record, from logs and from the model."""

    @model_validator(mode="after")
    def _can_be_met(self) -> Self:
        if self.min_digits > self.max_digits:
            raise ValueError("min_digits is at most max_digits")
        return self


class GatherEnd(StrEnum):
    """Why no more keys were waited for."""

    FULL = "full"
    TERMINATOR = "terminator"
    TIMEOUT = "timeout"


@dataclass(frozen=True, slots=True)
class Gathered:
    """What was pressed."""

    digits: str
    ended: GatherEnd


class Gathering:
    """Takes the keys of one entry.

    Args:
        plan: What is asked for.
    """

    def __init__(self, plan: GatherPlan) -> None:
        self._plan = plan
        self._keys: asyncio.Queue[str] = asyncio.Queue()
        self._is_prompting = False

    def press(self, key: str) -> None:
        """Take a key."""
        if self._plan.barge_in or not self._is_prompting:
            self._keys.put_nowait(key)

    async def collect(self, prompt: Awaitable[Any], stop_prompt: Callable[[], None]) -> Gathered:
        """Return the entry once it is complete.

        Args:
            prompt: Ends when the prompt was heard.
            stop_prompt: Cuts it short.
        """
        self._is_prompting = True
        pressed = asyncio.ensure_future(self._keys.get())
        heard = asyncio.ensure_future(prompt)
        try:
            await asyncio.wait({pressed, heard}, return_when=asyncio.FIRST_COMPLETED)
            if not heard.done():
                stop_prompt()
            self._is_prompting = False
            return await self._entry(pressed)
        finally:
            pressed.cancel()
            heard.cancel()

    async def _entry(self, pressed: asyncio.Future[str]) -> Gathered:
        plan, digits, timeout_s = self._plan, "", self._plan.first_timeout_s
        while True:
            try:
                key = await asyncio.wait_for(pressed, timeout_s)
            except TimeoutError:
                return Gathered(digits, GatherEnd.TIMEOUT)
            if key == plan.terminator:
                return Gathered(digits, GatherEnd.TERMINATOR)
            digits += key
            if len(digits) == plan.max_digits:
                return Gathered(digits, GatherEnd.FULL)
            timeout_s = plan.inter_digit_timeout_s
            pressed = asyncio.ensure_future(self._keys.get())


class KeyGatherer:
    """Asks the caller of one call for keys.

    Args:
        session: The agent's session.
        keys: The caller's keys.
        line: The caller's line.
        journal: Where entries are put on record; of sensitive ones only their length.
        speak: Begins to say something; returns the speech.
    """

    def __init__(
        self,
        session: AgentSession[Any],
        keys: KeyInput,
        line: Line,
        journal: CallJournal,
        speak: Callable[[str], Any],
    ) -> None:
        self._session = session
        self._keys = keys
        self._line = line
        self._journal = journal
        self._speak = speak

    async def gather(self, plan: GatherPlan) -> Gathered:
        """Ask for keys and return what was pressed.

        Meanwhile the agent does not listen, so that nobody's card number is heard, either.

        Raises:
            CallOver: The call ended first.
            NotNow: The caller does not talk with the agent, or is being asked already.
        """
        if not self._keys.is_for_agent:
            raise NotNow("The caller does not talk with the agent now.")
        gathering = Gathering(plan)
        with self._keys.given_to(gathering.press):
            self._session.input.set_audio_enabled(False)
            try:
                gathered = await self._line.unless_down(self._ask(plan, gathering))
            except LineDownError as exc:
                raise CallOver from exc
            finally:
                if self._keys.is_for_agent:
                    self._session.input.set_audio_enabled(True)
        self._journal.gathered(
            plan.name,
            "" if plan.sensitive else gathered.digits,
            len(gathered.digits),
            gathered.ended,
        )
        return gathered

    async def _ask(self, plan: GatherPlan, gathering: Gathering) -> Gathered:
        if not plan.prompt:
            return await gathering.collect(_nothing(), _no_prompt)
        speech = self._speak(plan.prompt)
        try:
            return await gathering.collect(
                speech.wait_for_playout(), lambda: speech.interrupt(force=True)
            )
        finally:
            if not speech.done():
                speech.interrupt(force=True)


async def _nothing() -> None:
    return


def _no_prompt() -> None:
    return


PARAMETERS: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "prompt": {"type": "string", "description": "What the caller is asked, spoken first."},
        "min_digits": {"type": "integer", "description": f"1 to {MOST_KEYS}."},
        "max_digits": {"type": "integer", "description": f"1 to {MOST_KEYS}."},
        "terminator": {
            "type": "string",
            "description": f"The key that closes the entry, one of {DIGITS}; empty for none.",
        },
        "first_timeout_s": {"type": "number"},
        "inter_digit_timeout_s": {"type": "number"},
        "barge_in": {"type": "boolean", "description": "Whether a key cuts the prompt short."},
        "sensitive": {
            "type": "boolean",
            "description": (
                "For card numbers, PINs and the like: you are not shown the keys, only a text such"
                " as {keys.name}, which you give to another tool in their place."
            ),
        },
        "name": {"type": "string", "description": "A word to refer to the entry by."},
    },
}
"""The arguments of a plan as JSON Schema, for a model."""
