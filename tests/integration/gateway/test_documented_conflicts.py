"""Errors that some operations document: no credit left, LiveKit away, names that are taken.

Each is asked for with things that exist, and its body is compared byte for byte.
"""

from typing import Any

import pytest

from dispatch.store.engine import Database
from tests.integration.gateway.everything import TOOL, Everything, one_of_everything
from tests.integration.gateway.serving import Gateway, error_of

pytestmark = pytest.mark.integration

CREDITS = 5_000_000
CALLEE = "+12015550123"


@pytest.fixture
async def things(gateway: Gateway, database: Database) -> Everything:
    tenant = await gateway.tenant(credits_microcredits=CREDITS)
    return await one_of_everything(gateway, database, tenant, "+12015550101")


async def spend(gateway: Gateway, things: Everything) -> None:
    """Take all credits away."""
    at = f"/admin/v1/organizations/{things.organization_id}/credits/adjustments"
    body = {"amountMicrocredits": -CREDITS, "reason": "All of it."}
    answer = await gateway.admin.post(at, json=body)
    assert answer.status_code == 201, answer.text


async def test_without_credit_no_call_is_started(gateway: Gateway, things: Everything):
    await spend(gateway, things)
    http = things.tenant.http
    of_agntix: list[tuple[str, dict[str, Any]]] = [
        (
            f"/api/v1/phone-numbers/{things.number_id}/calls/start",
            {"to_phone_number": CALLEE},
        ),
        (
            "/v1/chat/phone-numbers/outbound/call",
            {"phoneNumberId": things.number_id, "to": CALLEE, "agentId": things.agent_id},
        ),
    ]
    for path, body in of_agntix:
        answer = await http.post(path, json=body)
        assert error_of(answer) == (402, "INSUFFICIENT_CREDITS", "Insufficient credits.")
    body = {"to_number": CALLEE, "from_number": things.phone_number}
    answer = await http.post("/telephony/outbound-call", json=body)
    assert (answer.status_code, answer.content) == (
        402,
        b'{"detail":"Insufficient balance to make call"}',
    )


async def test_without_credit_no_message_is_answered(gateway: Gateway, things: Everything):
    await spend(gateway, things)
    path = f"/v1/chat/chat/sessions/{things.chat_session_id}/messages"
    answer = await things.tenant.http.post(path, json={"content": "Hello?"})
    assert error_of(answer) == (402, "INSUFFICIENT_CREDITS", "Insufficient credits.")


async def test_without_livekit_rooms_are_out_of_sight(gateway: Gateway, things: Everything):
    gateway.rooms.unreachable = True
    http = things.tenant.http
    words = b'{"error":"LiveKit could not do what was asked.","code":"BAD_GATEWAY"}'
    for path in ("/api/v1/rooms", f"/api/v1/rooms/{things.full_room_name}/participants"):
        answer = await http.get(path)
        assert (answer.status_code, answer.content) == (502, words)
    body = {"identity": "ann", "room": "another", "agent_config_id": things.config_id}
    answer = await http.post("/api/v1/token", json=body)
    assert answer.status_code == 502
    assert answer.json()["code"] == "BAD_GATEWAY"


@pytest.mark.parametrize("path", ["/v1/tools", "/v1/chat/tools"])
async def test_a_tool_takes_no_name_of_another(gateway: Gateway, things: Everything, path: str):
    other = await things.tenant.http.post("/v1/tools", json=TOOL | {"name": "another"})
    assert other.status_code == 201, other.text
    of_project = f"/admin/v1/projects/{things.project_id}/tools"
    for http, at in ((things.tenant.http, path), (gateway.admin, of_project)):
        answer = await http.patch(f"{at}/{other.json()['id']}", json={"name": TOOL["name"]})
        status, code, message = error_of(answer)
        assert (status, code) == (409, "CONFLICT")
        assert message.startswith("The project has a tool")


async def test_no_two_organisations_have_one_name_at_the_identity_provider(
    gateway: Gateway, things: Everything
):
    at = f"/admin/v1/organizations/{things.organization_id}"
    named = await gateway.admin.patch(at, json={"externalId": "org_a"})
    assert named.status_code == 200, named.text
    body = {"name": "Another", "externalId": "org_a"}
    created = await gateway.admin.post("/admin/v1/organizations", json=body)
    other = await gateway.admin.post("/admin/v1/organizations", json={"name": "Another"})
    changed = await gateway.admin.patch(
        f"/admin/v1/organizations/{other.json()['id']}", json={"externalId": "org_a"}
    )
    assert error_of(created)[:2] == error_of(changed)[:2] == (409, "CONFLICT")
    assert error_of(created)[2] == error_of(changed)[2]
