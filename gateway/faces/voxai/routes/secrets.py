"""`/api/v1/projects/{id}/secrets/{provider}`: secrets in clear text, for agent servers."""

import uuid
from typing import Annotated

from fastapi import APIRouter, Path, Security

from dispatch.accounts import Scope
from gateway.auth import CurrentPrincipal, Forbidden, TenantRoute, key_header, requires
from gateway.dependencies import ServicesOf
from gateway.faces.voxai.errors import voxai_errors
from gateway.faces.voxai.schemas.secrets import SecretsAnswer

router = APIRouter(
    route_class=TenantRoute,
    tags=["VoxAI: secrets"],
    dependencies=[Security(key_header)],
)


@router.get(
    "/api/v1/projects/{project_id}/secrets/{provider}",
    summary="Read a provider's secrets",
    responses=voxai_errors(404),
    dependencies=[requires(Scope.SECRETS_READ)],
)
async def read_secrets(
    project_id: Annotated[str, Path(description="The key's own project.")],
    provider: Annotated[str, Path(description="`openai`, `deepgram`, …", examples=["openai"])],
    principal: CurrentPrincipal,
    services: ServicesOf,
) -> SecretsAnswer:
    """Return a provider's secrets in clear text; each reading is in the audit log.

    The key must have the scope `secrets:read`, which no key has unless it was asked for, and
    belong to the project.
    """
    # A project that is not there and one that is somebody else's are the same to this key.
    if _uuid(project_id) != principal.project_id:
        raise Forbidden("This key belongs to another project.")
    values = await services.secrets.reveal(principal.actor, principal.project_id, provider)
    return SecretsAnswer(provider=provider, secrets=values)


def _uuid(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text)
    except ValueError:
        return None
