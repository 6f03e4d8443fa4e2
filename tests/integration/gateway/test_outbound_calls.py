"""Calls are placed over three APIs; what they become is tested below them."""

import uuid
from typing import Any

import pytest

from tests.integration.gateway.serving import Gateway, Tenant, error_of

pytestmark = pytest.mark.integration

OURS, THEIRS = "+12015550100", "+12015550123"
NOWHERE = str(uuid.uuid4())


async def callers(gateway: Gateway, **tenant: Any) -> tuple[Tenant, str, dict[str, Any]]:
    """A tenant with a number that can call out, the number's id and its outbound agent."""
    made = await gateway.tenant(credits_microcredits=10_000_000, **tenant)
    agent = await made.agent()
    connection = await made.connection()
    path = f"/v1/carrier-connections/{connection['id']}/termination"
    answer = await made.http.put(path, json={"uri": "sip.example.com", "callsPerSecond": 1})
    assert answer.status_code == 200, answer.text
    number = await made.number(OURS, connectionId=connection["id"])
    await made.http.patch(
        f"/v1/chat/phone-numbers/{number['id']}", json={"outBoundAgentId": agent["id"]}
    )
    return made, number["id"], agent


async def test_a_termination_is_answered_without_its_password(gateway: Gateway) -> None:
    tenant = await gateway.tenant()
    connection = await tenant.connection()
    path = f"/v1/carrier-connections/{connection['id']}/termination"
    body = {"uri": "sip:SIP.Example.com:5061", "username": "us", "password": "hunter2-hunter2"}
    answer = await tenant.http.put(path, json=body)
    assert answer.json() == {
        "uri": "sip.example.com:5061",
        "username": "us",
        "callsPerSecond": None,
        "maxOutboundCalls": None,
    }


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"uri": "sip:user@host"}, "uri"),
        ({"uri": "host:0"}, "uri"),
        ({"uri": "host:70000"}, "uri"),
        ({"password": "secret"}, "username"),
        ({"username": "a\r\nb"}, "username"),
        ({"callsPerSecond": 0}, "callsPerSecond"),
        ({"maxOutboundCalls": True}, "maxOutboundCalls"),
    ],
)
async def test_a_termination_that_cannot_be_meant_is_refused(
    gateway: Gateway, change: dict[str, Any], field: str
) -> None:
    tenant = await gateway.tenant()
    connection = await tenant.connection()
    path = f"/v1/carrier-connections/{connection['id']}/termination"
    answer = await tenant.http.put(path, json={"uri": "sip.example.com", **change})
    assert answer.status_code == 400
    assert answer.json()["error"]["details"][0]["field"] == field


async def test_a_call_is_placed_once_under_one_key_and_cancelled(gateway: Gateway) -> None:
    tenant, _, agent = await callers(gateway)
    body = {"from": OURS, "to": THEIRS, "metadata": {"ticket": 7}}
    headers = {"Idempotency-Key": "the-same"}
    first = await tenant.http.post("/v1/calls", json=body, headers=headers)
    again = await tenant.http.post("/v1/calls", json=body, headers=headers)
    assert first.status_code == 201
    call = first.json()
    assert again.json() == call
    assert (call["from"], call["to"], call["state"]) == (OURS, THEIRS, "queued")
    assert call["agentId"] == agent["id"]

    record = (await tenant.http.get(f"/v1/calls/{call['id']}")).json()
    assert (record["state"], record["direction"]) == ("queued", "outbound")
    assert record["sentence"] == "The call waits for its turn."

    answer = await tenant.http.post(f"/v1/calls/{call['id']}/cancel")
    assert (answer.status_code, answer.json()["state"]) == (200, "missed")
    record = (await tenant.http.get(f"/v1/calls/{call['id']}")).json()
    assert (record["endReason"], record["sentence"]) == (
        "cancelled",
        "Cancelled before the answer.",
    )


async def test_a_call_that_was_due_long_ago_is_refused(gateway: Gateway) -> None:
    tenant, *_ = await callers(gateway)
    body = {"from": OURS, "to": THEIRS, "scheduledAt": "2020-01-01T09:00:00Z"}
    answer = await tenant.http.post("/v1/calls", json=body)
    sentence = "scheduledAt is more than 5 minutes in the past; leave it out to call now."
    assert error_of(answer) == (400, "VALIDATION_ERROR", sentence)
    assert answer.json()["error"]["details"] == [{"field": "scheduledAt", "message": sentence}]


