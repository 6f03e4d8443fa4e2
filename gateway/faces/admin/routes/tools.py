"""`/admin/v1/projects/{id}/tools`: HTTP tools of any project."""

import uuid

from fastapi import APIRouter, Security
from starlette.responses import Response

from dispatch.accounts import ADMINISTRATOR
from gateway.auth import AdminRoute, key_bearer, key_header
from gateway.dependencies import NewId, RequestedPage, ServicesOf
from gateway.schemas.base import PageAnswer
from gateway.schemas.errors import native_errors
from gateway.schemas.tools import ToolAnswer, ToolBody, ToolPatch

router = APIRouter(
    route_class=AdminRoute,
    tags=["Administration"],
    dependencies=[Security(key_header), Security(key_bearer)],
    responses=native_errors(400, 401),
)


@router.post(
    "/admin/v1/projects/{project_id}/tools",
    status_code=201,
    summary="Create a tool",
    responses=native_errors(400, 404, 409, 413),
)
async def create_tool_of_project(
    project_id: uuid.UUID, body: ToolBody, services: ServicesOf, new_id: NewId
) -> ToolAnswer:
    """Create an HTTP tool; give agents its id, and they may call it."""
    draft = body.to_draft()
    return ToolAnswer.of(await services.tools.create(ADMINISTRATOR, project_id, draft, new_id))


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
    responses=native_errors(400, 404, 409, 413),
)
async def patch_tool_of_project(
    project_id: uuid.UUID, tool_id: uuid.UUID, body: ToolPatch, services: ServicesOf
) -> ToolAnswer:
    """Change the fields that are sent; the next call of each agent that uses it has them."""
    changed = await services.tools.update(ADMINISTRATOR, project_id, tool_id, body.changes())
    return ToolAnswer.of(changed)


@router.delete(
    "/admin/v1/projects/{project_id}/tools/{tool_id}",
    status_code=204,
    summary="Delete a tool",
    responses=native_errors(404),
)
async def delete_tool_of_project(
    project_id: uuid.UUID, tool_id: uuid.UUID, services: ServicesOf
) -> Response:
    """Delete a tool and take it away from the agents that use it."""
    await services.tools.delete(ADMINISTRATOR, project_id, tool_id)
    return Response(status_code=204)
