"""Commands of the API to a call, carried out in the order they came."""

import asyncio
import contextlib
import logging
import uuid
from typing import Final, Protocol

from dispatch.calls import EventType
from dispatch.commands import Command, CommandName, CommandResult, CommandStatus
from dispatch.errors import StoreUnavailable
from dispatch.transfer_policy import TransferMode
from telephony.dialling_rules import TargetRefused
from worker.call_control import CallControl
from worker.call_errors import CallOver, NotNow
from worker.transcript import CallJournal

logger = logging.getLogger(__name__)

_WAIT_S: Final = 1.0
"""One wait for a command; another follows."""

_URGENT_EVERY_S: Final = 0.2
"""How often it is looked, while a command is carried out, whether the call is to be ended."""

_LAST_WORD_S: Final = 1.0
"""How long a command may take to find out that its call is over."""


class CommandSource(Protocol):
    """The part of `CommandQueue` that a call takes its commands from."""

    async def take(self, call_id: uuid.UUID, wait_s: float) -> Command | None:
        """Begin the next command, waiting for one for a while."""
        ...

    async def take_urgent(self, call_id: uuid.UUID) -> Command | None:
        """Begin a command that waits for no other, if there is one."""
        ...

    async def finish(self, command: Command, result: CommandResult) -> None:
        """Tell what became of a command."""
        ...


class CommandRunner:
    """Carries out what the API asks of one call.

    Args:
        source: Where commands come from.
        control: Acts on the call.
        journal: Where commands are put on record.
        call_id: The call.
    """

    def __init__(
        self, source: CommandSource, control: CallControl, journal: CallJournal, call_id: uuid.UUID
    ) -> None:
        self._source = source
        self._control = control
        self._journal = journal
        self._call_id = call_id
        self._at_work: set[asyncio.Task[None]] = set()
        self._results: dict[str, CommandResult | None] = {}
        """Of each command that was begun; None while it is at work."""

    async def run(self) -> None:
        """Take commands until cancelled."""
        while True:
            try:
                command = await self._source.take(self._call_id, _WAIT_S)
                if command is not None:
                    await self._see_through(self._begin(command))
            except StoreUnavailable:
                # The call goes on; whoever commands it has been told the same.
                await asyncio.sleep(_WAIT_S)

    async def close(self) -> None:
        """Let those that are at work find out that the call is over, and say so."""
        if self._at_work:
            await asyncio.wait(self._at_work, timeout=_LAST_WORD_S)
        for task in self._at_work:
            task.cancel()

    def _begin(self, command: Command) -> asyncio.Task[None]:
        task = asyncio.ensure_future(self._carry_out(command))
        self._at_work.add(task)
        task.add_done_callback(self._at_work.discard)
        return task

    async def _see_through(self, task: asyncio.Task[None]) -> None:
        while not task.done():
            await asyncio.wait({task}, timeout=_URGENT_EVERY_S)
            if not task.done() and (urgent := await self._urgent()):
                self._begin(urgent)

    async def _urgent(self) -> Command | None:
        try:
            return await self._source.take_urgent(self._call_id)
        except StoreUnavailable:
            # What is at work is seen through all the same, so that no other command overtakes it.
            return None

    async def _carry_out(self, command: Command) -> None:
        if command.command_id in self._results:
            await self._repeat(command)
            return
        self._results[command.command_id] = None
        result = self._results[command.command_id] = await self._result_of(command)
        self._journal.event(
            EventType.COMMAND,
            command_id=command.command_id,
            command=command.name.value,
            status=result.status.value,
            outcome=result.outcome,
            sentence=result.sentence,
        )
        await self._answer(command, result)

    async def _repeat(self, command: Command) -> None:
        """Answer a command that comes again: a Redis that crashed forgot that it was begun."""
        logger.warning("command came again", extra={"command": command.name.value})
        result = self._results[command.command_id]
        if result is not None:
            await self._answer(command, result)

    async def _answer(self, command: Command, result: CommandResult) -> None:
        # Whoever waits hears of an answer that is lost here from the record only.
        with contextlib.suppress(StoreUnavailable):
            await self._source.finish(command, result)

    async def _result_of(self, command: Command) -> CommandResult:
        try:
            return await self._do(command)
        except CallOver:
            return _not_done(CommandStatus.OVER, "The call ended first.")
        except NotNow as exc:
            return _not_done(CommandStatus.REFUSED, exc.sentence)
        except TargetRefused as exc:
            return _not_done(CommandStatus.REFUSED, exc.sentence, "to")
        except Exception:
            # Also what nobody foresaw: somebody waits for the answer, and the call goes on.
            logger.exception("command failed", extra={"command": command.name.value})
            return _not_done(CommandStatus.FAILED, "The worker could not carry the command out.")

    async def _do(self, command: Command) -> CommandResult:
        control, given = self._control, command.arguments
        match command.name:
            case CommandName.TRANSFER:
                return await self._transfer(command)
            case CommandName.HOLD:
                await control.hold()
            case CommandName.RESUME:
                await control.resume()
            case CommandName.DTMF:
                await control.press_keys(given["keys"], sensitive=given["sensitive"])
            case CommandName.SAY:
                await control.say(given["text"])
            case CommandName.WHISPER:
                await control.whisper(given["text"])
            case CommandName.END:
                await control.end(given["say"])
        return CommandResult(CommandStatus.DONE, _DONE[command.name])

    async def _transfer(self, command: Command) -> CommandResult:
        given = command.arguments
        mode = None if given["mode"] is None else TransferMode(given["mode"])
        outcome = await self._control.transfer(given["to"], mode, given["summary"], explain=True)
        return CommandResult(
            CommandStatus.DONE,
            _TAKEN if outcome.is_accepted else f"{outcome.reason or _NOT_TAKEN} {_BACK}",
            outcome.code,
            details={"target": outcome.target, "sip_code": outcome.sip_code},
        )


_DONE: Final = {
    CommandName.HOLD: "The caller is on hold.",
    CommandName.RESUME: "The caller talks with the agent.",
    CommandName.DTMF: "The keys were pressed.",
    CommandName.SAY: "It was said.",
    CommandName.WHISPER: "The agent was told.",
    CommandName.END: "The call has ended.",
}
_TAKEN: Final = "The caller was passed on."
_NOT_TAKEN: Final = "Nobody took the call."
_BACK: Final = "The caller is back with the agent."


def _not_done(status: CommandStatus, sentence: str, field: str = "") -> CommandResult:
    return CommandResult(status, sentence, status.value, field)
