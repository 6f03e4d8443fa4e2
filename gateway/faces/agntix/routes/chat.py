"""`/v1/chat/chat/sessions`: chats in writing."""

import uuid
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query, Request, Security
from fastapi.sse import EventSourceResponse
from starlette.responses import Response

from dispatch.accounts import Scope
from dispatch.chat.events import ChatError, Chunk
from dispatch.chat.sessions import ConversationFilters
from dispatch.chat.turns import Turn
from dispatch.conversations import answer_id_of
from dispatch.errors import NotFound
from dispatch.paging import Order, PageRequest
from gateway.auth import CurrentPrincipal, Forbidden, TenantRoute, key_bearer, key_header, requires
from gateway.dependencies import NewId, ServicesOf
from gateway.faces.agntix.chat_access import ReachedSession, token_for
from gateway.faces.agntix.errors import AnswerFailed, SessionClosed
from gateway.faces.agntix.paging import RequestedPage, paged_by, sorted_by
from gateway.faces.agntix.schemas.chat import (
    ChatSessionAnswer,
    ChatSessionBody,
    CloseBody,
    MessageAnswer,
    MessageBody,
    NewChatSessionAnswer,
    Platform,
    State,
)
from gateway.faces.agntix.sse import STREAM_EXAMPLE, frames_of
from gateway.schemas.base import PageAnswer
from gateway.schemas.errors import native_errors

router = APIRouter(
    route_class=TenantRoute,
    tags=["Agntix: chat"],
    dependencies=[Security(key_header), Security(key_bearer)],
    responses=native_errors(401, 403),
)

_SESSIONS: Final = "/v1/chat/chat/sessions"
_READ: Final = [requires(Scope.CHAT_READ)]
_WRITE: Final = [requires(Scope.CHAT_WRITE)]
MESSAGES: Final = 50
_SORTED_BY: Final = {"createdAt": "created_at", "updatedAt": "last_active_at"}
_ANSWERED: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "The answer: as server-sent events, or as one object with stream=false.",
        "content": {"text/event-stream": {"schema": {}, "example": STREAM_EXAMPLE}},
        "model": MessageAnswer,
    }
}


@router.post(
    _SESSIONS,
    status_code=201,
    summary="Open a chat session",
    dependencies=_WRITE,
    responses=native_errors(400, 402, 404, 409, 413, 429),
)
async def open_session(
    body: ChatSessionBody, principal: CurrentPrincipal, services: ServicesOf, new_id: NewId
) -> NewChatSessionAnswer:
    """Open a chat with an agent, for voice or not; its greeting is the first message.

    With a widget key a session token comes along, without which the key does not reach the session.
    """
    conversation, _ = await services.chat_sessions.open(
        principal,
        body.agent_id,
        new_id,
        platform=body.platform,
        metadata=body.to_metadata(),
        user_identifier=None if body.contact is None else body.contact.external_id,
    )
    token = token_for(principal, services, conversation)
    return NewChatSessionAnswer.of_new(conversation, token)


@router.get(
    _SESSIONS, summary="List chat sessions", dependencies=_READ, responses=native_errors(400)
)
async def list_sessions(
    page: RequestedPage,
    principal: CurrentPrincipal,
    services: ServicesOf,
    order: Annotated[Order | None, sorted_by(_SORTED_BY)],
    agent_id: Annotated[uuid.UUID | None, Query(alias="agentId")] = None,
    state: State | None = None,
    platform: Platform | None = None,
) -> PageAnswer[ChatSessionAnswer]:
    """List the project's chat sessions, newest first; not with a widget key."""
    if principal.kind == "widget":
        # Whoever sees the page has the key: with it they know their own session, not everybody's.
        raise Forbidden("A widget key may not list sessions.")
    filters = ConversationFilters(
        agent_id=agent_id, platform=platform, is_open=None if state is None else state == "OPEN"
    )
    found = await services.chat_sessions.list(principal, page, filters, order)
    return PageAnswer[ChatSessionAnswer].of(found, ChatSessionAnswer.of)


@router.get(
    f"{_SESSIONS}/{{session_id}}",
    summary="Get a chat session",
    dependencies=_READ,
    responses=native_errors(404),
)
async def get_session(session: ReachedSession) -> ChatSessionAnswer:
    """Return one chat session, open or closed."""
    return ChatSessionAnswer.of(session)


@router.patch(
    f"{_SESSIONS}/{{session_id}}/close",
    summary="Close a chat session",
    dependencies=_WRITE,
    responses=native_errors(400, 404, 413),
)
async def close_session(
    session: ReachedSession, services: ServicesOf, body: CloseBody | None = None
) -> ChatSessionAnswer:
    """Close a chat session and settle what it cost; closing it again changes nothing."""
    del body
    return ChatSessionAnswer.of(await services.chat_sessions.end(session.id))


async def _begun_turn(
    session: ReachedSession, body: MessageBody, turn_id: NewId, services: ServicesOf
) -> Turn:
    try:
        return await services.chat_turns.begin(session.id, body.content, turn_id)
    except NotFound as exc:
        # It was there a moment ago, so it is over.
        raise SessionClosed from exc


BegunTurn = Annotated[Turn, Depends(_begun_turn)]


@router.post(
    f"{_SESSIONS}/{{session_id}}/messages",
    summary="Send a message",
    dependencies=_WRITE,
    response_model=None,
    responses=native_errors(400, 402, 404, 409, 413, 429, 502) | _ANSWERED,
)
async def send_message(
    request: Request, body: MessageBody, turn: BegunTurn
) -> Response | MessageAnswer:
    """Send a message; the answer comes word by word, or in one piece.

    A message waits up to five seconds for the one before it to be answered. Whoever goes away in
    the middle finds the whole answer among the messages.
    """
    # The reference streams by default, but the printed quickstart, which does not say what it
    # wants, reads one JSON object.
    accepts = "text/event-stream" in request.headers.get("accept", "")
    streams = accepts if body.stream is None else body.stream
    if streams:
        return EventSourceResponse(frames_of(turn))
    return await _whole_answer(turn)


@router.get(
    f"{_SESSIONS}/{{session_id}}/messages",
    summary="List messages",
    dependencies=_READ,
    responses=native_errors(400, 404),
)
async def list_messages(
    session: ReachedSession,
    services: ServicesOf,
    page: Annotated[PageRequest, paged_by(MESSAGES)],
) -> PageAnswer[MessageAnswer]:
    """List what user and agent said to each other, oldest first."""
    found = await services.chat_sessions.messages(session.id, page)
    return PageAnswer[MessageAnswer].of(found, MessageAnswer.of)


async def _whole_answer(turn: Turn) -> MessageAnswer:
    said = []
    async for event in turn.events():
        if isinstance(event, Chunk):
            said.append(event.delta)
        elif isinstance(event, ChatError):
            raise AnswerFailed(event.sentence)
    return MessageAnswer(
        id=answer_id_of(turn.id),
        content="".join(said),
        role="ASSISTANT",
        created_at=datetime.now(UTC),
    )
