"""`/admin/v1/audit-log`: who changed what."""

import uuid
from typing import Annotated

from fastapi import Query
from pydantic import StringConstraints

from dispatch.access.audit import AuditFilter
from gateway.auth import CurrentAdministrator, members_too
from gateway.dependencies import RequestedPage, ServicesOf
from gateway.faces.admin.routes.routers import admin_router
from gateway.faces.admin.schemas.members import AuditEntryAnswer
from gateway.schemas.base import Instant, PageAnswer
from gateway.schemas.errors import native_errors

router = admin_router()

Exact = Annotated[str, StringConstraints(min_length=1, max_length=320, pattern=r"^[^\x00]+$")]


@router.get(
    "/admin/v1/audit-log",
    summary="List changes",
    responses=native_errors(400, 404),
    dependencies=[members_too],
)
async def list_audit_log(  # noqa: PLR0913, PLR0917 - one for each filter
    page: RequestedPage,
    admin: CurrentAdministrator,
    services: ServicesOf,
    organization_id: Annotated[uuid.UUID | None, Query(alias="organizationId")] = None,
    project_id: Annotated[uuid.UUID | None, Query(alias="projectId")] = None,
    actor_id: Annotated[Exact | None, Query(alias="actorId")] = None,
    action: Annotated[Exact | None, Query(description="For example `key.revoked`.")] = None,
    target_type: Annotated[Exact | None, Query(alias="targetType")] = None,
    target_id: Annotated[Exact | None, Query(alias="targetId")] = None,
    since: Annotated[Instant | None, Query(description="At this time or later.")] = None,
    until: Annotated[Instant | None, Query(description="Before this time.")] = None,
) -> PageAnswer[AuditEntryAnswer]:
    """List who changed what, from what to what, the latest change first.

    A member sees the changes of their organisation.
    """
    if organization_id is not None:
        admin.reach.require_organization(organization_id)
    wanted = AuditFilter(
        organization_id=admin.reach.organization_id or organization_id,
        project_id=project_id,
        action=action,
        actor_id=actor_id,
        target_type=target_type,
        target_id=target_id,
        since=since,
        until=until,
    )
    return PageAnswer[AuditEntryAnswer].of(await services.audit_log.list(wanted, page))
