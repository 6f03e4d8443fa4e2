"""Who may chat: whoever has a project's key opens a session, whoever has its token takes part."""

import uuid
from typing import Annotated, Final

from fastapi import Depends, Request
from fastapi.security import HTTPBearer

from dispatch.conversations import Conversation
from gateway.auth import ApiRoute, Forbidden, TenantRoute, Unauthenticated, presented_key
from gateway.dependencies import ServicesOf
from gateway.services import services_of
from gateway.session_tokens import InvalidSessionToken

session_bearer = HTTPBearer(
    scheme_name="SessionToken",
    description="The `session_token` of the chat session.",
    auto_error=False,
)

_BEARER: Final = "bearer "
_MESSAGES: Final = uuid.UUID("8f2a4d2e-6f0b-4b53-9d0e-1d6a6e0a8c11")
"""Namespace of the ids of messages that were sent with an idempotency key."""


class KeyMissing(Unauthenticated):
    """A chat session was asked for without any credential."""


class StudioTokenRefused(Unauthenticated):
    """A token of TalkifAI's Studio came, which is theirs to check and never good here."""


class SessionTokenRefused(Unauthenticated):
    """The session token is missing, malformed, forged or has expired."""


class ConversationMismatch(Forbidden):
    """The session token is good, for another conversation."""


class SessionOpeningRoute(TenantRoute):
    """A route that opens a chat session; says more exactly than others which key is missing."""

    async def authenticate(self, request: Request) -> None:
        """Find the key's project."""
        if not presented_key(request):
            if "x-studio-token" in request.headers:
                raise StudioTokenRefused
            raise KeyMissing
        await super().authenticate(request)


class SessionRoute(ApiRoute):
    """A route for whoever has the token of the conversation that the path names."""

    async def authenticate(self, request: Request) -> None:
        """Compare the token's conversation with the path's."""
        authorization = request.headers.get("authorization", "")
        if authorization[: len(_BEARER)].lower() != _BEARER:
            raise SessionTokenRefused
        token = authorization[len(_BEARER) :].strip()
        try:
            name = services_of(request).session_tokens.conversation_of(token)
        except InvalidSessionToken as exc:
            raise SessionTokenRefused from exc
        if name != request.path_params["conversation_id"]:
            raise ConversationMismatch("Conversation ID does not match session token")
        # What a tenant's route makes of the key and its owner, made of the key and the chat.
        idempotency_key = request.headers.get("idempotency-key")
        if idempotency_key:
            request.state.new_id = uuid.uuid5(_MESSAGES, f"{name}/{idempotency_key}")


async def _session(conversation_id: str, services: ServicesOf) -> Conversation:
    return await services.chat_sessions.get_by_name(conversation_id)


ChatSession = Annotated[Conversation, Depends(_session)]
"""The path's conversation, open or closed; `SessionRoute` has checked that it is the caller's."""
