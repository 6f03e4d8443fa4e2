"""`/admin/v1/projects/{id}/tools`: HTTP tools of any project."""

import uuid

from starlette.responses import Response

from gateway.auth import CurrentAdministrator
from gateway.dependencies import NewId, RequestedPage, ServicesOf
from gateway.faces.admin.routes.routers import admin_router
from gateway.schemas.base import PageAnswer
from gateway.schemas.errors import native_errors
from gateway.schemas.tools import ToolAnswer, ToolBody, ToolPatch

router = admin_router()


@router.post(
    "/admin/v1/projects/{project_id}/tools",
    status_code=201,
    summary="Create a tool",
    responses=native_errors(400, 403, 404, 409, 413),
)
async def create_tool_of_project(
    project_id: uuid.UUID,
    body: ToolBody,
    admin: CurrentAdministrator,
    services: ServicesOf,
    new_id: NewId,
) -> ToolAnswer:
    """Create an HTTP tool; give agents its id, and they may call it."""
    draft = body.to_draft()
    return ToolAnswer.of(await services.tools.create(admin.actor, project_id, draft, new_id))


@router.get(
    "/admin/v1/projects/{project_id}/tools",
    summary="List tools",
    responses=native_errors(400, 404),
)
async def list_tools_of_project(
    project_id: uuid.UUID, page: RequestedPage, services: ServicesOf
) -> PageAnswer[ToolAnswer]:
    """List a project's tools, newest first."""
    return PageAnswer[ToolAnswer].of(await services.tools.list(project_id, page), ToolAnswer.of)


@router.get(
    "/admin/v1/projects/{project_id}/tools/{tool_id}",
    summary="Get a tool",
    responses=native_errors(404),
)
async def get_tool_of_project(
    project_id: uuid.UUID, tool_id: uuid.UUID, services: ServicesOf
) -> ToolAnswer:
    """Return one tool."""
    return ToolAnswer.of(await services.tools.get(project_id, tool_id))


@router.patch(
    "/admin/v1/projects/{project_id}/tools/{tool_id}",
    summary="Change a tool",
    responses=native_errors(400, 403, 404, 409, 413),
)
async def patch_tool_of_project(
    project_id: uuid.UUID,
    tool_id: uuid.UUID,
    body: ToolPatch,
    admin: CurrentAdministrator,
    services: ServicesOf,
) -> ToolAnswer:
    """Change the fields that are sent; the next call of each agent that uses it has them."""
    changed = await services.tools.update(admin.actor, project_id, tool_id, body.changes())
    return ToolAnswer.of(changed)


@router.delete(
    "/admin/v1/projects/{project_id}/tools/{tool_id}",
    status_code=204,
    summary="Delete a tool",
    responses=native_errors(403, 404),
)
async def delete_tool_of_project(
    project_id: uuid.UUID, tool_id: uuid.UUID, admin: CurrentAdministrator, services: ServicesOf
) -> Response:
    """Delete a tool and take it away from the agents that use it."""
    await services.tools.delete(admin.actor, project_id, tool_id)
    return Response(status_code=204)
