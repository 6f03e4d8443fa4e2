"""Who may chat: whoever has a project's key opens a session, whoever has its token takes part."""

from collections.abc import Awaitable, Callable
from functools import cached_property
from typing import Annotated, Final

from fastapi import Depends, Request, params
from fastapi.security import HTTPBearer
from starlette.responses import Response

from dispatch.access.origins import is_allowed
from dispatch.accounts import Principal
from dispatch.conversations import Conversation
from dispatch.errors import RateLimited, StoreUnavailable
from gateway.answer_headers import add_rate_headers, let_page_read
from gateway.auth import (
    ApiRoute,
    Forbidden,
    PageRefused,
    TenantRoute,
    Unauthenticated,
    bearer_of,
    presented_key,
)
from gateway.json_requests import JsonRequest
from gateway.repetitions import serve_once
from gateway.services import services_of
from gateway.session_tokens import InvalidSessionToken

session_bearer = HTTPBearer(
    scheme_name="SessionToken",
    description="The `session_token` of the chat session.",
    auto_error=False,
)

_SESSIONS_PER_MINUTE: Final = 100
"""That a key may open. Source: TalkifAI, as the other numbers of its chat."""


class KeyMissing(Unauthenticated):
    """A chat session was asked for without any credential."""


class StudioTokenRefused(Unauthenticated):
    """A token of TalkifAI's Studio came, which is theirs to check and never good here."""


class SessionTokenRefused(Unauthenticated):
    """The session token is missing, malformed, forged or expired, or its key is no longer good."""


class ConversationMismatch(Forbidden):
    """The session token is good, for another conversation."""


class Counted:
    """Says on a route how often a minute each session may ask for it."""

    def __init__(self, what: str, per_minute: int) -> None:
        self.what = what
        self.per_minute = per_minute

    async def __call__(self) -> None:
        """Do nothing: `SessionRoute` has counted."""


def counted(what: str, per_minute: int) -> params.Depends:
    """Return the dependency with which a route of a session is limited.

    Args:
        what: Tells this limit from others, for example `chat-message`.
        per_minute: Requests allowed to each session in any 60 s.
    """
    return params.Depends(Counted(what, per_minute))


class SessionOpeningRoute(TenantRoute):
    """A route that opens a chat session; says more exactly than others which key is missing."""

    async def authenticate(self, request: Request) -> None:
        """Find the key's project, and count the session."""
        if not presented_key(request):
            if "x-studio-token" in request.headers:
                raise StudioTokenRefused
            raise KeyMissing
        await super().authenticate(request)
        principal: Principal = request.state.principal
        await _take(request, f"chat-session:{principal.key_id}", _SESSIONS_PER_MINUTE)


class SessionRoute(ApiRoute):
    """A route for whoever has the token of the conversation that the path names."""

    @cached_property
    def limit(self) -> Counted:
        """How often it may be asked for."""
        [found] = [
            each.dependency for each in self.dependencies if isinstance(each.dependency, Counted)
        ]
        return found

    async def authenticate(self, request: Request) -> None:
        """Find the conversation, which must be the token's and the path's, for `ChatSession`.

        Raises:
            SessionTokenRefused: The token is not good.
            ConversationMismatch: It is for another conversation.
            PageRefused: It came from a page for which the session's key is not.
            RateLimited: The session was used too often.
            NotFound: There is no such conversation any more.
            StoreUnavailable: The conversation cannot be read, or a message cannot be counted.
        """
        name = _conversation_of(request)
        if name != request.path_params["conversation_id"]:
            raise ConversationMismatch("Conversation ID does not match session token")
        await self._count(request, name)
        joined = await services_of(request).chat_sessions.join(name)
        if not joined.is_allowed:
            raise SessionTokenRefused
        origin = request.headers.get("origin")
        if origin is not None:
            if joined.allowed_origins and not is_allowed(origin, joined.allowed_origins):
                raise PageRefused("This session may not be used from this page.")
            let_page_read(request, origin)
        request.state.conversation = joined.conversation

    async def serve_repeatable(
        self, request: JsonRequest, serve: Callable[[JsonRequest], Awaitable[Response]]
    ) -> Response:
        """Serve a request with an idempotency key."""
        conversation: Conversation = request.state.conversation
        idempotency = services_of(request).idempotency
        return await serve_once(
            idempotency, request, f"chat {conversation.id}", conversation.name, serve
        )

    async def _count(self, request: Request, name: str) -> None:
        try:
            await _take(request, f"{self.limit.what}:{name}", self.limit.per_minute)
        except StoreUnavailable:
            if request.method != "GET":
                raise


async def _take(request: Request, subject: str, per_minute: int) -> None:
    """Count a request, and tell how many more there may be."""
    try:
        state = await services_of(request).rate_limits.take(subject, per_minute)
    except RateLimited as exc:
        add_rate_headers(request, exc.limit, 0, exc.retry_after_s * 1_000)
        raise
    add_rate_headers(request, state.limit, state.remaining, state.free_in_ms)


def _conversation_of(request: Request) -> str:
    """Return the conversation that the session token is for."""
    token = bearer_of(request)
    if token is None:
        raise SessionTokenRefused
    try:
        return services_of(request).session_tokens.conversation_of(token)
    except InvalidSessionToken as exc:
        raise SessionTokenRefused from exc


async def _session(conversation_id: str, request: Request) -> Conversation:
    del conversation_id  # The route has compared it; OpenAPI is to know it.
    conversation: Conversation = request.state.conversation
    return conversation


ChatSession = Annotated[Conversation, Depends(_session)]
"""The conversation that the path and the token name, open or closed."""
