"""`/api/v1/agents`: which agents there are."""

from fastapi import APIRouter, Security

from dispatch.accounts import Scope
from gateway.auth import CurrentPrincipal, TenantRoute, key_bearer, key_header, requires
from gateway.dependencies import ServicesOf
from gateway.faces.voxai.errors import voxai_errors
from gateway.faces.voxai.schemas.agents import AgentAnswer, AgentsAnswer

router = APIRouter(
    route_class=TenantRoute,
    tags=["VoxAI: agents"],
    dependencies=[Security(key_header), Security(key_bearer)],
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
