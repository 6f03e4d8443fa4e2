"""Phone numbers over HTTP."""

import pytest

from tests.integration.gateway.serving import Gateway, error_of

pytestmark = pytest.mark.integration

NUMBER = "+12015550100"
NOWHERE = "5b710eca-4a0e-4b52-9c53-3b2f6f0f8d11"


async def test_creates_a_number_with_an_agent(gateway: Gateway):
    tenant = await gateway.tenant()
    connection, agent = await tenant.connection(), await tenant.agent()
    answer = await tenant.http.post(
        "/v1/chat/phone-numbers",
        json={"provider": "twilio", "number": "+1 (201) 555-0100", "agentId": agent["id"]},
    )
    assert answer.status_code == 201
    made = answer.json()
    assert made["statusReason"]
    assert made == {
        "id": made["id"],
        "number": NUMBER,
        "provider": "twilio",
        "connectionId": connection["id"],
        "agentId": agent["id"],
        "inBoundAgentId": agent["id"],
        "outBoundAgentId": None,
        "orgId": tenant.organization_id,
        "status": "pending",
        "statusReason": made["statusReason"],
        "createdAt": made["createdAt"],
    }


async def test_a_carrier_connection_is_not_made_implicitly_by_default(gateway: Gateway):
    tenant = await gateway.tenant()
    answer = await tenant.http.post(
        "/v1/chat/phone-numbers", json={"provider": "twilio", "number": NUMBER}
    )
    assert error_of(answer)[:2] == (400, "VALIDATION_ERROR")
    assert answer.json()["error"]["details"][0]["field"] == "connectionId"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"number": "2015550100"}, "number"),
        ({"number": "+1"}, "number"),
        ({"number": "+1201555010x"}, "number"),
        ({"number": "+1201555\u00000100"}, "number"),
        ({"number": 12015550100}, "number"),
        ({"agentId": "x"}, "agentId"),
        ({"agent_id": NOWHERE}, "agent_id"),
        ({"provider": None}, "provider"),
    ],
)
async def test_refuses_a_bad_number(gateway: Gateway, change: dict[str, object], field: str):
    tenant = await gateway.tenant()
    await tenant.connection()
    body = {"provider": "twilio", "number": NUMBER} | change
    answer = await tenant.http.post("/v1/chat/phone-numbers", json=body)
    assert error_of(answer)[:2] == (400, "VALIDATION_ERROR")
    assert answer.json()["error"]["details"][0]["field"] == field
    assert (await tenant.http.get("/v1/chat/phone-numbers")).json()["data"] == []


@pytest.mark.parametrize(
    ("field", "message"),
    [("agentId", "Agent not found."), ("connectionId", "Carrier connection not found.")],
)
async def test_refuses_what_belongs_to_another_project(gateway: Gateway, field: str, message: str):
    owner, stranger = await gateway.tenant(), await gateway.tenant()
    theirs = await owner.agent() if field == "agentId" else await owner.connection()
    await stranger.connection()
    body = {"provider": "twilio", "number": NUMBER, field: theirs["id"]}
    answer = await stranger.http.post("/v1/chat/phone-numbers", json=body)
    assert error_of(answer) == (404, "NOT_FOUND", message)
    assert (await stranger.http.get("/v1/chat/phone-numbers")).json()["data"] == []


async def test_refuses_a_text_only_agent(gateway: Gateway):
    tenant = await gateway.tenant()
    await tenant.connection()
    agent = await tenant.agent(voiceEnabled=False, voicePipelineMode=None)
    body = {"provider": "twilio", "number": NUMBER, "agentId": agent["id"]}
    answer = await tenant.http.post("/v1/chat/phone-numbers", json=body)
    assert error_of(answer) == (
        400,
        "VALIDATION_ERROR",
        "The agent is text-only; it cannot be put on a number.",
    )
    assert answer.json()["error"]["details"][0]["field"] == "agentId"


async def test_a_number_is_on_record_once(gateway: Gateway):
    owner, stranger = await gateway.tenant(), await gateway.tenant()
    for tenant in (owner, stranger):
        await tenant.connection()
    await owner.number()
    answer = await stranger.http.post(
        "/v1/chat/phone-numbers", json={"provider": "twilio", "number": NUMBER}
    )
    assert error_of(answer) == (409, "CONFLICT", "This number is on record already.")


