"""Commands to calls that are going on: queued by the gateway, carried out by the call's worker.

A command is carried out once at most. Whoever waits for it may die, and ask again under the same
id; the worker may die with commands in its queue, which then are withdrawn; and of one that it had
begun it is said that nobody knows.

What is to be said, pressed or dialled is sealed on its way (ADR 0011): Redis appends all it is told
to a file, where a card number would stay long after the command.
"""

import asyncio
import json
import logging
import time
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Any, Final

from pydantic import ConfigDict, TypeAdapter, ValidationError, with_config

from dispatch.accounts import Principal
from dispatch.call_records import CallRecords
from dispatch.errors import (
    CallNotLive,
    CommandFailed,
    CommandUnanswered,
    Conflict,
    InvalidField,
    SecretUnreadable,
)
from dispatch.sealed import WrappedKey
from dispatch.secrets.envelope import KeyRing
from dispatch.store.command_store import MOST_WAITING, CommandStore, Lane
from dispatch.store.redis_client import RedisClient

logger = logging.getLogger(__name__)

_FIRST_PAUSE_S: Final = 0.01
_LONGEST_PAUSE_S: Final = 0.1

_LAST_WORD_S: Final = 3.0
"""How long after the end of a call its worker may still tell what became of a command."""


class CommandName(StrEnum):
    """What can be asked of a call."""

    TRANSFER = "transfer"
    HOLD = "hold"
    RESUME = "resume"
    DTMF = "dtmf"
    SAY = "say"
    WHISPER = "whisper"
    END = "end"


_PATIENCE: Final[Mapping[CommandName, timedelta]] = {
    CommandName.TRANSFER: timedelta(seconds=90),
    CommandName.SAY: timedelta(seconds=60),
    CommandName.DTMF: timedelta(seconds=60),
}
_USUAL_PATIENCE: Final = timedelta(seconds=30)


class CommandStatus(StrEnum):
    """What became of a command."""

    DONE = "done"
    REFUSED = "refused"
    """It was not carried out, and may be asked for again."""
    FAILED = "failed"
    """It was begun and could not be carried out."""
    OVER = "over"
    """The call ended first."""


@dataclass(frozen=True, slots=True)
class Command:
    """What a worker is to do in its call."""

    command_id: str
    name: CommandName
    arguments: dict[str, Any]


@dataclass(frozen=True, slots=True)
class CommandResult:
    """What became of a command, as its worker tells."""

    status: CommandStatus
    sentence: str
    """For a person."""
    outcome: str = "done"
    """In one word; of a transfer its code."""
    wrong_field: str = ""
    """What of the command was wrong, when it was refused for that."""
    details: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> str:
        """Return the result as it is kept."""
        return json.dumps(asdict(self))

    @classmethod
    def of_json(cls, text: str) -> "CommandResult":
        """Return a result that was kept."""
        fields = json.loads(text)
        return cls(**{**fields, "status": CommandStatus(fields["status"])})


class CallCommands:
    """Asks something of a call and waits for what becomes of it.

    Args:
        redis: Where calls and their commands are.
        records: Knows the calls that are long over.
        keys: The installation's keys, which the workers have, too.
        patience: How long commands are waited for, where it is not the usual time.
    """

    def __init__(
        self,
        redis: RedisClient,
        records: CallRecords,
        keys: KeyRing,
        patience: Mapping[CommandName, timedelta] = _PATIENCE,
    ) -> None:
        self._store = CommandStore(redis)
        self._records = records
        self._keys = keys
        self._patience = patience

    async def carry_out(
        self,
        principal: Principal,
        call_id: uuid.UUID,
        name: CommandName,
        arguments: Mapping[str, Any],
        new_id: uuid.UUID,
    ) -> CommandResult:
        """Have a command carried out and return what became of it.

        Args:
            principal: Who asks; the call is one of their project.
            call_id: The call.
            name: What to do.
            arguments: JSON values, checked.
            new_id: The command's id. Asked again under it, nothing is done twice: the first one
                is waited for, and one that was not carried out is queued again.

        Raises:
            NotFound: The project has no such call.
            CallNotLive: It is over, or not answered yet.
            Conflict: It cannot be done now, or too many commands wait.
            InvalidField: It may not be done as it was asked.
            CommandFailed: It was begun and could not be carried out.
            CommandUnanswered: Nothing was heard of it in time.
            StoreUnavailable: Redis did not answer; the command may be carried out.
        """
        await self._queue(principal, call_id, name, arguments, new_id)
        patience = self._patience.get(name, _USUAL_PATIENCE)
        return _what_became(await self._wait(call_id, new_id, patience))

    async def _queue(
        self,
        principal: Principal,
        call_id: uuid.UUID,
        name: CommandName,
        arguments: Mapping[str, Any],
        new_id: uuid.UUID,
    ) -> None:
        lane: Lane = "urgent" if name is CommandName.END else "ordered"
        text = _sealed(self._keys, principal.project_id, new_id, arguments)
        answer = await self._store.queue(new_id, call_id, principal.project_id, name, text, lane)
        match answer:
            case "unknown":
                # Redis forgets a call an hour after its end; the record does not.
                await self._records.get(principal, call_id)
                raise CallNotLive("The call has ended.")
            case "over":
                raise CallNotLive("The call has ended.")
            case "ringing":
                raise CallNotLive("The call is not answered yet.")
            case "full":
                raise Conflict(f"{MOST_WAITING} commands to this call wait already.")
            case "queued":
                return

    async def _wait(
        self, call_id: uuid.UUID, command_id: uuid.UUID, patience: timedelta
    ) -> CommandResult:
        """Look until there is an answer.

        It is looked for, and not listened for, so that a thousand requests that wait for a
        transfer do not keep a thousand connections to Redis.
        """
        gives_up_s = time.monotonic() + patience.total_seconds()
        over_s: float | None = None
        pause_s = _FIRST_PAUSE_S
        while True:
            gives_up = time.monotonic() >= gives_up_s
            sight = await self._store.look(command_id, call_id, gives_up=gives_up)
            if sight.answer:
                return CommandResult.of_json(sight.answer)
            if not sight.call_is_live:
                over_s = over_s or time.monotonic()
                if sight.state != "running" or time.monotonic() - over_s > _LAST_WORD_S:
                    raise CallNotLive("The call ended before the command was carried out.")
            elif sight.state not in {"queued", "running"}:
                raise CommandUnanswered(_WITHDRAWN)
            elif gives_up:
                raise CommandUnanswered(_AT_WORK)
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 1.5, _LONGEST_PAUSE_S)


