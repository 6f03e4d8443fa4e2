"""`/admin/v1/projects/{id}/secrets`: what any project keeps secret."""

import uuid

from fastapi import APIRouter, Security
from starlette.responses import Response

from dispatch.accounts import ADMINISTRATOR
from gateway.auth import AdminRoute, key_bearer, key_header
from gateway.dependencies import ServicesOf
from gateway.schemas.errors import native_errors
from gateway.schemas.secrets import SecretAnswer, SecretBody, SecretsAnswer

router = APIRouter(
    route_class=AdminRoute,
    tags=["Administration"],
    dependencies=[Security(key_header), Security(key_bearer)],
    responses=native_errors(400, 401),
)


@router.put(
    "/admin/v1/projects/{project_id}/secrets/{provider}",
    summary="Keep a secret",
    responses=native_errors(400, 404, 413),
)
async def put_secret_of_project(
    project_id: uuid.UUID, provider: str, body: SecretBody, services: ServicesOf
) -> SecretAnswer:
    """Keep a provider's values, such as its API key, in place of those before.

    Whatever begins afterwards uses them.
    """
    kept = await services.secrets.put(ADMINISTRATOR, project_id, provider, body.to_values())
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
    responses=native_errors(404),
)
async def delete_secret_of_project(
    project_id: uuid.UUID, provider: str, services: ServicesOf
) -> Response:
    """Forget a provider's values."""
    await services.secrets.delete(ADMINISTRATOR, project_id, provider)
    return Response(status_code=204)