async def test_gets_and_lists_numbers(gateway: Gateway):
    tenant = await gateway.tenant()
    await tenant.connection()
    first, second = await tenant.number(), await tenant.number("+12015550101")
    got = await tenant.http.get(f"/v1/chat/phone-numbers/{first['id']}")
    assert got.json() == first
    listed = (await tenant.http.get("/v1/chat/phone-numbers")).json()
    assert listed["data"] == [second, first]
    assert listed["pagination"]["total"] == 2


@pytest.mark.parametrize("query", ["number=%2B12015550100", "number=+12015550100"])
async def test_finds_a_number_whether_or_not_its_plus_is_escaped(gateway: Gateway, query: str):
    tenant = await gateway.tenant()
    await tenant.connection()
    first = await tenant.number()
    await tenant.number("+12015550101")
    listed = (await tenant.http.get(f"/v1/chat/phone-numbers?{query}")).json()
    assert listed["data"] == [first]


async def test_refuses_a_filter_that_is_no_number(gateway: Gateway):
    tenant = await gateway.tenant()
    answer = await tenant.http.get("/v1/chat/phone-numbers", params={"number": "me"})
    assert error_of(answer)[:2] == (400, "VALIDATION_ERROR")
    assert answer.json()["error"]["details"][0]["field"] == "number"


async def test_assigns_and_unassigns_agents(gateway: Gateway):
    tenant = await gateway.tenant()
    await tenant.connection()
    agent, number = await tenant.agent(), await tenant.number()
    at = f"/v1/chat/phone-numbers/{number['id']}"

    answer = await tenant.http.patch(at, json={"inBoundAgentId": agent["id"]})
    assert answer.status_code == 200
    assert answer.json() == number | {"agentId": agent["id"], "inBoundAgentId": agent["id"]}

    answer = await tenant.http.patch(at, json={"outBoundAgentId": agent["id"]})
    assert answer.json()["inBoundAgentId"] == agent["id"]
    assert answer.json()["outBoundAgentId"] == agent["id"]

    answer = await tenant.http.patch(at, json={"inBoundAgentId": None})
    assert answer.json()["agentId"] is None
    assert answer.json()["outBoundAgentId"] == agent["id"]


async def test_assigning_asks_nothing_of_livekit(gateway: Gateway):
    tenant = await gateway.tenant()
    await tenant.connection()
    agent, number = await tenant.agent(), await tenant.number()
    gateway.trunks.fails_after = 0
    gateway.rooms.unreachable = True
    at = f"/v1/chat/phone-numbers/{number['id']}"
    answer = await tenant.http.patch(at, json={"inBoundAgentId": agent["id"]})
    assert (answer.status_code, answer.json()["inBoundAgentId"]) == (200, agent["id"])


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"inBoundAgentId": "x"}, "inBoundAgentId"),
        ({"inboundAgentId": NOWHERE}, "inboundAgentId"),
        ({"agentId": NOWHERE}, "agentId"),
        ([], ""),
    ],
)
async def test_refuses_a_bad_assignment(gateway: Gateway, body: object, field: str):
    tenant = await gateway.tenant()
    await tenant.connection()
    number = await tenant.number()
    at = f"/v1/chat/phone-numbers/{number['id']}"
    answer = await tenant.http.patch(at, json=body)
    assert error_of(answer)[:2] == (400, "VALIDATION_ERROR")
    assert answer.json()["error"]["details"][0]["field"] == field
    assert (await tenant.http.get(at)).json() == number


async def test_refuses_to_assign_a_text_only_agent(gateway: Gateway):
    tenant = await gateway.tenant()
    await tenant.connection()
    agent = await tenant.agent(voiceEnabled=False, voicePipelineMode=None)
    number = await tenant.number()
    at = f"/v1/chat/phone-numbers/{number['id']}"
    answer = await tenant.http.patch(at, json={"outBoundAgentId": agent["id"]})
    assert error_of(answer)[:2] == (400, "VALIDATION_ERROR")
    assert answer.json()["error"]["details"][0]["field"] == "outBoundAgentId"