_WITHDRAWN: Final = (
    "The call's worker did not begin the command in time. It was withdrawn and will not be carried"
    " out."
)
_AT_WORK: Final = (
    "The command is still being carried out; what becomes of it will be among the call's events."
)


def _what_became(result: CommandResult) -> CommandResult:
    match result.status:
        case CommandStatus.OVER:
            raise CallNotLive(result.sentence)
        case CommandStatus.REFUSED if result.wrong_field:
            raise InvalidField(result.wrong_field, result.sentence)
        case CommandStatus.REFUSED:
            raise Conflict(result.sentence)
        case CommandStatus.FAILED:
            raise CommandFailed(result.sentence)
        case CommandStatus.DONE:
            return result


class CommandQueue:
    """The worker's end: commands to one of its calls, each told once.

    Every method raises `StoreUnavailable` without Redis.

    Args:
        redis: Where commands are.
        keys: The installation's keys.
    """

    def __init__(self, redis: RedisClient, keys: KeyRing) -> None:
        self._store = CommandStore(redis)
        self._keys = keys

    async def take(self, call_id: uuid.UUID, wait_s: float) -> Command | None:
        """Begin the next command, waiting for one for less than 2 s; None when none came."""
        return await self._begin(await self._store.pop(call_id, None, wait_s))

    async def take_urgent(self, call_id: uuid.UUID) -> Command | None:
        """Begin a command that does not wait until others are done, if there is one."""
        return await self._begin(await self._store.pop(call_id, "urgent", 0))

    async def finish(self, command: Command, result: CommandResult) -> None:
        """Tell what became of a command."""
        await self._store.finish(command.command_id, result.status, result.to_json())

    async def _begin(self, command_id: str | None) -> Command | None:
        begun = None if command_id is None else await self._store.begin(command_id)
        if command_id is None or begun is None:
            return None
        name = CommandName(begun[0])
        try:
            return Command(command_id, name, _opened(self._keys, command_id, begun[1]))
        except (SecretUnreadable, ValidationError):
            # The gateway's keys are not this worker's, which a rotation out of order can do.
            logger.warning("a command does not open", extra={"command_id": command_id})
        unreadable = Command(command_id, name, {})
        await self.finish(unreadable, CommandResult(CommandStatus.FAILED, _UNREADABLE, "failed"))
        return None


_UNREADABLE: Final = "The call's worker could not read the command."


@with_config(ConfigDict(ser_json_bytes="base64", val_json_bytes="base64", extra="forbid"))
@dataclass(frozen=True, slots=True)
class _SealedArguments:
    """A command's arguments, under a key of their own that is used once."""

    project_id: uuid.UUID
    key: WrappedKey
    sealed: bytes


_SEALED: Final = TypeAdapter(_SealedArguments)


def _sealed(
    keys: KeyRing, project_id: uuid.UUID, command_id: uuid.UUID, arguments: Mapping[str, Any]
) -> str:
    key, wrapped = keys.new_data_key(project_id)
    sealed = key.seal(f"command/{command_id}", json.dumps(arguments).encode())
    return _SEALED.dump_json(_SealedArguments(project_id, wrapped, sealed)).decode()


def _opened(keys: KeyRing, command_id: str, text: str) -> dict[str, Any]:
    """Return a command's arguments.

    Raises:
        SecretUnreadable: They do not open with these keys, or are another command's.
        ValidationError: They are no sealed arguments; its words hold them.
    """
    found = _SEALED.validate_json(text)
    key = keys.open_data_key(found.project_id, found.key)
    arguments: dict[str, Any] = json.loads(key.open(f"command/{command_id}", found.sealed))
    return arguments