async def test_agntix_starts_calls_in_both_its_spellings(gateway: Gateway) -> None:
    tenant, number_id, agent = await callers(gateway)
    body = {"phoneNumberId": number_id, "to": THEIRS, "agentId": agent["id"]}
    answer = await tenant.http.post("/v1/chat/phone-numbers/outbound/call", json=body)
    assert answer.status_code == 201
    assert answer.json() == {"callId": answer.json()["callId"], "status": "INITIATED"}

    body = {"to_phone_number": THEIRS, "ttl": 600, "session_variables": {"name": "Ada"}}
    path = f"/api/v1/phone-numbers/{number_id}/calls/start"
    answer = await tenant.http.post(path, json=body)
    assert answer.status_code == 200
    session_id = answer.json()["sessionId"]
    assert (await tenant.http.get(f"/v1/calls/{session_id}")).json()["state"] == "queued"

    answer = await tenant.http.post(path.replace(number_id, NOWHERE), json=body)
    assert error_of(answer)[:2] == (404, "NOT_FOUND")


async def test_agntix_names_what_is_wrong_with_a_call_as_each_spelling_does(
    gateway: Gateway,
) -> None:
    tenant, number_id, agent = await callers(gateway)
    silent = await tenant.connection()
    number = await tenant.number("+12015550101", connectionId=silent["id"])
    without_carrier = number["id"]

    async def named(path: str, body: dict[str, Any]) -> list[str]:
        answer = await tenant.http.post(path, json=body)
        assert answer.status_code == 400, answer.text
        return [detail["field"] for detail in answer.json()["error"]["details"]]

    body = {"phoneNumberId": without_carrier, "to": THEIRS, "agentId": agent["id"]}
    assert await named("/v1/chat/phone-numbers/outbound/call", body) == ["phoneNumberId"]
    path = f"/api/v1/phone-numbers/{without_carrier}/calls/start"
    assert await named(path, {"to_phone_number": THEIRS}) == ["phone_number_id"]

    path = f"/api/v1/phone-numbers/{number_id}/calls/start"
    assert await named(path, {"to_phone_number": OURS}) == ["to_phone_number"]
    long = {"long": "x" * 17_000}
    assert await named(path, {"to_phone_number": THEIRS, "session_variables": long}) == [
        "session_variables"
    ]

    await tenant.http.patch(f"/v1/agents/{agent['id']}", json={"voiceEnabled": False})
    assert await named(path, {"to_phone_number": THEIRS, "agent_id": agent["id"]}) == ["agent_id"]
    body = {"phoneNumberId": number_id, "to": THEIRS, "agentId": agent["id"]}
    assert await named("/v1/chat/phone-numbers/outbound/call", body) == ["agentId"]


async def test_talkifai_starts_calls_and_refuses_in_its_own_words(gateway: Gateway) -> None:
    tenant, number_id, agent = await callers(gateway)
    path, body = "/telephony/outbound-call", {"to_number": THEIRS, "from_number": OURS}
    answer = await tenant.http.post(path, json=body)
    assert answer.status_code == 200
    assert answer.json() == {
        "success": True,
        "message": "Call initiated",
        "room_name": answer.json()["room_name"],
        "agent": {"id": agent["id"], "name": "Reception"},
        "from_number": OURS,
        "to_number": THEIRS,
    }

    async def refused(**change: Any) -> tuple[int, str]:
        answer = await tenant.http.post(path, json=body | change)
        return answer.status_code, answer.json()["detail"]

    assert await refused(to_number="12") == (400, "Invalid phone number format")
    missing = "Phone number {} not found or has no outbound agent assigned"
    other = "+12015550199"
    assert await refused(from_number=other) == (404, missing.format(other))
    assert await refused(to_number="+19005550123") == (
        400,
        "The target is a premium rate number.",
    )
    await tenant.http.patch(f"/v1/agents/{agent['id']}", json={"voiceEnabled": False})
    assert await refused() == (
        400,
        "Agent 'Reception' is a text-only agent and cannot make voice calls",
    )
    await tenant.http.patch(f"/v1/chat/phone-numbers/{number_id}", json={"outBoundAgentId": None})
    assert await refused() == (404, missing.format(OURS))


async def test_a_call_costs_credit_that_must_be_there(gateway: Gateway) -> None:
    tenant, *_ = await callers(gateway)
    poor = await gateway.tenant()
    agent = await poor.agent()
    connection = await poor.connection()
    at = f"/v1/carrier-connections/{connection['id']}/termination"
    await poor.http.put(at, json={"uri": "sip.example.com"})
    number = "+12015550101"
    await poor.number(number, connectionId=connection["id"])
    body = {"from": number, "to": THEIRS, "agentId": agent["id"]}
    answer = await poor.http.post("/v1/calls", json=body)
    assert error_of(answer)[:2] == (402, "INSUFFICIENT_CREDITS")
    answer = await tenant.http.post("/v1/calls", json=body)
    assert error_of(answer)[:2] == (404, "NOT_FOUND")
