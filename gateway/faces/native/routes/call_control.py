"""`/v1/calls/{id}/…`: commands to calls that are going on, answered by what really happened."""

import uuid
from collections.abc import Mapping
from typing import Annotated, Any, Final, Protocol

from fastapi import APIRouter, Depends, Security

from dispatch.accounts import Scope
from dispatch.commands import CommandName
from gateway.auth import CurrentPrincipal, NativeRoute, key_bearer, key_header, requires
from gateway.dependencies import NewId, ServicesOf
from gateway.faces.native.schemas.call_control import (
    CommandAnswer,
    DtmfCommand,
    EndCommand,
    SayCommand,
    TransferCommand,
    WhisperCommand,
)
from gateway.schemas.errors import native_errors

router = APIRouter(
    route_class=NativeRoute,
    tags=["Call control"],
    dependencies=[Security(key_header), Security(key_bearer)],
    responses=native_errors(400, 401, 403, 404, 409, 413, 429, 502, 504),
)

_WRITE: Final = [requires(Scope.CALLS_WRITE)]


class _Asks(Protocol):
    async def __call__(
        self, call_id: uuid.UUID, name: CommandName, arguments: Mapping[str, Any]
    ) -> CommandAnswer: ...


async def _asking(principal: CurrentPrincipal, services: ServicesOf, new_id: NewId) -> _Asks:
    async def ask(
        call_id: uuid.UUID, name: CommandName, arguments: Mapping[str, Any]
    ) -> CommandAnswer:
        commands = services.call_commands
        result = await commands.carry_out(principal, call_id, name, arguments, new_id)
        return CommandAnswer.of_result(call_id, new_id, name, result)

    return ask


Asking = Annotated[_Asks, Depends(_asking)]
"""Asks something of a call of the project that asks."""


@router.post("/v1/calls/{call_id}/transfer", summary="Transfer a call", dependencies=_WRITE)
async def transfer_call(call_id: uuid.UUID, body: TransferCommand, ask: Asking) -> CommandAnswer:
    """Pass the call to somebody, and answer when they have it or nobody took it.

    Warm: the caller waits with music until the other has heard what it is about and agreed. Cold:
    at once. Only whom the agent's `transfer` allows is dialled.
    """
    return await ask(call_id, CommandName.TRANSFER, body.model_dump(mode="json"))


@router.post("/v1/calls/{call_id}/hold", summary="Put a caller on hold", dependencies=_WRITE)
async def hold_call(call_id: uuid.UUID, ask: Asking) -> CommandAnswer:
    """Let the caller hear music and nobody hear the caller; done already is done."""
    return await ask(call_id, CommandName.HOLD, {})


@router.post("/v1/calls/{call_id}/resume", summary="Take a caller off hold", dependencies=_WRITE)
async def resume_call(call_id: uuid.UUID, ask: Asking) -> CommandAnswer:
    """Let the caller and the agent talk again; done already is done."""
    return await ask(call_id, CommandName.RESUME, {})


@router.post("/v1/calls/{call_id}/dtmf", summary="Press keys", dependencies=_WRITE)
async def press_keys(call_id: uuid.UUID, body: DtmfCommand, ask: Asking) -> CommandAnswer:
    """Press keys towards the caller, such as to walk through a menu; answered after the last."""
    return await ask(call_id, CommandName.DTMF, body.model_dump(mode="json"))


@router.post("/v1/calls/{call_id}/say", summary="Say something", dependencies=_WRITE)
async def say(call_id: uuid.UUID, body: SayCommand, ask: Asking) -> CommandAnswer:
    """Say something to the caller in the agent's voice; answered when it was heard."""
    return await ask(call_id, CommandName.SAY, body.model_dump(mode="json"))


@router.post("/v1/calls/{call_id}/whisper", summary="Whisper to the agent", dependencies=_WRITE)
async def whisper(call_id: uuid.UUID, body: WhisperCommand, ask: Asking) -> CommandAnswer:
    """Tell the agent something the caller does not hear; it holds from its next answer on."""
    return await ask(call_id, CommandName.WHISPER, body.model_dump(mode="json"))


@router.post("/v1/calls/{call_id}/end", summary="End a call", dependencies=_WRITE)
async def end_call(call_id: uuid.UUID, body: EndCommand, ask: Asking) -> CommandAnswer:
    """End the call, whatever else is going on in it; the body may be `{}`."""
    return await ask(call_id, CommandName.END, body.model_dump(mode="json"))
