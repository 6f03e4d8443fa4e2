"""`/api/v1/agents`: which agents there are, and with which tools."""

from typing import Annotated

from fastapi import APIRouter, Path, Security

from dispatch.accounts import Scope
from gateway.auth import CurrentPrincipal, TenantRoute, key_header, requires
from gateway.dependencies import ServicesOf
from gateway.faces.voxai.errors import voxai_errors
from gateway.faces.voxai.schemas.agents import AgentAnswer, AgentsAnswer
from gateway.faces.voxai.schemas.base import ConfigId
from gateway.faces.voxai.schemas.tools import ToolAnswer, ToolsAnswer

router = APIRouter(
    route_class=TenantRoute,
    tags=["VoxAI: agents"],
    dependencies=[Security(key_header)],
)


@router.get(
    "/api/v1/agents",
    summary="List agents",
    responses=voxai_errors(),
    dependencies=[requires(Scope.AGENTS_READ)],
)
async def list_agents(principal: CurrentPrincipal, services: ServicesOf) -> AgentsAnswer:
    """List the project's agents, the oldest first; 1,000 at most."""
    found = await services.agents.summaries(principal)
    return AgentsAnswer(agents=[AgentAnswer.of(agent) for agent in found])


@router.get(
    "/api/v1/agents/{agent_id}/tools",
    summary="List an agent's tools",
    responses=voxai_errors(404),
    dependencies=[requires(Scope.AGENTS_READ)],
)
async def list_tools(
    agent_id: Annotated[ConfigId, Path(description="The agent as a small number.", examples=[1])],
    principal: CurrentPrincipal,
    services: ServicesOf,
) -> ToolsAnswer:
    """List the tools that an agent may use, in its order."""
    found = await services.agents.id_of(principal, agent_id)
    tools = await services.tools.of_agent(principal.project_id, found)
    return ToolsAnswer(tools=[ToolAnswer.of(tool) for tool in tools])
