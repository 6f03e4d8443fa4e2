"""Tools on record, and in the snapshots that calls are answered from."""

import uuid
from typing import Any

import pytest

from dispatch.accounts import Principal, Scope
from dispatch.agent_profile import AgentDraft, AgentProfile
from dispatch.errors import Conflict, InvalidField, NotAllowed, NotFound
from dispatch.paging import PageRequest
from dispatch.store.engine import Database
from dispatch.tool_definition import ToolDefinition, ToolDraft
from dispatch.tools.addresses import AllowedHosts
from dispatch.tools.catalogue import Tools
from tests.integration.dispatch.conftest import UseCases

pytestmark = pytest.mark.integration

URL = "https://crm.example.com/orders"


def draft(name: str = "look_up", **http: Any) -> ToolDraft:
    return ToolDraft.model_validate({"name": name, "http": {"url": URL, **http}})


@pytest.fixture
def tools(database: Database, use_cases: UseCases) -> Tools:
    return Tools(database, use_cases.routes, AllowedHosts())


@pytest.fixture
def unpublished(database: Database, cut_off: UseCases) -> Tools:
    """Tools of a process whose Redis is down."""
    return Tools(database, cut_off.routes, AllowedHosts())


async def created(tools: Tools, owner: Principal, name: str = "look_up") -> ToolDefinition:
    return await tools.create(owner.actor, owner.project_id, draft(name), uuid.uuid4())


async def agent_with(use_cases: UseCases, owner: Principal, *tool_ids: uuid.UUID) -> AgentProfile:
    agent = AgentDraft.model_validate(
        {
            "name": "Agent",
            "tool_ids": tool_ids,
            "script": {"steps": [{"phrases": ["hello"], "reply": "Hello."}]},
        }
    )
    return await use_cases.agents.create(owner.actor, owner, agent, uuid.uuid4())


async def snapshot(use_cases: UseCases, agent: AgentProfile) -> AgentProfile:
    found = await use_cases.routes.get_agent(agent.agent_id)
    assert found is not None
    return found


async def test_an_agents_snapshot_holds_its_tools_in_order(
    tools: Tools, use_cases: UseCases, owner: Principal
) -> None:
    first, second = await created(tools, owner, "first"), await created(tools, owner, "second")
    agent = await agent_with(use_cases, owner, second.tool_id, first.tool_id)

    assert (await snapshot(use_cases, agent)).tools == (second, first)
    assert await tools.of_agent(owner.project_id, agent.agent_id) == (second, first)


async def test_a_changed_tool_is_in_its_agents_snapshots_at_once(
    tools: Tools, use_cases: UseCases, owner: Principal
) -> None:
    tool = await created(tools, owner)
    agent = await agent_with(use_cases, owner, tool.tool_id)

    changes = {"http": {"url": "https://crm.example.com/new"}}
    changed = await tools.update(owner.actor, owner.project_id, tool.tool_id, changes)

    found = await snapshot(use_cases, agent)
    assert found.tools == (changed,)
    assert found.tools[0].http.url == "https://crm.example.com/new"
    assert found.version == agent.version


async def test_a_deleted_tool_is_taken_away_from_its_agents_as_a_new_version(
    tools: Tools, use_cases: UseCases, owner: Principal
) -> None:
    gone, kept = await created(tools, owner, "gone"), await created(tools, owner, "kept")
    agent = await agent_with(use_cases, owner, gone.tool_id, kept.tool_id)

    await tools.delete(owner.actor, owner.project_id, gone.tool_id)

    found = await snapshot(use_cases, agent)
    assert (found.tools, found.tool_ids) == ((kept,), (kept.tool_id,))
    assert found.version == agent.version + 1
    versions = await use_cases.agents.versions(owner, agent.agent_id, PageRequest(1, 10))
    assert [entry.profile.tool_ids for entry in versions.items] == [
        (kept.tool_id,),
        (gone.tool_id, kept.tool_id),
    ]
    with pytest.raises(NotFound):
        await tools.get(owner.project_id, gone.tool_id)


