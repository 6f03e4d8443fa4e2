"""Agntix's tools: their fields onto the core's, and what is refused."""

from typing import Any

import pytest

from tests.integration.gateway.serving import Gateway, Tenant, error_of

pytestmark = pytest.mark.integration

TOOLS = "/v1/chat/tools"
NOWHERE = "5b710eca-4a0e-4b52-9c53-3b2f6f0f8d11"
SCHEMA = {
    "type": "object",
    "properties": {"order": {"type": "string"}},
    "required": ["order"],
}
BODY = {
    "name": "order_status",
    "description": "Finds out where an order is.",
    "type": "API_TOOL",
    "apiTool": {
        "url": "https://crm.example.com/orders",
        "method": "GET",
        "headers": {"X-Api-Key": "{{secret:crm.api_key}}"},
        "body": None,
    },
    "ajvPropertiesSchema": SCHEMA,
}


@pytest.fixture
async def tenant(gateway: Gateway) -> Tenant:
    return await gateway.tenant()


async def made(tenant: Tenant, **fields: Any) -> dict[str, Any]:
    answer = await tenant.http.post(TOOLS, json={**BODY, **fields})
    assert answer.status_code == 201, answer.text
    tool: dict[str, Any] = answer.json()
    return tool


async def test_a_tool_is_the_same_tool_as_everybodys(tenant: Tenant):
    tool = await made(tenant)
    assert {name: tool[name] for name in BODY} == BODY
    native = (await tenant.http.get(f"/v1/tools/{tool['id']}")).json()
    assert native["parameters"] == SCHEMA
    assert native["http"]["url"] == "https://crm.example.com/orders"
    assert (await tenant.http.get(f"{TOOLS}/{tool['id']}")).json() == tool
    assert (await tenant.http.get(TOOLS)).json()["data"] == [tool]


async def test_a_schema_of_the_properties_alone_gets_its_object(tenant: Tenant):
    tool = await made(tenant, ajvPropertiesSchema=SCHEMA["properties"])
    assert tool["ajvPropertiesSchema"] == {
        "type": "object",
        "properties": {"order": {"type": "string"}},
    }


async def test_an_agent_uses_it_until_it_is_deleted(tenant: Tenant):
    tool = await made(tenant)
    body = {
        "fullName": "Reception",
        "description": "Answers.",
        "role": "Receptionist.",
        "tools": [{"toolId": tool["id"], "toolDescription": "For orders."}],
    }
    agent = (await tenant.http.post("/v2/chat/agents", json=body)).json()
    assert agent["tools"] == body["tools"]
    answer = await tenant.http.delete(f"{TOOLS}/{tool['id']}")
    assert (answer.status_code, answer.content) == (204, b"")
    found = (await tenant.http.get(f"/v2/chat/agents/{agent['id']}")).json()
    assert found["tools"] == []


async def test_a_patch_of_the_request_keeps_the_timeout(tenant: Tenant):
    tool = await made(tenant)
    path = f"/v1/tools/{tool['id']}"
    http = (await tenant.http.get(path)).json()["http"] | {"timeoutS": 3}
    await tenant.http.patch(path, json={"http": http})
    answer = await tenant.http.patch(
        f"{TOOLS}/{tool['id']}", json={"apiTool": {"url": "https://crm.example.com/v2"}}
    )
    assert answer.json()["apiTool"] == {
        "url": "https://crm.example.com/v2",
        "method": "POST",
        "headers": {},
        "body": None,
    }
    assert (await tenant.http.get(path)).json()["http"]["timeoutS"] == 3


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"type": "FUNCTION_TOOL"}, "type: Input should be 'API_TOOL' or 'API'."),
        (
            {"apiTool": {"url": "ftp://crm.example.com"}},
            "apiTool.url: not an absolute https:// URL; other than ASCII must be percent-encoded",
        ),
        (
            {"apiTool": {"url": "https://crm.example.com/{{customer}}"}},
            "apiTool.url: customer is no property of the parameters",
        ),
        (
            {"apiTool": {"url": "https://{{order}}.example.com/"}},
            "apiTool.url: the host of a URL may not depend on arguments",
        ),
        (
            {"apiTool": {"url": "https://crm.example.com", "method": "GET", "body": {"a": 1}}},
            "apiTool.body: a GET has none; its arguments go into the query",
        ),
        ({"name": "end_call"}, "name: end_call is a tool that every agent may have already."),
    ],
)
async def test_the_field_is_named_as_the_client_knows_it(
    tenant: Tenant, fields: dict[str, Any], message: str
):
    answer = await tenant.http.post(TOOLS, json={**BODY, **fields})
    assert error_of(answer) == (400, "VALIDATION_ERROR", message)


async def test_tools_are_found_by_name(tenant: Tenant):
    tool = await made(tenant)
    for search, found in (("STATUS", [tool]), ("order%", [])):
        query = {"type": "API_TOOL", "search": search}
        assert (await tenant.http.get(TOOLS, params=query)).json()["data"] == found


@pytest.mark.parametrize("field", list(BODY))
async def test_every_field_is_needed(tenant: Tenant, field: str):
    body = {name: value for name, value in BODY.items() if name != field}
    answer = await tenant.http.post(TOOLS, json=body)
    assert error_of(answer) == (400, "VALIDATION_ERROR", f"{field} is required.")


async def test_a_name_is_used_once(tenant: Tenant):
    await made(tenant)
    answer = await tenant.http.post(TOOLS, json=BODY)
    message = "The project has a tool named order_status already."
    assert error_of(answer) == (409, "CONFLICT", message)


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
async def test_a_tool_of_another_project_is_not_there(
    gateway: Gateway, tenant: Tenant, method: str
):
    tool = await made(await gateway.tenant())
    body = {"json": {"description": "Mine."}} if method == "PATCH" else {}
    for tool_id in (tool["id"], NOWHERE):
        answer = await tenant.http.request(method, f"{TOOLS}/{tool_id}", **body)
        assert error_of(answer) == (404, "TOOLS_NOT_FOUND", "Tool not found.")
