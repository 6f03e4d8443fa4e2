"""`/v1/carrier-connections/{id}/termination`: where calls to a carrier go."""

import uuid

from fastapi import APIRouter, Security

from dispatch.accounts import Scope
from dispatch.terminations import TerminationDraft
from gateway.auth import CurrentPrincipal, NativeRoute, key_bearer, key_header, requires
from gateway.dependencies import ServicesOf
from gateway.faces.native.schemas.terminations import TerminationAnswer, TerminationBody
from gateway.schemas.errors import native_errors

router = APIRouter(
    route_class=NativeRoute,
    tags=["Carrier connections"],
    dependencies=[Security(key_header), Security(key_bearer)],
    responses=native_errors(400, 401, 403, 429),
)


@router.put(
    "/v1/carrier-connections/{carrier_connection_id}/termination",
    dependencies=[requires(Scope.NUMBERS_WRITE)],
    summary="Say where calls to a carrier go",
    responses=native_errors(404, 413),
)
async def set_termination(
    carrier_connection_id: uuid.UUID,
    body: TerminationBody,
    principal: CurrentPrincipal,
    services: ServicesOf,
) -> TerminationAnswer:
    """Let calls go out on a connection: to which host, as whom, how fast and how many at once."""
    draft = TerminationDraft(
        uri=body.uri,
        username=body.username,
        password=body.password,
        calls_per_second=body.calls_per_second,
        max_outbound_calls=body.max_outbound_calls,
    )
    made = await services.terminations.set(principal, carrier_connection_id, draft)
    return TerminationAnswer.model_validate(made)
