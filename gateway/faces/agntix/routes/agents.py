"""`/v2/chat/agents` and `/v1/chat/agents`: agents."""

import uuid
from typing import Annotated, Final

from fastapi import APIRouter, Query, Security
from starlette.responses import Response

from dispatch.accounts import Principal, Scope
from dispatch.agent_profile import AgentFilters
from dispatch.agents import draft_of
from dispatch.paging import Order
from gateway.auth import CurrentPrincipal, TenantRoute, key_bearer, key_header, requires
from gateway.dependencies import NewId, RequestedPage, ServicesOf
from gateway.faces.agntix.agent_fields import answer_of, changed_fields, new_fields
from gateway.faces.agntix.errors import agents_in_agntix_words
from gateway.faces.agntix.schemas.agents import AgentAnswer, AgentBody, AgentPatch
from gateway.faces.agntix.sorting import sorted_by
from gateway.schemas.base import PageAnswer
from gateway.schemas.errors import native_errors
from gateway.services import Services

router = APIRouter(
    route_class=TenantRoute,
    tags=["Agntix: agents"],
    dependencies=[Security(key_header), Security(key_bearer)],
    responses=native_errors(401, 403, 429),
)

_LONGEST_NAME: Final = 100
_SORTED_BY: Final = {"createdAt": "created_at", "updatedAt": "updated_at", "fullName": "name"}


@router.post(
    "/v2/chat/agents",
    status_code=201,
    summary="Create an agent",
    dependencies=[requires(Scope.AGENTS_WRITE)],
    responses=native_errors(400, 409, 413),
)
async def create_agent(
    body: AgentBody, principal: CurrentPrincipal, services: ServicesOf, new_id: NewId
) -> AgentAnswer:
    """Create an agent; with `voiceEnabled` and a `voicePipelineMode` it can be called."""
    usable = await _usable(principal, services)
    with agents_in_agntix_words():
        draft = draft_of(new_fields(body, usable))
        agent = await services.agents.create(principal.actor, principal, draft, new_id)
    return answer_of(agent)


@router.get(
    "/v1/chat/agents",
    summary="List agents (v1)",
    dependencies=[requires(Scope.AGENTS_READ)],
    responses=native_errors(400),
)
@router.get(
    "/v2/chat/agents",
    summary="List agents",
    dependencies=[requires(Scope.AGENTS_READ)],
    responses=native_errors(400),
)
async def list_agents(
    page: RequestedPage,
    principal: CurrentPrincipal,
    services: ServicesOf,
    order: Annotated[Order | None, sorted_by(_SORTED_BY)],
    search: Annotated[
        str | None,
        Query(max_length=_LONGEST_NAME, description="Only those with this in their names."),
    ] = None,
    is_active: Annotated[
        bool | None, Query(alias="isActive", description="Only active or inactive ones.")
    ] = None,
) -> PageAnswer[AgentAnswer]:
    """List the project's agents, newest first."""
    filters = AgentFilters(name_part=search or None, is_active=is_active)
    found = await services.agents.list(principal, page, filters, order)
    return PageAnswer[AgentAnswer].of(found, answer_of)


@router.get(
    "/v2/chat/agents/{agent_id}",
    summary="Get an agent",
    dependencies=[requires(Scope.AGENTS_READ)],
    responses=native_errors(404),
)
async def get_agent(
    agent_id: uuid.UUID, principal: CurrentPrincipal, services: ServicesOf
) -> AgentAnswer:
    """Return one agent."""
    return answer_of(await services.agents.get(principal, agent_id))


@router.patch(
    "/v2/chat/agents/{agent_id}",
    summary="Change an agent",
    dependencies=[requires(Scope.AGENTS_WRITE)],
    responses=native_errors(400, 404, 413),
)
async def patch_agent(
    agent_id: uuid.UUID, body: AgentPatch, principal: CurrentPrincipal, services: ServicesOf
) -> AgentAnswer:
    """Change the fields that are sent; calls that are going on keep the agent as it was."""
    usable = await _usable(principal, services)
    with agents_in_agntix_words():
        agent = await services.agents.update(
            principal.actor,
            principal,
            agent_id,
            lambda before: changed_fields(body, before, usable),
        )
    return answer_of(agent)


@router.delete(
    "/v2/chat/agents/{agent_id}",
    status_code=204,
    summary="Delete an agent",
    dependencies=[requires(Scope.AGENTS_WRITE)],
    responses=native_errors(404),
)
async def delete_agent(
    agent_id: uuid.UUID, principal: CurrentPrincipal, services: ServicesOf
) -> Response:
    """Delete an agent; its numbers are no longer answered, its calls and chats stay on record."""
    await services.agents.delete(principal.actor, principal, agent_id)
    return Response(status_code=204)


@router.post(
    "/v1/chat/agents/{agent_id}/clone",
    status_code=201,
    summary="Clone an agent",
    dependencies=[requires(Scope.AGENTS_WRITE)],
    responses=native_errors(400, 404, 409),
)
async def clone_agent(
    agent_id: uuid.UUID, principal: CurrentPrincipal, services: ServicesOf, new_id: NewId
) -> AgentAnswer:
    """Create a second agent like this one, named `Copy of …`; it is on no number."""
    original = await services.agents.get(principal, agent_id)
    name = f"Copy of {original.name}"[:_LONGEST_NAME].strip()
    draft = original.draft.model_copy(update={"name": name})
    with agents_in_agntix_words():
        agent = await services.agents.create(principal.actor, principal, draft, new_id)
    return answer_of(agent)


async def _usable(principal: Principal, services: Services) -> frozenset[str]:
    kept = await services.secrets.masked(principal.project_id)
    return frozenset(each.provider for each in kept)
