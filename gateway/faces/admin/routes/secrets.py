"""`/admin/v1/projects/{id}/secrets`: what any project keeps secret."""

import uuid

from starlette.responses import Response

from gateway.auth import CurrentAdministrator
from gateway.dependencies import ServicesOf
from gateway.faces.admin.routes.routers import admin_router
from gateway.schemas.errors import native_errors
from gateway.schemas.secrets import ProviderName, SecretAnswer, SecretBody, SecretsAnswer

router = admin_router()


@router.put(
    "/admin/v1/projects/{project_id}/secrets/{provider}",
    summary="Keep a secret",
    responses=native_errors(400, 403, 404, 413),
)
async def put_secret_of_project(
    project_id: uuid.UUID,
    provider: ProviderName,
    body: SecretBody,
    admin: CurrentAdministrator,
    services: ServicesOf,
) -> SecretAnswer:
    """Keep a provider's values, such as its API key, in place of those before.

    Whatever begins afterwards uses them.
    """
    kept = await services.secrets.put(admin.actor, project_id, provider, body.to_values())
    return SecretAnswer.of(kept)


@router.get(
    "/admin/v1/projects/{project_id}/secrets",
    summary="List secrets",
    responses=native_errors(400, 404),
)
async def list_secrets_of_project(project_id: uuid.UUID, services: ServicesOf) -> SecretsAnswer:
    """List what a project keeps, by provider, with hardly anything of each value."""
    kept = await services.secrets.masked(project_id)
    return SecretsAnswer(data=[SecretAnswer.of(secret) for secret in kept])


@router.delete(
    "/admin/v1/projects/{project_id}/secrets/{provider}",
    status_code=204,
    summary="Delete a secret",
    responses=native_errors(403, 404),
)
async def delete_secret_of_project(
    project_id: uuid.UUID, provider: str, admin: CurrentAdministrator, services: ServicesOf
) -> Response:
    """Forget a provider's values."""
    await services.secrets.delete(admin.actor, project_id, provider)
    return Response(status_code=204)
