"""How a number behaves, set over HTTP: judged, audited, and live for the next call."""

from typing import Any

import pytest

from dispatch.routes import Routes
from dispatch.store.redis_client import RedisClient
from gateway.faces.native.schemas.number_behaviour import BEHAVIOUR_EXAMPLE
from telephony.e164 import parse_e164
from tests.integration.gateway.serving import Gateway, Tenant, error_of

pytestmark = pytest.mark.integration

NUMBER = "+12015550100"
PATH = f"/v1/phone-numbers/{NUMBER}/behaviour"
PLAIN = {
    "number": NUMBER,
    "openingHours": None,
    "afterHours": None,
    "fallbackNumber": None,
    "allowedCallers": [],
    "blockedCallers": [],
    "statusReason": None,
}


@pytest.fixture
async def owner(gateway: Gateway) -> Tenant:
    tenant = await gateway.tenant()
    await tenant.connection()
    await tenant.number(NUMBER)
    return tenant


async def changed(tenant: Tenant, path: str = PATH, **body: Any) -> dict[str, Any]:
    answer = await tenant.http.patch(path, json=body)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


async def test_a_new_number_does_nothing_beside_letting_its_agent_answer(owner: Tenant):
    assert (await owner.http.get(PATH)).json() == PLAIN


async def test_what_was_set_is_answered_kept_and_in_the_route_of_the_next_call(
    owner: Tenant, redis: RedisClient
):
    answer = await changed(owner, **BEHAVIOUR_EXAMPLE)

    assert answer == PLAIN | _written_out(BEHAVIOUR_EXAMPLE)
    assert (await owner.http.get(PATH)).json() == answer
    route = await Routes(redis).get_route(parse_e164(NUMBER))
    assert route is not None
    assert route.behaviour is not None
    assert route.behaviour.opening_hours is not None
    assert route.behaviour.opening_hours.time_zone == "Europe/Berlin"


async def test_null_clears_a_field_and_an_absent_one_stays(owner: Tenant, redis: RedisClient):
    await changed(owner, fallbackNumber="+12015550177", blockedCallers=["anonymous"])

    kept = await changed(owner, blockedCallers=None)
    plain = await changed(owner, fallbackNumber=None)

    assert kept == PLAIN | {"fallbackNumber": "+12015550177"}
    assert plain == PLAIN
    route = await Routes(redis).get_route(parse_e164(NUMBER))
    assert route is not None
    assert route.behaviour is None


async def test_assigning_an_agent_keeps_the_behaviour(owner: Tenant, redis: RedisClient):
    await changed(owner, blockedCallers=["anonymous"])
    agent = await owner.agent()
    number = (await owner.http.get("/v1/chat/phone-numbers")).json()["data"][0]
    await owner.http.patch(
        f"/v1/chat/phone-numbers/{number['id']}", json={"inBoundAgentId": agent["id"]}
    )

    route = await Routes(redis).get_route(parse_e164(NUMBER))

    assert route is not None
    assert str(route.agent_id) == agent["id"]
    assert route.behaviour is not None
    assert route.behaviour.blocked_callers == ("anonymous",)


async def test_a_change_is_in_the_audit_log_with_what_it_changed(gateway: Gateway, owner: Tenant):
    await changed(owner, blockedCallers=["+1900*"])

    entries = await gateway.admin.get("/admin/v1/audit-log", params={"projectId": owner.project_id})
    last = entries.json()["data"][0]
    assert (last["action"], last["targetType"]) == ("number.behaviour_changed", "number")
    assert last["before"] == {"blocked_callers": []}
    assert last["after"] == {"blocked_callers": ["+1900*"]}


