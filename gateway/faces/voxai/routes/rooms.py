"""`/api/v1/rooms`: which rooms are open, and who is in them."""

from typing import Annotated

from fastapi import APIRouter, Path, Security

from dispatch.accounts import Scope
from gateway.auth import CurrentPrincipal, TenantRoute, key_header, requires
from gateway.dependencies import ServicesOf
from gateway.faces.voxai.errors import voxai_errors
from gateway.faces.voxai.schemas.rooms import (
    ParticipantAnswer,
    ParticipantsAnswer,
    RoomAnswer,
    RoomsAnswer,
)

router = APIRouter(
    route_class=TenantRoute,
    tags=["VoxAI: rooms"],
    dependencies=[Security(key_header), requires(Scope.ROOMS_READ)],
)


@router.get("/api/v1/rooms", summary="List open rooms", responses=voxai_errors(502))
async def list_rooms(principal: CurrentPrincipal, services: ServicesOf) -> RoomsAnswer:
    """List the project's open rooms that were made by `POST /api/v1/token`, by name."""
    rooms = await services.rooms.list(principal)
    return RoomsAnswer(rooms=[RoomAnswer.of(room) for room in rooms])


@router.get(
    "/api/v1/rooms/{room_name}/participants",
    summary="List who is in a room",
    responses=voxai_errors(404, 502),
)
async def list_participants(
    room_name: Annotated[
        str, Path(description="The room's name, without prefix.", examples=["my-room"])
    ],
    principal: CurrentPrincipal,
    services: ServicesOf,
) -> ParticipantsAnswer:
    """List who is in an open room, by identity."""
    present = await services.rooms.participants(principal, room_name)
    return ParticipantsAnswer(participants=[ParticipantAnswer.of(each) for each in present])
