"""`/v1/agents`: what answers the calls."""

import uuid
from typing import Annotated

from fastapi import APIRouter, Path, Security
from starlette.responses import Response

from dispatch.accounts import Scope
from gateway.auth import CurrentPrincipal, NativeRoute, key_bearer, key_header, requires
from gateway.dependencies import NewId, RequestedPage, ServicesOf
from gateway.faces.native.schemas.agents import (
    AgentAnswer,
    AgentBody,
    AgentPatch,
    AgentVersionAnswer,
)
from gateway.schemas.base import PageAnswer
from gateway.schemas.errors import native_errors

router = APIRouter(
    route_class=NativeRoute,
    tags=["Agents"],
    dependencies=[Security(key_header), Security(key_bearer)],
    responses=native_errors(400, 401, 403, 429),
)


@router.post(
    "/v1/agents",
    status_code=201,
    summary="Create an agent",
    dependencies=[requires(Scope.AGENTS_WRITE)],
    responses=native_errors(400, 409, 413),
)
async def create_agent(
    body: AgentBody, principal: CurrentPrincipal, services: ServicesOf, new_id: NewId
) -> AgentAnswer:
    """Create an agent; assign it to a number and it answers."""
    agent = await services.agents.create(principal.actor, principal, body.to_draft(), new_id)
    return AgentAnswer.of(agent)


@router.get(
    "/v1/agents",
    summary="List agents",
    dependencies=[requires(Scope.AGENTS_READ)],
    responses=native_errors(400),
)
async def list_agents(
    page: RequestedPage, principal: CurrentPrincipal, services: ServicesOf
) -> PageAnswer[AgentAnswer]:
    """List the project's agents, newest first."""
    found = await services.agents.list(principal, page)
    return PageAnswer[AgentAnswer].of(found, AgentAnswer.of)


@router.get(
    "/v1/agents/{agent_id}",
    summary="Get an agent",
    dependencies=[requires(Scope.AGENTS_READ)],
    responses=native_errors(404),
)
async def get_agent(
    agent_id: uuid.UUID, principal: CurrentPrincipal, services: ServicesOf
) -> AgentAnswer:
    """Return one agent."""
    return AgentAnswer.of(await services.agents.get(principal, agent_id))


@router.patch(
    "/v1/agents/{agent_id}",
    summary="Change an agent",
    dependencies=[requires(Scope.AGENTS_WRITE)],
    responses=native_errors(400, 404, 413),
)
async def patch_agent(
    agent_id: uuid.UUID, body: AgentPatch, principal: CurrentPrincipal, services: ServicesOf
) -> AgentAnswer:
    """Change the fields that are sent; calls that are going on keep the agent as it was."""
    agent = await services.agents.update(principal.actor, principal, agent_id, body.changes())
    return AgentAnswer.of(agent)


@router.get(
    "/v1/agents/{agent_id}/versions",
    summary="List an agent's versions",
    dependencies=[requires(Scope.AGENTS_READ)],
    responses=native_errors(400, 404),
)
async def list_agent_versions(
    agent_id: uuid.UUID, page: RequestedPage, principal: CurrentPrincipal, services: ServicesOf
) -> PageAnswer[AgentVersionAnswer]:
    """List what an agent was and who made it so, newest first; a call names its version."""
    found = await services.agents.versions(principal, agent_id, page)
    return PageAnswer[AgentVersionAnswer].of(found, AgentVersionAnswer.of_version)


@router.get(
    "/v1/agents/{agent_id}/versions/{version}",
    summary="Get one version of an agent",
    dependencies=[requires(Scope.AGENTS_READ)],
    responses=native_errors(400, 404),
)
async def get_agent_version(
    agent_id: uuid.UUID,
    version: Annotated[int, Path(ge=1, le=2_147_483_647)],
    principal: CurrentPrincipal,
    services: ServicesOf,
) -> AgentVersionAnswer:
    """Return an agent as it was in one version."""
    found = await services.agents.version(principal, agent_id, version)
    return AgentVersionAnswer.of_version(found)


@router.delete(
    "/v1/agents/{agent_id}",
    status_code=204,
    summary="Delete an agent",
    dependencies=[requires(Scope.AGENTS_WRITE)],
    responses=native_errors(404),
)
async def delete_agent(
    agent_id: uuid.UUID, principal: CurrentPrincipal, services: ServicesOf
) -> Response:
    """Delete an agent; its numbers are no longer answered, its calls stay on record."""
    await services.agents.delete(principal.actor, principal, agent_id)
    return Response(status_code=204)
