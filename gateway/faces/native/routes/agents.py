"""`/v1/agents`: what answers the calls."""

import uuid

from fastapi import APIRouter, Security
from starlette.responses import Response

from gateway.auth import CurrentPrincipal, NativeRoute, key_bearer, key_header
from gateway.dependencies import RequestedPage, ServicesOf
from gateway.faces.native.schemas.agents import AgentAnswer, AgentBody, AgentPatch
from gateway.schemas.base import PageAnswer
from gateway.schemas.errors import native_errors

router = APIRouter(
    route_class=NativeRoute,
    tags=["Agents"],
    dependencies=[Security(key_header), Security(key_bearer)],
    responses=native_errors(400, 401),
)


@router.post(
    "/v1/agents", status_code=201, summary="Create an agent", responses=native_errors(400, 413)
)
async def create_agent(
    body: AgentBody, principal: CurrentPrincipal, services: ServicesOf
) -> AgentAnswer:
    """Create an agent; assign it to a number and it answers."""
    return AgentAnswer.of(await services.agents.create(principal, body.to_draft()))


@router.get("/v1/agents", summary="List agents", responses=native_errors(400))
async def list_agents(
    page: RequestedPage, principal: CurrentPrincipal, services: ServicesOf
) -> PageAnswer[AgentAnswer]:
    """List the project's agents, newest first."""
    found = await services.agents.list(principal, page)
    return PageAnswer[AgentAnswer].of(found, AgentAnswer.of)


@router.get("/v1/agents/{agent_id}", summary="Get an agent", responses=native_errors(404))
async def get_agent(
    agent_id: uuid.UUID, principal: CurrentPrincipal, services: ServicesOf
) -> AgentAnswer:
    """Return one agent."""
    return AgentAnswer.of(await services.agents.get(principal, agent_id))


@router.patch(
    "/v1/agents/{agent_id}", summary="Change an agent", responses=native_errors(400, 404, 413)
)
async def patch_agent(
    agent_id: uuid.UUID, body: AgentPatch, principal: CurrentPrincipal, services: ServicesOf
) -> AgentAnswer:
    """Change the fields that are sent; calls that are going on keep the agent as it was."""
    return AgentAnswer.of(await services.agents.patch(principal, agent_id, body.changes()))


@router.delete(
    "/v1/agents/{agent_id}",
    status_code=204,
    summary="Delete an agent",
    responses=native_errors(404),
)
async def delete_agent(
    agent_id: uuid.UUID, principal: CurrentPrincipal, services: ServicesOf
) -> Response:
    """Delete an agent; its numbers are no longer answered, its calls stay on record."""
    await services.agents.delete(principal, agent_id)
    return Response(status_code=204)
