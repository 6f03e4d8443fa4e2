"""`/v1/tools`: HTTP tools of the project's agents."""

import uuid

from fastapi import APIRouter, Security
from starlette.responses import Response

from dispatch.accounts import Scope
from gateway.auth import CurrentPrincipal, NativeRoute, key_bearer, key_header, requires
from gateway.dependencies import NewId, RequestedPage, ServicesOf
from gateway.schemas.base import PageAnswer
from gateway.schemas.errors import native_errors
from gateway.schemas.tools import ToolAnswer, ToolBody, ToolPatch

router = APIRouter(
    route_class=NativeRoute,
    tags=["Tools"],
    dependencies=[Security(key_header), Security(key_bearer)],
    responses=native_errors(400, 401, 403, 429),
)

_READ = [requires(Scope.TOOLS_READ)]
_WRITE = [requires(Scope.TOOLS_WRITE)]


@router.post(
    "/v1/tools",
    status_code=201,
    summary="Create a tool",
    dependencies=_WRITE,
    responses=native_errors(400, 409, 413),
)
async def create_tool(
    body: ToolBody, principal: CurrentPrincipal, services: ServicesOf, new_id: NewId
) -> ToolAnswer:
    """Create an HTTP tool; give agents its id, and they may call it."""
    draft = body.to_draft()
    return ToolAnswer.of(
        await services.tools.create(
            principal.actor, principal.project_id, draft, new_id, principal.scopes
        )
    )


@router.get(
    "/v1/tools",
    summary="List tools",
    dependencies=_READ,
    responses=native_errors(400),
)
async def list_tools(
    page: RequestedPage, principal: CurrentPrincipal, services: ServicesOf
) -> PageAnswer[ToolAnswer]:
    """List the project's tools, newest first."""
    return PageAnswer[ToolAnswer].of(
        await services.tools.list(principal.project_id, page), ToolAnswer.of
    )


@router.get(
    "/v1/tools/{tool_id}",
    summary="Get a tool",
    dependencies=_READ,
    responses=native_errors(404),
)
async def get_tool(
    tool_id: uuid.UUID, principal: CurrentPrincipal, services: ServicesOf
) -> ToolAnswer:
    """Return one tool."""
    return ToolAnswer.of(await services.tools.get(principal.project_id, tool_id))


@router.patch(
    "/v1/tools/{tool_id}",
    summary="Change a tool",
    dependencies=_WRITE,
    responses=native_errors(400, 404, 409, 413),
)
async def patch_tool(
    tool_id: uuid.UUID, body: ToolPatch, principal: CurrentPrincipal, services: ServicesOf
) -> ToolAnswer:
    """Change the fields that are sent; the next call of each agent that uses it has them."""
    changed = await services.tools.update(
        principal.actor, principal.project_id, tool_id, body.changes(), principal.scopes
    )
    return ToolAnswer.of(changed)


@router.delete(
    "/v1/tools/{tool_id}",
    status_code=204,
    summary="Delete a tool",
    dependencies=_WRITE,
    responses=native_errors(404),
)
async def delete_tool(
    tool_id: uuid.UUID, principal: CurrentPrincipal, services: ServicesOf
) -> Response:
    """Delete a tool and take it away from the agents that use it."""
    await services.tools.delete(principal.actor, principal.project_id, tool_id)
    return Response(status_code=204)
