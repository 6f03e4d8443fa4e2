"""`/admin/v1`: organisations, their projects and limits."""

import uuid

from gateway.auth import CurrentAdministrator, installation_only, members_too
from gateway.dependencies import NewId, RequestedPage, ServicesOf
from gateway.faces.admin.routes.routers import admin_router
from gateway.faces.admin.schemas.tenants import (
    LimitsBody,
    OrganizationAnswer,
    OrganizationBody,
    OrganizationPatch,
    ProjectAnswer,
    ProjectBody,
)
from gateway.schemas.base import PageAnswer
from gateway.schemas.errors import native_errors

router = admin_router()


@router.post(
    "/admin/v1/organizations",
    status_code=201,
    summary="Create an organisation",
    responses=native_errors(400, 403, 409, 413),
    dependencies=[installation_only],
)
async def create_organization(
    body: OrganizationBody, admin: CurrentAdministrator, services: ServicesOf, new_id: NewId
) -> OrganizationAnswer:
    """Create a customer with an empty balance. For the installation's administrator."""
    created = await services.tenants.create_organization(
        admin.actor, body.name, new_id=new_id, plan=body.plan, external_id=body.external_id
    )
    return OrganizationAnswer.model_validate(created)


@router.get(
    "/admin/v1/organizations",
    summary="List organisations",
    responses=native_errors(400),
    dependencies=[members_too],
)
async def list_organizations(
    page: RequestedPage, admin: CurrentAdministrator, services: ServicesOf
) -> PageAnswer[OrganizationAnswer]:
    """List all customers, newest first; a member sees their own."""
    found = await services.tenants.list_organizations(page, reach=admin.reach)
    return PageAnswer[OrganizationAnswer].of(found)


@router.get(
    "/admin/v1/organizations/{organization_id}",
    summary="Get an organisation",
    responses=native_errors(404),
)
async def get_organization(organization_id: uuid.UUID, services: ServicesOf) -> OrganizationAnswer:
    """Return a customer with the balance on record."""
    found = await services.tenants.get_organization(organization_id)
    return OrganizationAnswer.model_validate(found)


@router.patch(
    "/admin/v1/organizations/{organization_id}",
    summary="Change an organisation",
    responses=native_errors(400, 403, 404, 409, 413),
    dependencies=[installation_only],
)
async def patch_organization(
    organization_id: uuid.UUID,
    body: OrganizationPatch,
    admin: CurrentAdministrator,
    services: ServicesOf,
) -> OrganizationAnswer:
    """Change name, plan or external id, from the next request on. For the administrator."""
    changed = await services.tenants.change_organization(
        admin.actor, organization_id, body.changes()
    )
    return OrganizationAnswer.model_validate(changed)


@router.put(
    "/admin/v1/organizations/{organization_id}/limits",
    summary="Set an organisation's limits",
    responses=native_errors(400, 403, 404, 413),
    dependencies=[installation_only],
)
async def put_organization_limits(
    organization_id: uuid.UUID,
    body: LimitsBody,
    admin: CurrentAdministrator,
    services: ServicesOf,
) -> OrganizationAnswer:
    """Set limits that differ from the plan's, from the next request on. For the administrator."""
    changed = await services.tenants.change_organization(
        admin.actor, organization_id, {"limits": body.limits}
    )
    return OrganizationAnswer.model_validate(changed)


@router.post(
    "/admin/v1/organizations/{organization_id}/projects",
    status_code=201,
    summary="Create a project",
    responses=native_errors(400, 403, 404, 409, 413),
)
async def create_project(
    organization_id: uuid.UUID,
    body: ProjectBody,
    admin: CurrentAdministrator,
    services: ServicesOf,
    new_id: NewId,
) -> ProjectAnswer:
    """Create a project in an organisation."""
    created = await services.tenants.create_project(
        admin.actor, organization_id, body.name, new_id=new_id
    )
    return ProjectAnswer.model_validate(created)


@router.get(
    "/admin/v1/organizations/{organization_id}/projects",
    summary="List an organisation's projects",
    responses=native_errors(400, 404),
)
async def list_projects(
    organization_id: uuid.UUID, page: RequestedPage, services: ServicesOf
) -> PageAnswer[ProjectAnswer]:
    """List an organisation's projects, newest first."""
    return PageAnswer[ProjectAnswer].of(await services.tenants.list_projects(organization_id, page))
