"""`/api/v1/chat/sessions/{id}`: a call or a chat by its id, and what was said in it."""

import re
import uuid
from typing import Annotated, Final

from fastapi import APIRouter, Security

from dispatch.accounts import Principal, Scope
from dispatch.call_history import CallDetails
from dispatch.errors import NotFound
from dispatch.paging import Page, PageRequest
from gateway.auth import CurrentPrincipal, TenantRoute, key_bearer, key_header, requires
from gateway.dependencies import ServicesOf
from gateway.faces.agntix.paging import paged_by
from gateway.faces.agntix.routes.chat import MESSAGES
from gateway.faces.agntix.schemas.chat import MessageAnswer
from gateway.faces.agntix.schemas.past_sessions import PastMessageAnswer, PastSessionAnswer
from gateway.schemas.base import PageAnswer
from gateway.schemas.errors import native_errors
from gateway.services import Services

router = APIRouter(
    route_class=TenantRoute,
    tags=["Agntix: calls and usage"],
    dependencies=[
        Security(key_header),
        Security(key_bearer),
        requires(Scope.CALLS_READ),
        requires(Scope.CHAT_READ),
    ],
    responses=native_errors(401, 403, 404),
)

_VOICE_SESSION: Final = re.compile(r"vs_([0-9a-f]{32})")


@router.get("/api/v1/chat/sessions/{session_id}", summary="Get a call or a chat")
async def get_past_session(
    session_id: str, principal: CurrentPrincipal, services: ServicesOf
) -> PastSessionAnswer:
    """Return a call, by the id with which it was opened or started, or a chat."""
    found_id = _id_of(session_id)
    call = await _find_call(principal, services, found_id)
    if call is not None:
        return PastSessionAnswer.of_call(call)
    return PastSessionAnswer.of_chat(await services.chat_sessions.get(principal, found_id))


@router.get(
    "/api/v1/chat/sessions/{session_id}/messages",
    summary="List what was said in a call or a chat",
    responses=native_errors(400),
)
async def list_past_messages(
    session_id: str,
    principal: CurrentPrincipal,
    services: ServicesOf,
    page: Annotated[PageRequest, paged_by(MESSAGES)],
) -> PageAnswer[PastMessageAnswer]:
    """List what was said or written, oldest first."""
    found_id = _id_of(session_id)
    call = await _find_call(principal, services, found_id)
    if call is None:
        chat = await services.chat_sessions.get(principal, found_id)
        said = await services.chat_sessions.messages(chat.id, page)
        return PageAnswer[PastMessageAnswer].of(
            said, lambda message: PastMessageAnswer(**MessageAnswer.of(message).model_dump())
        )
    turns = call.transcript[page.offset : page.offset + page.limit]
    return PageAnswer[PastMessageAnswer].of(
        Page(turns, page.page, page.limit, len(call.transcript)),
        lambda turn: PastMessageAnswer.of_turn(call.record.id, turn),
    )


def _id_of(session_id: str) -> uuid.UUID:
    web = _VOICE_SESSION.fullmatch(session_id)
    try:
        return uuid.UUID(web[1] if web else session_id)
    except ValueError as exc:
        raise NotFound("session", session_id) from exc


async def _find_call(
    principal: Principal, services: Services, call_id: uuid.UUID
) -> CallDetails | None:
    try:
        return await services.call_records.get(principal, call_id)
    except NotFound:
        return None
