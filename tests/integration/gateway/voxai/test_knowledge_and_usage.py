"""VoxAI's knowledge search, usage, quota and tools."""

import pytest

from tests.integration.gateway.serving import Gateway

pytestmark = pytest.mark.integration

TOOL = {
    "name": "find_order",
    "description": "Finds an order by its number.",
    "parameters": {"type": "object", "properties": {"number": {"type": "string"}}},
    "http": {
        "url": "https://orders.example.com/find",
        "headers": {"Authorization": "Bearer {{secret:crm.api_key}}"},
    },
}


async def test_searches_a_knowledge_base_by_its_small_number(gateway: Gateway):
    tenant = await gateway.tenant()
    base = (await tenant.http.post("/v1/knowledge-bases", json={"name": "Shop"})).json()
    body = {"knowledge_base_id": base["number"], "query": "opening hours"}
    answer = await tenant.http.post("/api/v1/knowledge/search", json=body)
    assert answer.status_code == 200, answer.text
    assert answer.json()["results"] == []
    assert answer.json()["mode"] == "text"
    assert answer.json()["note"]


@pytest.mark.parametrize("top_k", [0, 51, "5", 1.5])
async def test_bounds_how_many_passages_are_returned(gateway: Gateway, top_k: object):
    tenant = await gateway.tenant()
    body = {"knowledge_base_id": 1, "query": "hours", "top_k": top_k}
    answer = await tenant.http.post("/api/v1/knowledge/search", json=body)
    assert (answer.status_code, answer.json()["code"]) == (400, "INVALID_REQUEST")
    assert list(answer.json()["details"]) == ["top_k"]


async def test_another_projects_knowledge_is_not_found(gateway: Gateway):
    tenant, other = await gateway.tenant(), await gateway.tenant()
    base = (await other.http.post("/v1/knowledge-bases", json={"name": "Theirs"})).json()
    body = {"knowledge_base_id": base["number"], "query": "hours"}
    answer = await tenant.http.post("/api/v1/knowledge/search", json=body)
    assert (answer.status_code, answer.json()["code"]) == (404, "NOT_FOUND")


@pytest.mark.parametrize("group_by", ["day", "model", "agent", "service"])
@pytest.mark.parametrize("period", ["today", "7d", "30d", "all"])
async def test_reports_usage(gateway: Gateway, period: str, group_by: str):
    tenant = await gateway.tenant()
    query = {"period": period, "group_by": group_by}
    answer = await tenant.http.get("/api/v1/usage", params=query)
    assert answer.status_code == 200
    body = answer.json()
    assert (body["period"], body["group_by"]) == (period, group_by)
    assert (body["cost_microcredits"], body["calls"]) == (0, 0)


async def test_names_an_unknown_period(gateway: Gateway):
    tenant = await gateway.tenant()
    answer = await tenant.http.get("/api/v1/usage", params={"period": "1y"})
    assert (answer.status_code, answer.json()["code"]) == (400, "INVALID_REQUEST")
    assert list(answer.json()["details"]) == ["period"]


async def test_tells_what_the_plan_allows(gateway: Gateway):
    tenant = await gateway.tenant()
    await tenant.agent()
    body = (await tenant.http.get("/api/v1/quota")).json()
    assert body["plan_display"] == body["plan"].title()
    agents = body["quotas"]["agents"]
    assert agents["used"] == 1
    assert agents["limit"] is None or agents["remaining"] == agents["limit"] - 1


async def test_lists_an_agents_tools_without_their_headers(gateway: Gateway):
    tenant = await gateway.tenant()
    path = f"/admin/v1/projects/{tenant.project_id}/tools"
    tool = await gateway.admin.post(path, json=TOOL)
    assert tool.status_code == 201, tool.text
    agent = await tenant.agent(toolIds=[tool.json()["id"]])
    answer = await tenant.http.get(f"/api/v1/agents/{agent['configId']}/tools")
    assert answer.json() == {
        "tools": [
            {
                "id": tool.json()["id"],
                "name": "find_order",
                "description": "Finds an order by its number.",
                "parameters": TOOL["parameters"],
                "url": "https://orders.example.com/find",
                "method": "POST",
            }
        ]
    }


@pytest.mark.parametrize("agent", ["0", "abc", "999999", "99999999999"])
async def test_an_agent_that_is_not_there_has_no_tools(gateway: Gateway, agent: str):
    tenant = await gateway.tenant()
    answer = await tenant.http.get(f"/api/v1/agents/{agent}/tools")
    assert (answer.status_code, answer.json()) == (
        404,
        {"error": "Agent not found.", "code": "NOT_FOUND"},
    )