async def test_what_redis_did_not_take_is_published_by_the_projection(
    unpublished: Tools, tools: Tools, use_cases: UseCases, owner: Principal
) -> None:
    tool = await created(tools, owner)
    agent = await agent_with(use_cases, owner, tool.tool_id)
    await use_cases.projection.run_once()

    changed = await unpublished.update(
        owner.actor, owner.project_id, tool.tool_id, {"description": "Finds an order."}
    )
    assert (await snapshot(use_cases, agent)).tools == (tool,)
    await use_cases.projection.run_once()

    assert (await snapshot(use_cases, agent)).tools == (changed,)


async def test_an_agent_cannot_use_another_projects_tool(
    tools: Tools, use_cases: UseCases, owner: Principal, stranger: Principal
) -> None:
    theirs = await created(tools, stranger)

    with pytest.raises(InvalidField, match="has no tool"):
        await agent_with(use_cases, owner, theirs.tool_id)


async def test_another_projects_tool_is_not_there(
    tools: Tools, owner: Principal, stranger: Principal
) -> None:
    theirs = await created(tools, stranger)

    with pytest.raises(NotFound):
        await tools.get(owner.project_id, theirs.tool_id)
    with pytest.raises(NotFound):
        await tools.update(owner.actor, owner.project_id, theirs.tool_id, {"description": "x"})
    with pytest.raises(NotFound):
        await tools.delete(owner.actor, owner.project_id, theirs.tool_id)
    assert (await tools.list(owner.project_id, PageRequest(1, 10))).items == ()
    assert await tools.get(stranger.project_id, theirs.tool_id) == theirs


async def test_creating_again_with_the_same_id_finds_the_tool(
    tools: Tools, owner: Principal
) -> None:
    new_id = uuid.uuid4()
    first = await tools.create(owner.actor, owner.project_id, draft(), new_id)

    assert await tools.create(owner.actor, owner.project_id, draft(), new_id) == first


async def test_a_name_stands_for_one_tool_of_a_project(
    tools: Tools, owner: Principal, stranger: Principal
) -> None:
    tool = await created(tools, owner)
    other = await created(tools, owner, "other")
    await created(tools, stranger)

    with pytest.raises(Conflict, match="look_up"):
        await created(tools, owner)
    with pytest.raises(Conflict, match="look_up"):
        await tools.update(owner.actor, owner.project_id, other.tool_id, {"name": "look_up"})
    await tools.delete(owner.actor, owner.project_id, tool.tool_id)
    assert (await created(tools, owner)).tool_id != tool.tool_id


@pytest.mark.parametrize("url", ["http://crm.example.com/", "https://10.0.0.1/", "https://[::1]/"])
async def test_a_url_that_no_tool_may_call_is_refused_at_once(
    tools: Tools, owner: Principal, url: str
) -> None:
    with pytest.raises(InvalidField) as refused:
        await tools.create(owner.actor, owner.project_id, draft(url=url), uuid.uuid4())
    assert refused.value.field == "http.url"


async def test_who_may_not_handle_secrets_writes_no_tool_that_sends_them(
    tools: Tools, owner: Principal
) -> None:
    sending = draft(headers={"Authorization": "{{secret:crm.api_key}}"})
    scopes = frozenset({Scope.TOOLS_WRITE})
    with pytest.raises(NotAllowed):
        await tools.create(owner.actor, owner.project_id, sending, uuid.uuid4(), scopes)
    tool = await tools.create(owner.actor, owner.project_id, sending, uuid.uuid4())

    elsewhere = {"http": {**sending.http.model_dump(), "url": "https://evil.example/"}}
    with pytest.raises(NotAllowed):
        await tools.update(owner.actor, owner.project_id, tool.tool_id, elsewhere, scopes)
    assert await tools.get(owner.project_id, tool.tool_id) == tool


async def test_a_wrong_change_names_its_field(tools: Tools, owner: Principal) -> None:
    tool = await created(tools, owner)

    with pytest.raises(InvalidField) as refused:
        await tools.update(
            owner.actor, owner.project_id, tool.tool_id, {"http": {"url": URL, "timeout_s": 99}}
        )
    assert refused.value.field == "http.timeout_s"
