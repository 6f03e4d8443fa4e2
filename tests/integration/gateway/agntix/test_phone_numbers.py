"""Agntix's other ways to a number's agents; the usual one is tested for all faces together."""

from typing import Any

import pytest

from tests.integration.gateway.serving import Gateway, Tenant, error_of

pytestmark = pytest.mark.integration

NUMBERS = "/v1/chat/phone-numbers"
MAP = f"{NUMBERS}/map-agent"
MAPPINGS = f"{NUMBERS}/agents/mappings"
NOWHERE = "5b710eca-4a0e-4b52-9c53-3b2f6f0f8d11"
NUMBER = "+12015550100"


@pytest.fixture
async def tenant(gateway: Gateway) -> Tenant:
    return await gateway.tenant()


async def mapped(tenant: Tenant, agent: dict[str, Any], kind: str = "inbound") -> dict[str, Any]:
    body = {"type": kind, "phoneNumber": NUMBER, "agentId": agent["id"]}
    answer = await tenant.http.post(MAP, json=body)
    assert answer.status_code == 200, answer.text
    number: dict[str, Any] = answer.json()
    return number


async def test_a_number_that_is_not_there_is_created(tenant: Tenant):
    connection = await tenant.connection()
    agent = await tenant.agent()
    number = await mapped(tenant, agent)
    assert (number["number"], number["provider"]) == (NUMBER, "twilio")
    assert number["connectionId"] == connection["id"]
    assert (number["inBoundAgentId"], number["outBoundAgentId"]) == (agent["id"], None)


async def test_each_direction_has_its_own_agent(tenant: Tenant):
    await tenant.connection()
    answering, calling = await tenant.agent(), await tenant.agent()
    first = await mapped(tenant, answering)
    second = await mapped(tenant, calling, "outbound")
    assert second["id"] == first["id"]
    assert second["inBoundAgentId"] == answering["id"]
    assert second["outBoundAgentId"] == calling["id"]


async def test_mappings_are_of_the_projects_numbers_only(gateway: Gateway, tenant: Tenant):
    await tenant.connection()
    agent = await tenant.agent()
    number = await mapped(tenant, agent)
    stranger = await gateway.tenant()
    await stranger.connection()
    await stranger.number("+12015550101")
    body = {"phoneNumbers": [NUMBER, "+12015550101", "+12015550102"]}
    answer = await tenant.http.post(MAPPINGS, json=body)
    assert answer.json() == {
        "data": [
            {
                "phoneNumber": NUMBER,
                "phoneNumberId": number["id"],
                "inBoundAgentId": agent["id"],
                "outBoundAgentId": None,
            }
        ],
        "pagination": {"page": 1, "limit": 20, "total": 1, "totalPages": 1},
    }


async def test_numbers_to_call_from_are_listed_as_items(tenant: Tenant):
    await tenant.connection()
    first, second = await tenant.number(), await tenant.number("+12015550101")
    items = (await tenant.http.get("/api/v1/phone-numbers")).json()
    expected = [
        {
            "id": number["id"],
            "phone_number": number["number"],
            "provider": "twilio",
            "label": number["number"],
        }
        for number in (second, first)
    ]
    assert items == {"items": expected}
    page = await tenant.http.get("/api/v1/phone-numbers", params={"size": 1})
    assert page.json() == {"items": expected[:1]}


async def test_numbers_are_listed_in_the_order_that_is_asked_for(tenant: Tenant):
    await tenant.connection()
    await tenant.number("+12015550101")
    await tenant.number()
    listed = (await tenant.http.get(NUMBERS, params={"sort": "number:desc"})).json()["data"]
    assert [each["number"] for each in listed] == ["+12015550101", NUMBER]


@pytest.mark.parametrize(("connections", "why"), [(0, "no carrier"), (2, "several carrier")])
async def test_a_number_needs_to_be_told_how_it_comes_in(
    tenant: Tenant, connections: int, why: str
):
    for index in range(connections):
        await tenant.connection(name=f"Trunk {index}")
    agent = await tenant.agent()
    body = {"type": "inbound", "phoneNumber": NUMBER, "agentId": agent["id"]}
    answer = await tenant.http.post(MAP, json=body)
    noun = "connection" if connections == 0 else "connections"
    message = (
        f"The project does not have this number yet, and {why} {noun} for it: create it with"
        " POST /v1/chat/phone-numbers."
    )
    assert error_of(answer) == (400, "VALIDATION_ERROR", message)
    assert answer.json()["error"]["details"][0]["field"] == "phoneNumber"


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        (
            {"type": "both"},
            (400, "VALIDATION_ERROR", "type: Input should be 'inbound' or 'outbound'."),
        ),
        ({"agentId": None}, (400, "VALIDATION_ERROR", "agentId must be a UUID.")),
        ({"agentId": NOWHERE}, (404, "NOT_FOUND", "Agent not found.")),
    ],
)
async def test_what_is_wrong_is_said(
    tenant: Tenant, fields: dict[str, Any], error: tuple[int, str, str]
):
    await tenant.connection()
    await tenant.number()
    body = {"type": "inbound", "phoneNumber": NUMBER, "agentId": NOWHERE, **fields}
    answer = await tenant.http.post(MAP, json=body)
    assert error_of(answer) == error


async def test_no_number_is_created_for_an_agent_that_cannot_have_it(tenant: Tenant):
    await tenant.connection()
    agent = await tenant.agent(voiceEnabled=False)
    for kind in ("inbound", "outbound"):
        body = {"type": kind, "phoneNumber": NUMBER, "agentId": agent["id"]}
        assert (await tenant.http.post(MAP, json=body)).status_code == 400
    assert (await tenant.http.get(NUMBERS)).json()["data"] == []


async def test_a_number_is_made_and_mapped_in_one_change(gateway: Gateway, tenant: Tenant):
    await tenant.connection()
    agent = await tenant.agent()
    number = await mapped(tenant, agent, "outbound")
    assert (number["inBoundAgentId"], number["outBoundAgentId"]) == (None, agent["id"])
    log = await gateway.admin.get("/admin/v1/audit-log", params={"targetId": number["id"]})
    changes = log.json()["data"]
    assert [change["action"] for change in changes] == ["number.created"]
    assert changes[0]["after"]["outbound_agent_id"] == agent["id"]


async def test_an_agent_that_only_writes_is_put_on_no_number(tenant: Tenant):
    await tenant.connection()
    await tenant.number()
    agent = await tenant.agent(voiceEnabled=False)
    body = {"type": "outbound", "phoneNumber": NUMBER, "agentId": agent["id"]}
    answer = await tenant.http.post(MAP, json=body)
    message = "The agent is text-only; it cannot be put on a number."
    assert error_of(answer) == (400, "VALIDATION_ERROR", message)
    assert answer.json()["error"]["details"] == [{"field": "agentId", "message": message}]


async def test_another_projects_number_is_taken(gateway: Gateway, tenant: Tenant):
    stranger = await gateway.tenant()
    await stranger.connection()
    await stranger.number()
    await tenant.connection()
    agent = await tenant.agent()
    body = {"type": "inbound", "phoneNumber": NUMBER, "agentId": agent["id"]}
    answer = await tenant.http.post(MAP, json=body)
    assert error_of(answer) == (409, "CONFLICT", "This number is on record already.")