async def test_an_agent_takes_calls_after_hours_if_it_is_this_projects_and_can_speak(
    gateway: Gateway, owner: Tenant
):
    stranger = await gateway.tenant()
    speaks, writes = await owner.agent(), await owner.agent(voiceEnabled=False)
    theirs = await stranger.agent()

    answer = await changed(owner, afterHours={"action": "agent", "agentId": speaks["id"]})
    assert answer["afterHours"] == {"action": "agent", "agentId": speaks["id"]}

    for agent, expected in (
        (theirs, (404, "NOT_FOUND", "Agent not found.")),
        (
            writes,
            (400, "VALIDATION_ERROR", "The agent is text-only; it cannot be put on a number."),
        ),
    ):
        after = {"action": "agent", "agentId": agent["id"]}
        refused = await owner.http.patch(PATH, json={"afterHours": after})
        assert error_of(refused) == expected


@pytest.mark.parametrize(
    ("field", "body", "sentence"),
    [
        ("fallbackNumber", {"fallbackNumber": NUMBER}, "cannot pass calls on to itself"),
        ("fallbackNumber", {"fallbackNumber": "+19005550123"}, "premium rate"),
        ("fallbackNumber", {"fallbackNumber": "+870773111632"}, "satellite"),
        (
            "afterHours.to",
            {"afterHours": {"action": "transfer", "to": "+19005550123"}},
            "premium rate",
        ),
        ("blockedCallers.0", {"blockedCallers": ["2015550123"]}, "pattern"),
        ("openingHours.timeZone", {"openingHours": {"timeZone": "Mars/Base"}}, "IANA"),
        (
            "openingHours.holidays.country",
            {"openingHours": {"timeZone": "UTC", "holidays": {"country": "ZZ"}}},
            "no country of this code",
        ),
        ("afterHours", {"afterHours": {"action": "voicemail"}}, "action"),
        ("hours", {"hours": None}, "not a known field"),
    ],
)
async def test_what_no_call_could_follow_is_refused_with_a_sentence(
    owner: Tenant, field: str, body: dict[str, Any], sentence: str
):
    refused = await owner.http.patch(PATH, json=body)

    assert error_of(refused)[:2] == (400, "VALIDATION_ERROR")
    detail = refused.json()["error"]["details"][0]
    assert detail["field"] == field
    assert sentence in detail["message"]
    assert (await owner.http.get(PATH)).json() == PLAIN


async def test_numbers_do_not_pass_calls_round_in_a_circle(owner: Tenant):
    second, third = "+12015550101", "+12015550102"
    for number in (second, third):
        await owner.number(number)
    at = "/v1/phone-numbers/{}/behaviour"
    await changed(owner, at.format(NUMBER), fallbackNumber=second)
    await changed(owner, at.format(second), afterHours={"action": "transfer", "to": third})

    refused = await owner.http.patch(at.format(third), json={"fallbackNumber": NUMBER})

    assert error_of(refused)[0] == 400
    assert "would loop" in error_of(refused)[2]


async def test_anothers_number_is_not_there(gateway: Gateway, owner: Tenant):
    stranger = await gateway.tenant()

    for answer in (
        await stranger.http.get(PATH),
        await stranger.http.patch(PATH, json={"fallbackNumber": None}),
    ):
        assert error_of(answer) == (404, "NOT_FOUND", "Phone number not found.")


async def test_the_explanation_says_until_when_it_is_closed(owner: Tenant):
    closed = {"timeZone": "Europe/Berlin", "weekly": []}
    await changed(owner, openingHours=closed, blockedCallers=["anonymous"])

    told = (await owner.http.get(f"/v1/phone-numbers/{NUMBER}/explain")).json()

    steps = {step["name"]: step for step in told["steps"]}
    assert steps["hours"] == {
        "name": "hours",
        "passed": False,
        "sentence": "It is closed for good (Europe/Berlin): calls are not answered.",
    }
    assert steps["callers"]["sentence"] == "Callers on the list of 1 are blocked."


def _written_out(example: dict[str, Any]) -> dict[str, Any]:
    """Return the example with what an answer adds to it."""
    hours = example["openingHours"]
    exceptions = [{"hours": [], **each} for each in hours["exceptions"]]
    return example | {"openingHours": hours | {"exceptions": exceptions}}
