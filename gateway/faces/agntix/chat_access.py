"""Which chat a request may reach.

Whoever keeps a project's key in a server reaches all of the project's chats. A widget key is in
everybody's hands, so it reaches a chat only together with the token that was given to the page
which opened it.
"""

import uuid
from typing import Annotated, Final

from fastapi import Depends, Header

from dispatch.accounts import Principal
from dispatch.conversations import Conversation
from dispatch.errors import NotFound
from gateway.auth import SESSION_HEADER, CurrentPrincipal, Forbidden
from gateway.dependencies import ServicesOf
from gateway.services import Services
from gateway.session_tokens import InvalidSessionToken

_TOKEN_NEEDED: Final = (
    f"A widget key reaches a session only with its {SESSION_HEADER}, "
    "which came when the session was opened."
)

SessionToken = Annotated[
    str | None,
    Header(
        alias=SESSION_HEADER,
        max_length=4_096,
        description="The `sessionToken` of the session; needed with a widget key.",
    ),
]


async def _reached_session(
    session_id: uuid.UUID,
    principal: CurrentPrincipal,
    services: ServicesOf,
    session_token: SessionToken = None,
) -> Conversation:
    name = _named_by_token(principal, services, session_token)
    session = await services.chat_sessions.get(principal, session_id)
    if name not in (None, session.name):
        raise NotFound("session", session_id)
    return session


ReachedSession = Annotated[Conversation, Depends(_reached_session)]
"""The chat that the path names, open or closed."""


def token_for(principal: Principal, services: Services, session: Conversation) -> str | None:
    """Return the token with which a page goes on with the chat it has just opened.

    None for those who need none.
    """
    return services.session_tokens.mint(session) if principal.kind == "widget" else None


def _named_by_token(principal: Principal, services: Services, token: str | None) -> str | None:
    """Return the only chat that may be reached, by its public name; None when all may."""
    if principal.kind != "widget":
        return None
    try:
        return services.session_tokens.conversation_of(token or "")
    except InvalidSessionToken as exc:
        raise Forbidden(_TOKEN_NEEDED) from exc
