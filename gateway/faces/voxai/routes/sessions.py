"""`/api/v1/sessions`: conversations that the client's own agent servers hold in its rooms."""

from typing import Annotated

from fastapi import APIRouter, Path, Security

from dispatch.accounts import Scope
from dispatch.room_session import RoomTurn
from dispatch.rooms import full_name
from gateway.auth import CurrentPrincipal, TenantRoute, key_header, requires
from gateway.dependencies import NewId, ServicesOf
from gateway.faces.voxai.errors import voxai_errors
from gateway.faces.voxai.schemas.rooms import (
    EndBody,
    SessionAnswer,
    SessionBody,
    TranscriptAnswer,
    TranscriptBody,
)

router = APIRouter(
    route_class=TenantRoute,
    tags=["VoxAI: sessions"],
    dependencies=[Security(key_header), requires(Scope.ROOMS_WRITE)],
)

RoomName = Annotated[
    str, Path(description="The room, with its prefix or without.", examples=["proj_my-room"])
]


@router.post(
    "/api/v1/sessions",
    status_code=201,
    summary="Start a session",
    responses=voxai_errors(400, 404, 409, 413),
)
async def start_session(
    body: SessionBody, principal: CurrentPrincipal, services: ServicesOf, new_id: NewId
) -> SessionAnswer:
    """Put the beginning of a conversation on record; a room has one at a time."""
    session = await services.room_sessions.start(
        principal,
        full_name(principal.project_id, body.room_name),
        new_id=new_id,
        agent_config_id=body.agent_config_id,
        caller_identity=body.caller_identity,
        session_type=body.session_type,
        metadata=body.metadata,
    )
    return SessionAnswer.of(session)


@router.post(
    "/api/v1/sessions/{room_name}/transcript",
    status_code=201,
    summary="Add to a session's transcript",
    responses=voxai_errors(400, 404, 409, 413),
)
async def add_turn(
    room_name: RoomName,
    body: TranscriptBody,
    principal: CurrentPrincipal,
    services: ServicesOf,
    new_id: NewId,
) -> TranscriptAnswer:
    """Put something that was said on record; the room's session must be active."""
    turn = RoomTurn(
        id=new_id,
        speaker=body.speaker,
        content=body.content,
        timestamp_ms=body.timestamp_ms,
        is_final=body.is_final,
    )
    session = await services.room_sessions.add_turn(
        principal, full_name(principal.project_id, room_name), turn
    )
    return TranscriptAnswer(
        id=turn.id,
        session_id=session.id,
        speaker=turn.speaker,
        content=turn.content,
        timestamp_ms=turn.timestamp_ms,
        is_final=turn.is_final,
    )


@router.post(
    "/api/v1/sessions/{room_name}/end",
    summary="End a session",
    responses=voxai_errors(400, 404, 409, 413),
)
async def end_session(
    room_name: RoomName,
    principal: CurrentPrincipal,
    services: ServicesOf,
    body: EndBody | None = None,
) -> SessionAnswer:
    """Mark the room's session as completed; one that is completed stays as it was."""
    body = body or EndBody()
    session = await services.room_sessions.end(
        principal,
        full_name(principal.project_id, room_name),
        summary=body.summary,
        duration_s=body.duration,
    )
    return SessionAnswer.of(session)
