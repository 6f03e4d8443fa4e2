"""`/v1/chat/tools`: what agents can ask of other servers."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Security
from starlette.responses import Response

from dispatch.accounts import Scope
from dispatch.errors import InvalidField
from dispatch.tools.catalogue import tool_draft_of
from gateway.auth import CurrentPrincipal, TenantRoute, key_bearer, key_header, requires
from gateway.dependencies import NewId, ServicesOf
from gateway.faces.agntix.paging import RequestedPage
from gateway.faces.agntix.schemas.tools import (
    ApiToolBody,
    ApiToolPatch,
    ToolAnswer,
    in_agntix_words,
)
from gateway.schemas.base import PageAnswer
from gateway.schemas.errors import native_errors

router = APIRouter(
    route_class=TenantRoute,
    tags=["Agntix: tools"],
    dependencies=[Security(key_header), Security(key_bearer)],
    responses=native_errors(401, 403),
)

_READ = [requires(Scope.TOOLS_READ)]
_WRITE = [requires(Scope.TOOLS_WRITE)]


@router.post(
    "/v1/chat/tools",
    status_code=201,
    summary="Create a tool",
    dependencies=_WRITE,
    responses=native_errors(400, 409, 413),
)
async def create_tool(
    body: ApiToolBody, principal: CurrentPrincipal, services: ServicesOf, new_id: NewId
) -> ToolAnswer:
    """Create an HTTP tool; give agents its id, and they may call it."""
    with _in_agntix_words():
        draft = tool_draft_of(body.fields() | {"http": body.api_tool.fields()})
        project_id = principal.project_id
        tool = await services.tools.create(principal.actor, project_id, draft, new_id)
    return ToolAnswer.of(tool, principal.organization_id)


@router.get(
    "/v1/chat/tools", summary="List tools", dependencies=_READ, responses=native_errors(400)
)
async def list_tools(
    page: RequestedPage,
    principal: CurrentPrincipal,
    services: ServicesOf,
    search: Annotated[
        str | None, Query(max_length=100, description="Only those with this in their names.")
    ] = None,
    type: Annotated[  # noqa: A002 - the parameter's published name
        Literal["API_TOOL"] | None, Query(description="Every tool here is an API_TOOL.")
    ] = None,
) -> PageAnswer[ToolAnswer]:
    """List the project's tools, newest first."""
    del type
    found = await services.tools.list(principal.project_id, page, search or None)
    return PageAnswer[ToolAnswer].of(
        found, lambda tool: ToolAnswer.of(tool, principal.organization_id)
    )


@router.get(
    "/v1/chat/tools/{tool_id}",
    summary="Get a tool",
    dependencies=_READ,
    responses=native_errors(404),
)
async def get_tool(
    tool_id: uuid.UUID, principal: CurrentPrincipal, services: ServicesOf
) -> ToolAnswer:
    """Return one tool."""
    tool = await services.tools.get(principal.project_id, tool_id)
    return ToolAnswer.of(tool, principal.organization_id)


@router.patch(
    "/v1/chat/tools/{tool_id}",
    summary="Change a tool",
    dependencies=_WRITE,
    responses=native_errors(400, 404, 409, 413),
)
async def patch_tool(
    tool_id: uuid.UUID, body: ApiToolPatch, principal: CurrentPrincipal, services: ServicesOf
) -> ToolAnswer:
    """Change the fields that are sent; the next call of each agent that uses it has them."""
    changes = body.fields()
    if "api_tool" in body.model_fields_set:
        # What is no field of Agntix's, as the timeout, stays as it is.
        tool = await services.tools.get(principal.project_id, tool_id)
        asked = {"method": "POST", "headers": {}, "body": None} | body.api_tool.fields()
        changes["http"] = tool.http.model_dump() | asked
    with _in_agntix_words():
        changed = await services.tools.update(
            principal.actor, principal.project_id, tool_id, changes
        )
    return ToolAnswer.of(changed, principal.organization_id)


@router.delete(
    "/v1/chat/tools/{tool_id}",
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


@contextmanager
def _in_agntix_words() -> Iterator[None]:
    try:
        yield
    except InvalidField as exc:
        raise in_agntix_words(exc) from exc
