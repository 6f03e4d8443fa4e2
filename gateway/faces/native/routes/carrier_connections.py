"""`/v1/carrier-connections`: from where calls may come."""

import uuid

from fastapi import APIRouter, Security
from starlette.responses import Response

from dispatch.accounts import Scope
from gateway.auth import CurrentPrincipal, NativeRoute, key_bearer, key_header, requires
from gateway.dependencies import NewId, RequestedPage, ServicesOf
from gateway.faces.native.schemas.carrier_connections import (
    CarrierConnectionAnswer,
    CarrierConnectionBody,
)
from gateway.schemas.base import PageAnswer
from gateway.schemas.errors import native_errors

router = APIRouter(
    route_class=NativeRoute,
    tags=["Carrier connections"],
    dependencies=[Security(key_header), Security(key_bearer)],
    responses=native_errors(400, 401, 403, 429),
)


@router.post(
    "/v1/carrier-connections",
    dependencies=[requires(Scope.NUMBERS_WRITE)],
    status_code=201,
    summary="Create a carrier connection",
    responses=native_errors(400, 409, 413),
)
async def create_connection(
    body: CarrierConnectionBody, principal: CurrentPrincipal, services: ServicesOf, new_id: NewId
) -> CarrierConnectionAnswer:
    """Let a carrier send calls, from its addresses, with a user name and password, or both."""
    created = await services.carrier_connections.create(
        principal,
        name=body.name,
        provider=body.provider,
        allowed_addresses=body.allowed_addresses,
        auth_username=body.auth_username,
        auth_password=body.auth_password,
        new_id=new_id,
    )
    return CarrierConnectionAnswer.model_validate(created)


@router.get(
    "/v1/carrier-connections",
    dependencies=[requires(Scope.NUMBERS_READ)],
    summary="List carrier connections",
    responses=native_errors(400),
)
async def list_connections(
    page: RequestedPage, principal: CurrentPrincipal, services: ServicesOf
) -> PageAnswer[CarrierConnectionAnswer]:
    """List the project's carrier connections, newest first."""
    return PageAnswer[CarrierConnectionAnswer].of(
        await services.carrier_connections.list(principal, page)
    )


@router.delete(
    "/v1/carrier-connections/{carrier_connection_id}",
    dependencies=[requires(Scope.NUMBERS_WRITE)],
    status_code=204,
    summary="Delete a carrier connection",
    responses=native_errors(404, 409),
)
async def delete_connection(
    carrier_connection_id: uuid.UUID, principal: CurrentPrincipal, services: ServicesOf
) -> Response:
    """Delete a connection that no number uses any more."""
    await services.carrier_connections.delete(principal, carrier_connection_id)
    return Response(status_code=204)
