"""`/admin/v1`: API keys of any project."""

import uuid

from starlette.responses import Response

from dispatch.accounts import ROLE_SCOPES, Scope
from gateway.auth import Administrator, CurrentAdministrator, installation_only, members_too
from gateway.dependencies import NewId, NewSeed, RequestedPage, ServicesOf
from gateway.faces.admin.routes.routers import admin_router
from gateway.faces.admin.schemas.keys import KeyAnswer, KeyBody, KeyPatch, NewKeyAnswer, ReasonBody
from gateway.faces.admin.schemas.tenants import LimitsBody
from gateway.schemas.base import PageAnswer
from gateway.schemas.errors import native_errors

router = admin_router()


@router.post(
    "/admin/v1/projects/{project_id}/keys",
    status_code=201,
    summary="Create an API key",
    responses=native_errors(400, 403, 404, 409, 413),
)
async def create_key(
    project_id: uuid.UUID,
    body: KeyBody,
    admin: CurrentAdministrator,
    services: ServicesOf,
    new_id: NewId,
    seed: NewSeed,
) -> NewKeyAnswer:
    """Create a key of a project; this answer is the only one that holds the key itself.

    With an `Idempotency-Key` a repetition of the request is given the same key again.
    """
    made = await services.api_keys.create(
        admin.actor,
        project_id,
        body.to_draft(),
        new_id=new_id,
        seed=seed,
        granting=_granting(admin),
        reach=admin.reach,
    )
    known = KeyAnswer.model_validate(made.key)
    return NewKeyAnswer(**known.model_dump(), key=made.clear_text)


@router.get(
    "/admin/v1/projects/{project_id}/keys",
    summary="List a project's API keys",
    responses=native_errors(400, 404),
)
async def list_keys(
    project_id: uuid.UUID,
    page: RequestedPage,
    admin: CurrentAdministrator,
    services: ServicesOf,
) -> PageAnswer[KeyAnswer]:
    """List a project's keys without their secrets, newest first."""
    found = await services.api_keys.list(project_id, page, reach=admin.reach)
    return PageAnswer[KeyAnswer].of(found)


@router.get(
    "/admin/v1/keys/{key_id}",
    summary="Get an API key",
    responses=native_errors(404),
    dependencies=[members_too],
)
async def get_key(
    key_id: uuid.UUID, admin: CurrentAdministrator, services: ServicesOf
) -> KeyAnswer:
    """Return a key without its secret."""
    return KeyAnswer.model_validate(await services.api_keys.get(key_id, reach=admin.reach))


@router.patch(
    "/admin/v1/keys/{key_id}",
    summary="Change an API key",
    responses=native_errors(400, 403, 404, 413),
    dependencies=[members_too],
)
async def patch_key(
    key_id: uuid.UUID, body: KeyPatch, admin: CurrentAdministrator, services: ServicesOf
) -> KeyAnswer:
    """Change what a key is called, may do, and from which pages, from the next request on."""
    changed = await services.api_keys.update(
        admin.actor, key_id, body.changes(), granting=_granting(admin), reach=admin.reach
    )
    return KeyAnswer.model_validate(changed)


@router.put(
    "/admin/v1/keys/{key_id}/limits",
    summary="Set an API key's limits",
    responses=native_errors(400, 403, 404, 413),
    dependencies=[installation_only],
)
async def put_key_limits(
    key_id: uuid.UUID, body: LimitsBody, admin: CurrentAdministrator, services: ServicesOf
) -> KeyAnswer:
    """Set limits that count this key alone, from the next request on. For the administrator."""
    changed = await services.api_keys.set_limits(admin.actor, key_id, body.limits)
    return KeyAnswer.model_validate(changed)


@router.post(
    "/admin/v1/keys/{key_id}/revoke",
    summary="Revoke an API key",
    responses=native_errors(400, 403, 404, 409, 413),
    dependencies=[members_too],
)
async def revoke_key(
    key_id: uuid.UUID,
    admin: CurrentAdministrator,
    services: ServicesOf,
    body: ReasonBody | None = None,
) -> KeyAnswer:
    """Stop a key from working, at once and for good."""
    reason = "" if body is None else body.reason
    revoked = await services.api_keys.revoke(admin.actor, key_id, reason=reason, reach=admin.reach)
    return KeyAnswer.model_validate(revoked)


@router.delete(
    "/admin/v1/keys/{key_id}",
    status_code=204,
    summary="Delete an API key",
    responses=native_errors(403, 404),
    dependencies=[members_too],
)
async def delete_key(
    key_id: uuid.UUID, admin: CurrentAdministrator, services: ServicesOf
) -> Response:
    """Revoke a key and list it no more; the audit log keeps it."""
    await services.api_keys.delete(admin.actor, key_id, reach=admin.reach)
    return Response(status_code=204)


def _granting(admin: Administrator) -> frozenset[Scope] | None:
    """Return what a key of the administrator's making may do at most; None for everything."""
    return None if admin.role is None else ROLE_SCOPES[admin.role]
