"""`/admin/v1`: members of organisations and their roles."""

import uuid

from starlette.responses import Response

from gateway.auth import CurrentAdministrator
from gateway.dependencies import NewId, RequestedPage, ServicesOf
from gateway.faces.admin.routes.routers import admin_router
from gateway.faces.admin.schemas.members import MemberAnswer, MemberBody, MemberPatch
from gateway.schemas.base import PageAnswer
from gateway.schemas.errors import native_errors

router = admin_router()


@router.post(
    "/admin/v1/organizations/{organization_id}/members",
    status_code=201,
    summary="Add a member",
    responses=native_errors(400, 403, 404, 409, 413),
)
async def add_member(
    organization_id: uuid.UUID,
    body: MemberBody,
    admin: CurrentAdministrator,
    services: ServicesOf,
    new_id: NewId,
) -> MemberAnswer:
    """Give a person a role, which counts for more than one their token claims."""
    added = await services.members.add(
        admin.actor,
        organization_id,
        subject=body.subject,
        name=body.name,
        role=body.role,
        new_id=new_id,
        as_role=admin.role,
    )
    return MemberAnswer.model_validate(added)


@router.get(
    "/admin/v1/organizations/{organization_id}/members",
    summary="List an organisation's members",
    responses=native_errors(400, 404),
)
async def list_members(
    organization_id: uuid.UUID, page: RequestedPage, services: ServicesOf
) -> PageAnswer[MemberAnswer]:
    """List members, newest first."""
    return PageAnswer[MemberAnswer].of(await services.members.list(organization_id, page))


@router.patch(
    "/admin/v1/organizations/{organization_id}/members/{member_id}",
    summary="Change a member's role",
    responses=native_errors(400, 403, 404, 413),
)
async def patch_member(
    organization_id: uuid.UUID,
    member_id: uuid.UUID,
    body: MemberPatch,
    admin: CurrentAdministrator,
    services: ServicesOf,
) -> MemberAnswer:
    """Give a member another role, from their next request on."""
    changed = await services.members.change_role(
        admin.actor, organization_id, member_id, body.role, as_role=admin.role
    )
    return MemberAnswer.model_validate(changed)


@router.delete(
    "/admin/v1/organizations/{organization_id}/members/{member_id}",
    status_code=204,
    summary="Remove a member",
    responses=native_errors(403, 404),
)
async def remove_member(
    organization_id: uuid.UUID,
    member_id: uuid.UUID,
    admin: CurrentAdministrator,
    services: ServicesOf,
) -> Response:
    """Take a member's role away, from their next request on."""
    await services.members.remove(admin.actor, organization_id, member_id, as_role=admin.role)
    return Response(status_code=204)
