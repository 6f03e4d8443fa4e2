"""Tools over HTTP: the project's own way and the administrator's."""

import uuid
from typing import Any

import httpx
import pytest

from tests.integration.gateway.serving import Gateway, error_of

pytestmark = pytest.mark.integration

NOWHERE = "5b710eca-4a0e-4b52-9c53-3b2f6f0f8d11"
BODY: dict[str, Any] = {
    "name": "order_status",
    "description": "Finds out where an order is.",
    "parameters": {
        "type": "object",
        "properties": {"order": {"type": "string", "pattern": "^[0-9]+$"}},
        "required": ["order"],
    },
    "http": {
        "url": "https://crm.example.com/orders",
        "method": "GET",
        "headers": {"Authorization": "Bearer {{secret:crm.api_key}}"},
        "body": None,
        "timeoutS": 5,
        "maxAttempts": 2,
        "isIdempotent": False,
    },
}


async def both_ways(gateway: Gateway) -> list[tuple[httpx.AsyncClient, str]]:
    tenant = await gateway.tenant()
    return [
        (tenant.http, "/v1/tools"),
        (gateway.admin, f"/admin/v1/projects/{tenant.project_id}/tools"),
    ]


@pytest.mark.parametrize("way", [0, 1], ids=["project", "administrator"])
async def test_a_tool_lives_from_creation_to_deletion(gateway: Gateway, way: int) -> None:
    http, path = (await both_ways(gateway))[way]
    created = await http.post(path, json=BODY)
    assert created.status_code == 201, created.text
    made = created.json()
    assert made == {
        **BODY,
        "id": made["id"],
        "createdAt": made["createdAt"],
        "updatedAt": made["updatedAt"],
    }
    assert (await http.get(path)).json()["data"] == [made]
    assert (await http.get(f"{path}/{made['id']}")).json() == made

    changed = await http.patch(f"{path}/{made['id']}", json={"description": "Another."})
    assert changed.status_code == 200, changed.text
    assert changed.json() == {
        **made,
        "description": "Another.",
        "updatedAt": changed.json()["updatedAt"],
    }

    assert (await http.delete(f"{path}/{made['id']}")).status_code == 204
    assert error_of(await http.get(f"{path}/{made['id']}"))[:2] == (404, "NOT_FOUND")
    assert (await http.get(path)).json()["data"] == []


async def test_the_same_name_again_is_a_conflict(gateway: Gateway) -> None:
    tenant = await gateway.tenant()
    await tenant.http.post("/v1/tools", json=BODY)

    assert error_of(await tenant.http.post("/v1/tools", json=BODY))[:2] == (409, "CONFLICT")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": "two words"}, "name"),
        ({"name": "end_call"}, "name"),
        ({"description": "x" * 1_025}, "description"),
        ({"parameters": {"type": "array"}}, "parameters"),
        ({"parameters": {"type": "object", "properties": 5}}, "parameters"),
        ({"http": {}}, "http.url"),
        ({"http": {"url": "crm.example.com"}}, "http.url"),
        ({"http": {"url": "https://user:pw@crm.example.com/"}}, "http.url"),
        ({"http": {"url": "http://crm.example.com/"}}, "http.url"),
        ({"http": {"url": "https://192.168.0.1/"}}, "http.url"),
        ({"http": {"url": "https://a.example/", "method": "TRACE"}}, "http.method"),
        ({"http": {"url": "https://a.example/", "timeoutS": 0}}, "http.timeoutS"),
        ({"http": {"url": "https://a.example/", "headers": {"Host": "b"}}}, "http.headers"),
        ({"http": {"url": "https://a.example/", "headers": {"A": "b\r\nc"}}}, "http.headers"),
        ({"http": {"url": "https://a.example/", "headers": {"A": "{{x}}"}}}, "http.headers"),
        ({"unknown": 1}, "unknown"),
    ],
)
async def test_a_wrong_tool_is_refused_by_the_name_of_the_field(
    gateway: Gateway, change: dict[str, Any], field: str
) -> None:
    tenant = await gateway.tenant()
    answer = await tenant.http.post("/v1/tools", json={**BODY, **change})

    assert error_of(answer)[:2] == (400, "VALIDATION_ERROR"), answer.text
    assert answer.json()["error"]["details"][0]["field"] == field


async def test_another_projects_tool_is_not_there(gateway: Gateway) -> None:
    owner, stranger = await gateway.tenant(), await gateway.tenant()
    tool = (await owner.http.post("/v1/tools", json=BODY)).json()
    for path in (f"/v1/tools/{tool['id']}", f"/v1/tools/{NOWHERE}"):
        answers = [
            await stranger.http.get(path),
            await stranger.http.patch(path, json={"description": "x"}),
            await stranger.http.delete(path),
        ]
        assert [error_of(answer)[:2] for answer in answers] == [(404, "NOT_FOUND")] * 3


async def test_an_agent_is_told_which_tool_it_cannot_use(gateway: Gateway) -> None:
    tenant = await gateway.tenant()
    tool = (await tenant.http.post("/v1/tools", json=BODY)).json()
    assert (await tenant.agent(toolIds=[tool["id"]]))["toolIds"] == [tool["id"]]

    answer = await tenant.http.post("/v1/agents", json={"name": "A", "toolIds": [NOWHERE]})

    assert error_of(answer)[:2] == (400, "VALIDATION_ERROR")
    assert answer.json()["error"]["details"][0]["field"] == "toolIds"


async def test_an_unknown_project_has_no_tools(gateway: Gateway) -> None:
    path = f"/admin/v1/projects/{uuid.uuid4()}/tools"

    assert error_of(await gateway.admin.get(path))[:2] == (404, "NOT_FOUND")
    assert error_of(await gateway.admin.post(path, json=BODY))[:2] == (404, "NOT_FOUND")
