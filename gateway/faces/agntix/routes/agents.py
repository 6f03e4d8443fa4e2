"""`/v2/chat/agents` and `/v1/chat/agents`: agents."""

import uuid
from dataclasses import replace
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Security
from starlette.responses import Response

from dispatch.accounts import Principal, Scope
from dispatch.agent_profile import AgentFilters, AgentProfile
from dispatch.agents import draft_of
from dispatch.paging import Order
from gateway.auth import CurrentPrincipal, TenantRoute, key_bearer, key_header, requires
from gateway.dependencies import NewId, ServicesOf
from gateway.faces.agntix.agent_fields import answer_of, changed_fields, new_fields
from gateway.faces.agntix.errors import agents_in_agntix_words
from gateway.faces.agntix.paging import RequestedPage, sorted_by
from gateway.faces.agntix.schemas.agents import (
    AgentAnswer,
    AgentBodyV1,
    AgentBodyV2,
    AgentConfig,
    AgentPatchV1,
    AgentPatchV2,
)
from gateway.schemas.base import PageAnswer
from gateway.schemas.errors import native_errors
from gateway.services import Services

router = APIRouter(
    route_class=TenantRoute,
    tags=["Agntix: agents"],
    dependencies=[Security(key_header), Security(key_bearer)],
    responses=native_errors(401, 403, 429),
)

_READ: Final = [requires(Scope.AGENTS_READ)]
_WRITE: Final = [requires(Scope.AGENTS_WRITE)]
_LONGEST_NAME: Final = 100
_SORTED_BY: Final = {"createdAt": "created_at", "updatedAt": "updated_at", "fullName": "name"}


@router.post(
    "/v2/chat/agents",
    status_code=201,
    summary="Create an agent",
    dependencies=_WRITE,
    responses=native_errors(400, 409, 413),
)
async def create_agent(
    body: AgentBodyV2, principal: CurrentPrincipal, services: ServicesOf, new_id: NewId
) -> AgentAnswer:
    """Create an agent; with `voiceEnabled` and a `voicePipelineMode` it can be called."""
    with agents_in_agntix_words():
        fields = new_fields(body, await _usable(principal, services))
        return await _create(fields, principal, services, new_id)


@router.post(
    "/v1/chat/agents",
    status_code=201,
    summary="Create an agent (v1)",
    dependencies=_WRITE,
    responses=native_errors(400, 409, 413),
)
async def create_agent_v1(
    body: AgentBodyV1, principal: CurrentPrincipal, services: ServicesOf, new_id: NewId
) -> AgentAnswer:
    """Create an agent, for which a name is enough."""
    with agents_in_agntix_words():
        fields = new_fields(body.to_v2(), await _usable(principal, services))
        _set_params(fields, body.config)
        return await _create(fields, principal, services, new_id)


@router.get(
    "/v1/chat/agents",
    summary="List agents (v1)",
    dependencies=_READ,
    responses=native_errors(400),
)
@router.get(
    "/v2/chat/agents",
    summary="List agents",
    dependencies=_READ,
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
    agents = await services.tools.filled_in(found.items)
    return PageAnswer[AgentAnswer].of(replace(found, items=tuple(agents)), answer_of)


@router.get(
    "/v1/chat/agents/{agent_id}",
    summary="Get an agent (v1)",
    dependencies=_READ,
    responses=native_errors(404),
)
@router.get(
    "/v2/chat/agents/{agent_id}",
    summary="Get an agent",
    dependencies=_READ,
    responses=native_errors(404),
)
async def get_agent(
    agent_id: uuid.UUID, principal: CurrentPrincipal, services: ServicesOf
) -> AgentAnswer:
    """Return one agent."""
    return await _answer(await services.agents.get(principal, agent_id), services)


@router.patch(
    "/v2/chat/agents/{agent_id}",
    summary="Change an agent",
    dependencies=_WRITE,
    responses=native_errors(400, 404, 413),
)
async def patch_agent(
    agent_id: uuid.UUID, body: AgentPatchV2, principal: CurrentPrincipal, services: ServicesOf
) -> AgentAnswer:
    """Change the fields that are sent; calls that are going on keep the agent as it was."""
    return await _patch(agent_id, body, None, principal, services)


@router.patch(
    "/v1/chat/agents/{agent_id}",
    summary="Change an agent (v1)",
    dependencies=_WRITE,
    responses=native_errors(400, 404, 413),
)
async def patch_agent_v1(
    agent_id: uuid.UUID, body: AgentPatchV1, principal: CurrentPrincipal, services: ServicesOf
) -> AgentAnswer:
    """Change the fields that are sent; calls that are going on keep the agent as it was."""
    return await _patch(agent_id, body.to_v2(), body.config, principal, services)


@router.delete(
    "/v1/chat/agents/{agent_id}",
    status_code=204,
    summary="Delete an agent (v1)",
    dependencies=_WRITE,
    responses=native_errors(404),
)
@router.delete(
    "/v2/chat/agents/{agent_id}",
    status_code=204,
    summary="Delete an agent",
    dependencies=_WRITE,
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
    dependencies=_WRITE,
    responses=native_errors(400, 404, 409, 413),
)
async def clone_agent(
    agent_id: uuid.UUID, principal: CurrentPrincipal, services: ServicesOf, new_id: NewId
) -> AgentAnswer:
    """Create a second agent like this one, named `Copy of …`; it is on no number."""
    original = await services.agents.get(principal, agent_id)
    name = f"Copy of {original.name}"[:_LONGEST_NAME].strip()
    draft = original.draft.model_copy(update={"name": name})
    with agents_in_agntix_words():
        agent = await services.agents.create(
            principal.actor, principal, draft, new_id, like=original.draft
        )
    return answer_of(agent)


async def _create(
    fields: dict[str, Any], principal: Principal, services: Services, new_id: uuid.UUID
) -> AgentAnswer:
    with agents_in_agntix_words():
        agent = await services.agents.create(principal.actor, principal, draft_of(fields), new_id)
    return answer_of(agent)


async def _patch(
    agent_id: uuid.UUID,
    patch: AgentPatchV2,
    config: AgentConfig | None,
    principal: Principal,
    services: Services,
) -> AgentAnswer:
    usable = await _usable(principal, services)

    def changes(before: AgentProfile) -> dict[str, Any]:
        fields = changed_fields(patch, before, usable)
        _set_params(fields, config)
        return fields

    with agents_in_agntix_words():
        agent = await services.agents.update(principal.actor, principal, agent_id, changes)
    return await _answer(agent, services)


def _set_params(fields: dict[str, Any], config: AgentConfig | None) -> None:
    """Set what the first version says of the language model; a script has nothing to set."""
    llm = fields["models"]["llm"]
    if config is not None and llm["provider"] != "builtin":
        llm["params"] = llm.get("params", {}) | config.llm_params()


async def _answer(agent: AgentProfile, services: Services) -> AgentAnswer:
    [filled_in] = await services.tools.filled_in([agent])
    return answer_of(filled_in)


async def _usable(principal: Principal, services: Services) -> frozenset[str]:
    kept = await services.secrets.masked(principal.project_id)
    return frozenset(each.provider for each in kept)