async def test_refuses_to_assign_the_agent_of_another_project(gateway: Gateway):
    owner, tenant = await gateway.tenant(), await gateway.tenant()
    await tenant.connection()
    agent, number = await owner.agent(), await tenant.number()
    at = f"/v1/chat/phone-numbers/{number['id']}"
    answer = await tenant.http.patch(at, json={"inBoundAgentId": agent["id"]})
    assert error_of(answer) == (404, "NOT_FOUND", "Agent not found.")
    assert (await tenant.http.get(at)).json() == number


async def test_an_assignment_is_kept_and_pending_while_redis_is_down(
    gateway: Gateway, gateway_without_redis: Gateway
):
    tenant = await gateway.tenant()
    await tenant.connection()
    agent, number = await tenant.agent(), await tenant.number()
    at = f"/v1/chat/phone-numbers/{number['id']}"
    answer = await gateway_without_redis.http.patch(
        at, json={"inBoundAgentId": agent["id"]}, headers={"x-api-key": tenant.key}
    )
    assert (answer.status_code, answer.json()["status"]) == (200, "pending")
    assert "Redis" in answer.json()["statusReason"]
    assert (await tenant.http.get(at)).json()["inBoundAgentId"] == agent["id"]


@pytest.mark.parametrize("spelled", ["+12015550100", "%2B12015550100", "%2B1%20201%20555%200100"])
async def test_deletes_a_number_by_the_number_itself(gateway: Gateway, spelled: str):
    tenant = await gateway.tenant()
    await tenant.connection()
    number = await tenant.number()
    answer = await tenant.http.delete(f"/v1/chat/phone-numbers/{spelled}")
    assert (answer.status_code, answer.json()["id"]) == (200, number["id"])
    again = await tenant.http.delete(f"/v1/chat/phone-numbers/{spelled}")
    assert error_of(again) == (404, "NOT_FOUND", "Phone number not found.")


@pytest.mark.parametrize("spelled", ["12015550100", "x", NOWHERE])
async def test_deletes_nothing_by_what_is_no_number(gateway: Gateway, spelled: str):
    tenant = await gateway.tenant()
    answer = await tenant.http.delete(f"/v1/chat/phone-numbers/{spelled}")
    assert error_of(answer) == (404, "NOT_FOUND", "Phone number not found.")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/chat/phone-numbers/{id}"),
        ("PATCH", "/v1/chat/phone-numbers/{id}"),
        ("DELETE", "/v1/chat/phone-numbers/{number}"),
        ("GET", "/v1/phone-numbers/{number}/explain"),
    ],
)
async def test_the_number_of_another_project_is_not_found(gateway: Gateway, method: str, path: str):
    owner = await gateway.tenant()
    await owner.connection()
    number = await owner.number()
    neighbour = await gateway.tenant(organization_id=owner.organization_id)
    body = {"inBoundAgentId": None} if method == "PATCH" else None
    answer = await neighbour.http.request(method, path.format(**number), json=body)
    assert error_of(answer) == (404, "NOT_FOUND", "Phone number not found.")
    assert (await neighbour.http.get("/v1/chat/phone-numbers")).json()["data"] == []
    got = await owner.http.get(f"/v1/chat/phone-numbers/{number['id']}")
    assert got.status_code == 200


async def test_explains_a_number(gateway: Gateway):
    tenant = await gateway.tenant()
    await tenant.connection()
    await tenant.number()
    answer = await tenant.http.get(f"/v1/phone-numbers/{NUMBER}/explain")
    assert answer.status_code == 200
    body = answer.json()
    assert body.keys() == {"number", "wouldBeAnswered", "sentence", "steps"}
    assert (body["number"], body["wouldBeAnswered"]) == (NUMBER, False)
    assert [step["name"] for step in body["steps"]] == [
        "number",
        "trunk",
        "rule",
        "route",
        "agent",
        "hours",
        "callers",
        "credit",
        "capacity",
        "workers",
    ]
    assert all(step.keys() == {"name", "passed", "sentence"} for step in body["steps"])
    assert body["sentence"] in [step["sentence"] for step in body["steps"] if not step["passed"]]
