"""`/telephony/outbound-call`: calls that are placed."""

from fastapi import APIRouter, Security

from dispatch.accounts import Scope
from dispatch.outbound.requests import CallRequest
from gateway.auth import CurrentPrincipal, TenantRoute, key_bearer, key_header, requires
from gateway.dependencies import NewId, ServicesOf
from gateway.faces.talkifai.errors import KEY_REUSED, TOO_LONG, talkifai_errors
from gateway.faces.talkifai.schemas.outbound_calls import (
    CallingAgent,
    OutboundCallAnswer,
    OutboundCallBody,
)

router = APIRouter(
    route_class=TenantRoute,
    tags=["TalkifAI: phone numbers"],
    dependencies=[Security(key_header), Security(key_bearer)],
)


@router.post(
    "/telephony/outbound-call",
    dependencies=[requires(Scope.CALLS_WRITE)],
    summary="Place a call",
    responses=talkifai_errors(
        {
            400: [
                "Invalid phone number format",
                "Agent 'Support Agent' is a text-only agent and cannot make voice calls",
            ],
            401: ["Invalid API key"],
            402: ["Insufficient balance to make call"],
            403: ["This key lacks the scope calls:write."],
            404: ["Phone number +12015550100 not found or has no outbound agent assigned"],
            409: KEY_REUSED,
            413: TOO_LONG,
            429: ["Rate limit exceeded"],
            503: ["A store is unavailable; nothing was changed. Try again shortly."],
        }
    ),
)
async def place_call(
    body: OutboundCallBody, principal: CurrentPrincipal, services: ServicesOf, new_id: NewId
) -> OutboundCallAnswer:
    """Queue a call from a number by its outbound agent; the answer does not wait for a pickup."""
    request = CallRequest(to=body.to_number, from_number=body.from_number)
    call = (await services.outbound_calls.start(principal, request, new_id=new_id)).call
    agent = await services.agents.get(principal, call.agent_id)
    return OutboundCallAnswer(
        room_name=call.room_name,
        agent=CallingAgent(id=call.agent_id, name=agent.name),
        from_number=call.from_number,
        to_number=call.to_number,
    )
