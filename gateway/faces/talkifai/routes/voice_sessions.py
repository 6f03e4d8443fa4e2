"""`/v1/chat/voice-sessions`: calls from a browser."""

import time
import uuid
from datetime import timedelta
from typing import Final

from fastapi import APIRouter, Request, Security

from dispatch.accounts import Principal, Scope
from dispatch.store.credential_cache import Presumed
from dispatch.voice_sessions import OpenedVoiceSession, SessionGrants
from gateway.auth import key_bearer, key_header, requires
from gateway.confirmation import ConfirmingRoute, confirmed
from gateway.dependencies import NewId, ServicesOf
from gateway.faces.talkifai.agent_ids import parse_agent_id
from gateway.faces.talkifai.errors import (
    KEY_REUSED,
    MODEL_KEY_MISSING,
    TOO_LONG,
    talkifai_errors,
)
from gateway.faces.talkifai.schemas.voice_sessions import VoiceSessionAnswer, VoiceSessionBody
from gateway.repetitions import HEADER as _HEADER

router = APIRouter(
    route_class=ConfirmingRoute,
    tags=["TalkifAI: voice sessions"],
    dependencies=[Security(key_header), Security(key_bearer)],
)

_TOKEN_TTL: Final = timedelta(hours=1)
"""Published by TalkifAI, with the grants below."""

_GRANTS: Final = SessionGrants(
    ttl=_TOKEN_TTL, can_publish=True, can_subscribe=True, can_publish_data=False
)


@router.post(
    "/v1/chat/voice-sessions",
    dependencies=[requires(Scope.VOICE_WRITE)],
    summary="Open a voice session",
    responses=talkifai_errors(
        {
            400: [
                "Agent ID is required",
                "Agent must be Pipeline or Realtime architecture for voice sessions",
                MODEL_KEY_MISSING,
            ],
            401: ["Invalid API key"],
            402: ["Insufficient credits"],
            403: ["This key lacks the scope voice:write."],
            404: ["Agent not found or does not belong to your organization"],
            409: KEY_REUSED,
            413: TOO_LONG,
            429: ["Every call slot is taken; try again shortly.", "Rate limit exceeded"],
            500: ["Failed to create voice session: LiveKit connection failed"],
            503: ["A store is unavailable; nothing was changed. Try again shortly."],
        }
    ),
)
async def open_voice_session(
    request: Request,
    body: VoiceSessionBody,
    new_id: NewId,
    services: ServicesOf,
) -> VoiceSessionAnswer:
    """Make a room, send the agent into it, and return a token with which a browser joins.

    Checked in this order: key, agent, credits; then the room is made and the agent called, and
    last the token is minted. It is valid for one hour; afterwards open a new session.
    """
    agent_id = parse_agent_id(body.agent_id)
    # Only a request with an idempotency key has an id that may have been used before.
    room_name = (
        await services.voice_sessions.room_of(new_id) if _HEADER in request.headers else None
    )

    async def open_for(principal: Principal, presumed: Presumed | None) -> OpenedVoiceSession:
        user_id = _user_id(principal.key_id, new_id)
        return await services.voice_sessions.open(
            principal,
            agent_id,
            room_name or f"agent_{agent_id.hex[:8]}_{user_id}_{time.time_ns() // 1_000_000}",
            user_id,
            new_id=new_id,
            grants=_GRANTS,
            presumed=presumed,
        )

    opened = await confirmed(request, open_for)
    return VoiceSessionAnswer(
        room_name=opened.room_name,
        token=opened.token,
        livekit_url=services.livekit_url,
        agent_name=opened.agent_name,
    )


def _user_id(key_id: uuid.UUID, new_id: uuid.UUID) -> str:
    """Return the user of a session: the key in short, and who of its visitors this is.

    TalkifAI's user is the key's owner, whose sessions of one millisecond would all be given the
    same room name. Here each visitor is a user.
    """
    return f"{key_id.hex[:8]}{new_id.hex[:8]}"
