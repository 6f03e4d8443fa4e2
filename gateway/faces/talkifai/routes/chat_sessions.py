"""`/v1/chat/sessions`: chats in writing, opened by a key and held with a session token."""

from collections.abc import AsyncIterator
from datetime import UTC
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query, Security
from fastapi.sse import EventSourceResponse, ServerSentEvent

from dispatch.accounts import Scope
from dispatch.chat.sessions import require_open
from dispatch.chat.turns import Turn
from dispatch.conversations import Message
from gateway.auth import CurrentPrincipal, key_bearer, key_header, requires
from gateway.dependencies import NewId, ServicesOf
from gateway.faces.talkifai.agent_ids import parse_agent_id
from gateway.faces.talkifai.authentication import (
    ChatSession,
    SessionOpeningRoute,
    SessionRoute,
    counted,
    session_bearer,
)
from gateway.faces.talkifai.errors import KEY_REUSED, KEY_UNUSABLE, TOO_LONG, talkifai_errors
from gateway.faces.talkifai.schemas.chat_sessions import (
    ChatSessionAnswer,
    ChatSessionBody,
    EndAnswer,
    HistoryAnswer,
    MessageAnswer,
    MessageBody,
    event_stream,
)
from gateway.faces.talkifai.sse import frame_of

opening_router = APIRouter(
    route_class=SessionOpeningRoute,
    tags=["TalkifAI: chat"],
    dependencies=[Security(key_header), Security(key_bearer)],
)
session_router = APIRouter(
    route_class=SessionRoute, tags=["TalkifAI: chat"], dependencies=[Security(session_bearer)]
)

_DEFAULT_LIMIT: Final = 50
_MOST: Final = 100
_FROM_THE_END: Final = 9_999
"""TalkifAI's own examples ask for the last messages by this offset."""

_AGENT_NOT_FOUND: Final = "Agent 5b710eca not found or does not belong to your organization"
_UNAVAILABLE: Final = "Billing service unavailable: connection timeout"
_NO_INTEGER: Final = (
    "offset: Input should be a valid integer, unable to parse string as an integer."
)
_TAKES_PART: Final = {
    401: ["Invalid token"],
    403: ["Conversation ID does not match session token"],
    404: ["Session not found or expired"],
    429: ["Rate limit exceeded"],
}


async def _begun_turn(
    body: MessageBody, turn_id: NewId, session: ChatSession, services: ServicesOf
) -> Turn:
    return await services.chat_turns.begin(session.id, body.message, turn_id)


BegunTurn = Annotated[Turn, Depends(_begun_turn)]
"""The message's answer, under way. A dependency, because it may be refused: when a route begins to
yield, its status is sent already."""

_STREAM: Final = """event: stream_start
data: {"agent_name":"Support Agent"}

event: chunk
data: {"delta":"Our business hours are 9am to 6pm."}

event: stream_end
data: {"usage":{"input_tokens":12,"output_tokens":18},"end_session":false}

"""


@opening_router.post(
    "/v1/chat/sessions",
    summary="Open a chat session",
    dependencies=[requires(Scope.CHAT_WRITE)],
    responses=talkifai_errors(
        {
            400: ["Agent ID is required", "Agent must be Text architecture for chat sessions"],
            401: [
                "Authentication required: provide X-API-Key or X-Studio-Token",
                "Invalid or expired studio session",
                "Invalid API key",
            ],
            402: ["Insufficient credits. Please add credits to continue."],
            403: ["This key lacks the scope chat:write."],
            404: [_AGENT_NOT_FOUND],
            409: KEY_REUSED,
            413: TOO_LONG,
            429: ["Rate limit exceeded"],
            503: [_UNAVAILABLE],
        }
    ),
)
async def open_chat_session(
    body: ChatSessionBody, new_id: NewId, principal: CurrentPrincipal, services: ServicesOf
) -> ChatSessionAnswer:
    """Open a chat with an agent without voice, and return a token with which a browser chats.

    Keep the key on your server; the token is safe in a page, for it is good for this chat only.
    """
    conversation, greeting = await services.chat_sessions.open(
        principal,
        parse_agent_id(body.agent_id),
        new_id,
        metadata=body.metadata,
        user_identifier=body.user_identifier,
        text_only=True,
    )
    return ChatSessionAnswer(
        conversation_id=conversation.name,
        session_token=services.session_tokens.mint(conversation),
        agent_name=conversation.agent.name,
        greeting=greeting,
        agent_model=conversation.agent.models.llm.model,
    )


@session_router.post(
    "/v1/chat/sessions/{conversation_id}/messages",  # noqa: FAST003  (ChatSession takes it)
    summary="Send a message and watch the answer",
    dependencies=[counted("chat-message", 60)],
    response_class=EventSourceResponse,
    responses=talkifai_errors(
        {
            400: ["Message too long (max 10000 characters)"],
            402: ["Insufficient credits. Please add credits to continue."],
            409: [
                "Another message of this session is being answered; wait for its end.",
                *KEY_REUSED,
            ],
            413: TOO_LONG,
            503: [_UNAVAILABLE],
            **_TAKES_PART,
        }
    )
    | {200: event_stream(_STREAM)},
)
async def send_message(turn: BegunTurn) -> AsyncIterator[ServerSentEvent]:
    """Send a message; the agent's answer streams back as it is written.

    A message waits up to five seconds for the one before it to be answered. Whoever goes away in
    the middle finds the whole answer in the history.
    """
    async for event in turn.events():
        yield frame_of(event)


@session_router.get(
    "/v1/chat/sessions/{conversation_id}/messages",  # noqa: FAST003  (ChatSession takes it)
    summary="Read what was said",
    dependencies=[counted("chat-history", 100)],
    responses=talkifai_errors({400: [_NO_INTEGER], 503: [_UNAVAILABLE], **_TAKES_PART}),
)
async def read_messages(
    session: ChatSession,
    services: ServicesOf,
    limit: Annotated[
        int, Query(description=f"Messages at most; brought within 1 to {_MOST}.")
    ] = _DEFAULT_LIMIT,
    offset: Annotated[
        int,
        Query(
            ge=0,
            le=2**31 - 1,
            description=f"Messages to skip; from {_FROM_THE_END} on, the last ones are returned.",
        ),
    ] = 0,
) -> HistoryAnswer:
    """Return what user and agent said to each other, oldest first."""
    require_open(session)
    said = await services.chat_sessions.history(
        session.id,
        offset=-1 if offset >= _FROM_THE_END else offset,
        limit=min(max(limit, 1), _MOST),
    )
    return HistoryAnswer(messages=[_to_answer(message) for message in said], count=len(said))


@session_router.post(
    "/v1/chat/sessions/{conversation_id}/end",  # noqa: FAST003  (ChatSession takes it)
    dependencies=[counted("chat-end", 60)],
    summary="End a chat session",
    responses=talkifai_errors(
        {
            400: KEY_UNUSABLE,
            409: KEY_REUSED,
            413: TOO_LONG,
            500: ["Failed to end session"],
            **_TAKES_PART,
        }
    ),
)
async def end_chat_session(session: ChatSession, services: ServicesOf) -> EndAnswer:
    """End the chat and settle what it cost; ending it again changes nothing."""
    await services.chat_sessions.end(session.id)
    return EndAnswer(success=True, message="Session ended successfully")


def _to_answer(message: Message) -> MessageAnswer:
    return MessageAnswer(
        role=message.role.value,
        content=message.content,
        timestamp=message.created_at.astimezone(UTC).isoformat(timespec="seconds"),
        token_count=message.token_count,
    )
