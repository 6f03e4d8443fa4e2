"""`POST /v1/calls`: calls that we place."""

import uuid

from fastapi import APIRouter, Security

from dispatch.accounts import Scope
from gateway.auth import CurrentPrincipal, NativeRoute, key_bearer, key_header, requires
from gateway.dependencies import NewId, ServicesOf
from gateway.faces.native.schemas.outbound_calls import OutboundCallAnswer, OutboundCallBody
from gateway.schemas.errors import native_errors

router = APIRouter(
    route_class=NativeRoute,
    tags=["Calls"],
    dependencies=[Security(key_header), Security(key_bearer)],
    responses=native_errors(400, 401, 403, 429),
)


@router.post(
    "/v1/calls",
    dependencies=[requires(Scope.CALLS_WRITE)],
    status_code=201,
    summary="Place a call",
    responses=native_errors(400, 402, 404, 409, 413),
)
async def start_call(
    body: OutboundCallBody, principal: CurrentPrincipal, services: ServicesOf, new_id: NewId
) -> OutboundCallAnswer:
    """Queue a call from one of the project's numbers; the agent speaks when somebody picks up."""
    requested = await services.outbound_calls.start(principal, body.to_request(), new_id=new_id)
    return OutboundCallAnswer.of(requested)


@router.post(
    "/v1/calls/{call_id}/cancel",
    dependencies=[requires(Scope.CALLS_WRITE)],
    summary="Cancel a call that was not answered",
    responses=native_errors(404, 409, 413),
)
async def cancel_call(
    call_id: uuid.UUID, principal: CurrentPrincipal, services: ServicesOf
) -> OutboundCallAnswer:
    """Take back a call that is queued, dialled or ringing."""
    return OutboundCallAnswer.of(await services.outbound_calls.cancel(principal, call_id))
