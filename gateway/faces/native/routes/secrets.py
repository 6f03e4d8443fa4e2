"""`/v1/secrets`: what the project keeps secret; in clear nothing comes out here."""

from fastapi import APIRouter, Security
from starlette.responses import Response

from dispatch.accounts import Scope
from gateway.auth import CurrentPrincipal, NativeRoute, key_bearer, key_header, requires
from gateway.dependencies import ServicesOf
from gateway.schemas.errors import native_errors
from gateway.schemas.secrets import ProviderName, SecretAnswer, SecretBody, SecretsAnswer

router = APIRouter(
    route_class=NativeRoute,
    tags=["Secrets"],
    dependencies=[Security(key_header), Security(key_bearer)],
    responses=native_errors(400, 401, 403, 429),
)

_WRITE = [requires(Scope.SECRETS_WRITE)]


@router.put(
    "/v1/secrets/{provider}",
    summary="Keep a secret",
    dependencies=_WRITE,
    responses=native_errors(400, 413),
)
async def put_secret(
    provider: ProviderName, body: SecretBody, principal: CurrentPrincipal, services: ServicesOf
) -> SecretAnswer:
    """Keep a provider's values, such as its API key, in place of those before.

    Whatever begins afterwards uses them.
    """
    kept = await services.secrets.put(
        principal.actor, principal.project_id, provider, body.to_values()
    )
    return SecretAnswer.of(kept)


@router.get(
    "/v1/secrets",
    summary="List secrets",
    dependencies=_WRITE,
    responses=native_errors(400),
)
async def list_secrets(principal: CurrentPrincipal, services: ServicesOf) -> SecretsAnswer:
    """List what the project keeps, by provider, with hardly anything of each value."""
    kept = await services.secrets.masked(principal.project_id)
    return SecretsAnswer(data=[SecretAnswer.of(secret) for secret in kept])


@router.delete(
    "/v1/secrets/{provider}",
    status_code=204,
    summary="Delete a secret",
    dependencies=_WRITE,
    responses=native_errors(404),
)
async def delete_secret(
    provider: str, principal: CurrentPrincipal, services: ServicesOf
) -> Response:
    """Forget a provider's values."""
    await services.secrets.delete(principal.actor, principal.project_id, provider)
    return Response(status_code=204)
