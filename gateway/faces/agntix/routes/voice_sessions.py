"""`/v1/voice/sessions`: calls from a browser."""

from datetime import timedelta
from typing import Final

from fastapi import APIRouter, Request, Security

from dispatch.accounts import Scope
from dispatch.voice_sessions import SessionGrants
from gateway.auth import key_bearer, key_header, requires
from gateway.confirmation import ConfirmingRoute, confirmed
from gateway.dependencies import new_id_of
from gateway.faces.agntix.schemas.voice_sessions import VoiceSessionAnswer, VoiceSessionBody
from gateway.schemas.errors import native_errors
from gateway.services import services_of

router = APIRouter(
    route_class=ConfirmingRoute,
    tags=["Agntix: voice sessions"],
    dependencies=[Security(key_header), Security(key_bearer)],
)

_TOKEN_TTL: Final = timedelta(minutes=10)
"""A browser joins at once; LiveKit renews the tokens of those who are in the room."""

_GRANTS: Final = SessionGrants(
    ttl=_TOKEN_TTL, can_publish=True, can_subscribe=True, can_publish_data=False
)


@router.post(
    "/v1/voice/sessions",
    dependencies=[requires(Scope.VOICE_WRITE)],
    status_code=201,
    summary="Open a voice session",
    responses=native_errors(400, 401, 402, 403, 404, 409, 413, 429, 502),
)
async def open_voice_session(request: Request, body: VoiceSessionBody) -> VoiceSessionAnswer:
    """Make a room, send the agent into it, and return a token with which a browser joins."""
    # Not as dependencies: FastAPI takes as long to solve two as Redis to be asked.
    services, new_id = services_of(request), new_id_of(request)
    visitor = new_id.hex[:16]
    opened = await confirmed(
        request,
        lambda principal, presumed: services.voice_sessions.open(
            principal,
            body.agent_id,
            f"web_{visitor}",
            f"caller_{visitor}",
            new_id=new_id,
            metadata=body.metadata,
            grants=_GRANTS,
            presumed=presumed,
        ),
    )
    return VoiceSessionAnswer(
        id=opened.session_id,
        agent_id=body.agent_id,
        token=opened.token,
        server_url=services.livekit_url,
        created_at=opened.created_at,
    )
