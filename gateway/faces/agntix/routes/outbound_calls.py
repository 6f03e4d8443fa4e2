"""Agntix's two ways to place a call."""

import uuid
from typing import Annotated, Final

from fastapi import APIRouter, Path, Security

from dispatch.accounts import Scope
from dispatch.outbound.requests import LONGEST_RING_S, SHORTEST_RING_S, CallRequest
from gateway.auth import CurrentPrincipal, TenantRoute, key_bearer, key_header, requires
from gateway.dependencies import NewId, ServicesOf
from gateway.faces.agntix.errors import calls_in_agntix_words
from gateway.faces.agntix.schemas.outbound_calls import (
    CallStartAnswer,
    CallStartBody,
    OutboundCallAnswer,
    OutboundCallBody,
)
from gateway.schemas.errors import native_errors

_START_NAMES: Final = {
    "from": "phone_number_id",
    "to": "to_phone_number",
    "agentId": "agent_id",
    "metadata": "session_variables",
}
"""What the core's fields are called where a call is started from a number."""

router = APIRouter(
    route_class=TenantRoute,
    tags=["Agntix: phone numbers"],
    dependencies=[Security(key_header), Security(key_bearer)],
    responses=native_errors(400, 401, 402, 403, 404, 409, 413, 429),
)


@router.post(
    "/v1/chat/phone-numbers/outbound/call",
    dependencies=[requires(Scope.CALLS_WRITE)],
    status_code=201,
    summary="Place a call",
)
async def place_call(
    body: OutboundCallBody, principal: CurrentPrincipal, services: ServicesOf, new_id: NewId
) -> OutboundCallAnswer:
    """Queue a call from a number; the agent speaks when somebody picks up."""
    request = CallRequest(
        to=body.to,
        phone_number_id=body.phone_number_id,
        agent_id=body.agent_id,
        metadata=body.metadata,
    )
    with calls_in_agntix_words({"from": "phoneNumberId"}):
        requested = await services.outbound_calls.start(principal, request, new_id=new_id)
    return OutboundCallAnswer(call_id=requested.call.id)


@router.post(
    "/api/v1/phone-numbers/{phone_number_id}/calls/start",
    dependencies=[requires(Scope.CALLS_WRITE)],
    summary="Start a call from a number",
)
async def start_call(
    phone_number_id: Annotated[uuid.UUID, Path(description="The number that is called from.")],
    body: CallStartBody,
    principal: CurrentPrincipal,
    services: ServicesOf,
    new_id: NewId,
) -> CallStartAnswer:
    """Queue a call from a number; its record is found under the session's id."""
    request = CallRequest(
        to=body.to_phone_number,
        phone_number_id=phone_number_id,
        agent_id=body.agent_id,
        metadata=body.metadata(),
        ring_timeout_s=min(max(body.ttl, SHORTEST_RING_S), LONGEST_RING_S),
    )
    with calls_in_agntix_words(_START_NAMES):
        requested = await services.outbound_calls.start(principal, request, new_id=new_id)
    return CallStartAnswer(session_id=requested.call.id)
