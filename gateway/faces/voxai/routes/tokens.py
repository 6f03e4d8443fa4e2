"""`/api/v1/token`: the way into a room."""

from fastapi import APIRouter, Security

from dispatch.accounts import Scope
from gateway.auth import CurrentPrincipal, Forbidden, TenantRoute, key_header, requires
from gateway.dependencies import ServicesOf
from gateway.faces.voxai.errors import voxai_errors
from gateway.faces.voxai.schemas.tokens import TokenAnswer, TokenBody

router = APIRouter(
    route_class=TenantRoute,
    tags=["VoxAI: tokens"],
    dependencies=[Security(key_header)],
)


@router.post(
    "/api/v1/token",
    summary="Get a token for a room",
    responses=voxai_errors(400, 402, 404, 409, 413, 502),
    dependencies=[requires(Scope.VOICE_WRITE)],
)
async def get_token(
    body: TokenBody, principal: CurrentPrincipal, services: ServicesOf
) -> TokenAnswer:
    """Return a token with which somebody joins a room, and send the agents that are asked for.

    The room's name is given the project's prefix. Without `agent_config_id` and
    `agent_config_ids` no agent is sent. Each agent's conversation is a call with a bill of its own,
    from the moment it has answered; the room closes when one of them ends it. A widget key opens
    voice sessions instead: with it anybody could join a room whose name they guess.
    """
    if principal.kind == "widget":
        raise Forbidden("A widget key opens voice sessions, but no room by its name.")
    if body.grants.asks_for_power and Scope.ROOMS_WRITE not in principal.scopes:
        raise Forbidden("hidden and roomAdmin need a key with the scope rooms:write.")
    access = await services.rooms.open(
        principal,
        body.room,
        body.identity,
        agent_config_ids=body.config_ids,
        grants=body.grants.to_grants(),
    )
    return TokenAnswer(
        token=access.token,
        room=access.room_name,
        ws_url=services.livekit_url,
        agents_dispatched=list(access.dispatched),
    )
