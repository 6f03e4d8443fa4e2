"""`/v1/chat/api-keys`: the project's keys."""

import uuid

from fastapi import APIRouter, Security
from starlette.responses import Response

from dispatch.access.reach import reach_of
from dispatch.accounts import Scope
from gateway.auth import CurrentPrincipal, TenantRoute, key_bearer, key_header, requires
from gateway.dependencies import NewId, NewSeed, ServicesOf
from gateway.faces.agntix.paging import RequestedPage
from gateway.faces.agntix.schemas.api_keys import (
    KeyAnswer,
    NewKeyAnswer,
    ProjectKeyBody,
    ProjectKeyPatch,
    ReasonBody,
)
from gateway.schemas.base import PageAnswer
from gateway.schemas.errors import native_errors

router = APIRouter(
    route_class=TenantRoute,
    tags=["Agntix: API keys"],
    dependencies=[Security(key_header), Security(key_bearer)],
    responses=native_errors(401, 403),
)

_READ = [requires(Scope.KEYS_READ)]
_WRITE = [requires(Scope.KEYS_WRITE)]


@router.post(
    "/v1/chat/api-keys",
    status_code=201,
    summary="Create an API key",
    dependencies=_WRITE,
    responses=native_errors(400, 409, 413),
)
async def create_key(
    body: ProjectKeyBody,
    principal: CurrentPrincipal,
    services: ServicesOf,
    new_id: NewId,
    seed: NewSeed,
) -> NewKeyAnswer:
    """Create a key; this answer is the only one that holds the key itself.

    Nobody can give a key more than they have. With an `Idempotency-Key` a repetition of the request
    is given the same key again.
    """
    made = await services.api_keys.create(
        principal.actor,
        principal.project_id,
        body.to_draft(),
        new_id=new_id,
        seed=seed,
        granting=principal.scopes,
        reach=reach_of(principal),
    )
    return NewKeyAnswer.of_new(made.key, made.clear_text)


@router.get(
    "/v1/chat/api-keys", summary="List API keys", dependencies=_READ, responses=native_errors(400)
)
async def list_keys(
    page: RequestedPage, principal: CurrentPrincipal, services: ServicesOf
) -> PageAnswer[KeyAnswer]:
    """List the project's keys without the keys themselves, newest first, revoked ones too."""
    found = await services.api_keys.list(principal.project_id, page, reach=reach_of(principal))
    return PageAnswer[KeyAnswer].of(found, KeyAnswer.of)


@router.patch(
    "/v1/chat/api-keys/{key_id}",
    summary="Change an API key",
    dependencies=_WRITE,
    responses=native_errors(400, 404, 413),
)
async def patch_key(
    key_id: uuid.UUID, body: ProjectKeyPatch, principal: CurrentPrincipal, services: ServicesOf
) -> KeyAnswer:
    """Change what a key is called or may do, from the next request on."""
    changed = await services.api_keys.update(
        principal.actor,
        key_id,
        body.fields(),
        granting=principal.scopes,
        reach=reach_of(principal),
    )
    return KeyAnswer.of(changed)


@router.post(
    "/v1/chat/api-keys/{key_id}/revoke",
    summary="Revoke an API key",
    dependencies=_WRITE,
    responses=native_errors(400, 404, 409, 413),
)
async def revoke_key(
    key_id: uuid.UUID,
    principal: CurrentPrincipal,
    services: ServicesOf,
    body: ReasonBody | None = None,
) -> KeyAnswer:
    """Stop a key from working, at once and for good."""
    reason = "" if body is None else body.reason
    revoked = await services.api_keys.revoke(
        principal.actor, key_id, reason=reason, reach=reach_of(principal)
    )
    return KeyAnswer.of(revoked)


@router.delete(
    "/v1/chat/api-keys/{key_id}",
    status_code=204,
    summary="Delete an API key",
    dependencies=_WRITE,
    responses=native_errors(400, 404, 413),
)
async def delete_key(
    key_id: uuid.UUID,
    principal: CurrentPrincipal,
    services: ServicesOf,
    body: ReasonBody | None = None,
) -> Response:
    """Revoke a key and list it no more; the audit log keeps it."""
    reason = "" if body is None else body.reason
    await services.api_keys.delete(
        principal.actor, key_id, reason=reason, reach=reach_of(principal)
    )
    return Response(status_code=204)
