"""`/admin/v1`: organisations, their projects, keys and credits."""

import uuid

from fastapi import APIRouter, Security

from gateway.auth import AdminRoute, key_bearer, key_header
from gateway.dependencies import RequestedPage, ServicesOf
from gateway.faces.admin.schemas.tenants import (
    CreditsBody,
    KeyAnswer,
    KeyBody,
    LedgerEntryAnswer,
    NewKeyAnswer,
    OrganizationAnswer,
    OrganizationBody,
    ProjectAnswer,
    ProjectBody,
    TopUpAnswer,
)
from gateway.schemas.base import PageAnswer
from gateway.schemas.errors import native_errors

router = APIRouter(
    route_class=AdminRoute,
    tags=["Administration"],
    dependencies=[Security(key_header), Security(key_bearer)],
    responses=native_errors(400, 401),
)


@router.post(
    "/admin/v1/organizations",
    status_code=201,
    summary="Create an organisation",
    responses=native_errors(400, 413),
)
async def create_organization(body: OrganizationBody, services: ServicesOf) -> OrganizationAnswer:
    """Create a customer with an empty balance."""
    return OrganizationAnswer.model_validate(await services.tenants.create_organization(body.name))


@router.get(
    "/admin/v1/organizations",
    summary="List organisations",
    responses=native_errors(400),
)
async def list_organizations(
    page: RequestedPage, services: ServicesOf
) -> PageAnswer[OrganizationAnswer]:
    """List all customers, newest first."""
    return PageAnswer[OrganizationAnswer].of(await services.tenants.list_organizations(page))


@router.get(
    "/admin/v1/organizations/{organization_id}",
    summary="Get an organisation",
    responses=native_errors(404),
)
async def get_organization(organization_id: uuid.UUID, services: ServicesOf) -> OrganizationAnswer:
    """Return a customer with the balance on record."""
    found = await services.tenants.get_organization(organization_id)
    return OrganizationAnswer.model_validate(found)


@router.post(
    "/admin/v1/organizations/{organization_id}/projects",
    status_code=201,
    summary="Create a project",
    responses=native_errors(400, 404, 413),
)
async def create_project(
    organization_id: uuid.UUID, body: ProjectBody, services: ServicesOf
) -> ProjectAnswer:
    """Create a project in an organisation."""
    created = await services.tenants.create_project(organization_id, body.name)
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


@router.post(
    "/admin/v1/organizations/{organization_id}/credits",
    status_code=201,
    summary="Add credits",
    responses=native_errors(400, 404, 409, 413),
)
async def add_credits(
    organization_id: uuid.UUID, body: CreditsBody, services: ServicesOf
) -> TopUpAnswer:
    """Add credits to an organisation; repeated with the same `operationId` it happens once."""
    top_up = await services.credits.top_up(
        organization_id,
        amount_microcredits=body.amount_microcredits,
        reason=body.reason,
        operation_id=body.operation_id,
    )
    return TopUpAnswer(
        id=top_up.entry.id,
        amount_microcredits=top_up.entry.amount_microcredits,
        balance_microcredits=top_up.balance_microcredits,
        reason=top_up.entry.reason,
        operation_id=top_up.entry.operation_id,
        created_at=top_up.entry.created_at,
    )


@router.get(
    "/admin/v1/organizations/{organization_id}/ledger",
    summary="List an organisation's ledger",
    responses=native_errors(400, 404),
)
async def list_ledger(
    organization_id: uuid.UUID, page: RequestedPage, services: ServicesOf
) -> PageAnswer[LedgerEntryAnswer]:
    """List every movement of an organisation's money, newest first."""
    return PageAnswer[LedgerEntryAnswer].of(await services.credits.ledger(organization_id, page))


@router.post(
    "/admin/v1/projects/{project_id}/keys",
    status_code=201,
    summary="Create an API key",
    responses=native_errors(400, 404, 413),
)
async def create_key(project_id: uuid.UUID, body: KeyBody, services: ServicesOf) -> NewKeyAnswer:
    """Create a key of a project; this answer is the only one that holds the key itself."""
    key, clear_text = await services.tenants.create_key(
        project_id, name=body.name, prefix=body.prefix, expires_at=body.expires_at
    )
    known = KeyAnswer.model_validate(key)
    return NewKeyAnswer(**known.model_dump(), key=clear_text)


@router.get(
    "/admin/v1/projects/{project_id}/keys",
    summary="List a project's API keys",
    responses=native_errors(400, 404),
)
async def list_keys(
    project_id: uuid.UUID, page: RequestedPage, services: ServicesOf
) -> PageAnswer[KeyAnswer]:
    """List a project's keys without their secrets, newest first."""
    return PageAnswer[KeyAnswer].of(await services.tenants.list_keys(project_id, page))


@router.post(
    "/admin/v1/keys/{key_id}/revoke",
    summary="Revoke an API key",
    responses=native_errors(404),
)
async def revoke_key(key_id: uuid.UUID, services: ServicesOf) -> KeyAnswer:
    """Stop a key from working, at once and for good."""
    return KeyAnswer.model_validate(await services.tenants.revoke_key(key_id))
