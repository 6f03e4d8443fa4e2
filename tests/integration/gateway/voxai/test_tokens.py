"""VoxAI's `POST /api/v1/token`."""

import pytest
from livekit import api

from dispatch.calls import CallEnd
from dispatch.store.redis_client import RedisClient
from telephony.calls import EndedBy, EndReason
from tests.builders.live_calls import live_calls
from tests.fakes.livekit_rooms import API_KEY, API_SECRET
from tests.integration.gateway.serving import LIVEKIT_URL, Gateway, Tenant

pytestmark = pytest.mark.integration


def prefixed(tenant: Tenant, room: str) -> str:
    """Return a room's name in full."""
    return f"proj_{tenant.project_id.replace('-', '')}_{room}"


def grants_of(token: str) -> api.VideoGrants:
    """Return what a token allows."""
    granted = api.TokenVerifier(API_KEY, API_SECRET).verify(token).video
    assert granted
    return granted


async def ready(gateway: Gateway) -> tuple[Tenant, int]:
    """Return a tenant with credit, and the small number of its agent."""
    tenant = await gateway.tenant(credits_microcredits=10_000_000)
    agent = await tenant.agent()
    return tenant, agent["configId"]


async def test_returns_a_token_for_a_room_with_the_projects_prefix(gateway: Gateway):
    tenant = await gateway.tenant()
    answer = await tenant.http.post("/api/v1/token", json={"identity": "user-1", "room": "my-room"})
    body = answer.json()
    assert answer.status_code == 200
    assert body == {
        "token": body["token"],
        "room": prefixed(tenant, "my-room"),
        "wsUrl": LIVEKIT_URL,
        "agents_dispatched": [],
    }
    granted = grants_of(body["token"])
    assert (granted.room, granted.room_join) == (prefixed(tenant, "my-room"), True)
    assert not granted.room_admin
    assert not granted.hidden


async def test_sends_an_agent_by_its_small_number(gateway: Gateway):
    tenant, config_id = await ready(gateway)
    body = {"identity": "user-1", "room": "my-room", "agent_config_id": config_id}
    answer = await tenant.http.post("/api/v1/token", json=body)
    assert answer.json()["agents_dispatched"] == [config_id]
    assert gateway.rooms.specs[prefixed(tenant, "my-room")].worker_name == "dialplane"


async def test_sends_no_second_agent_to_a_client_that_comes_back(gateway: Gateway):
    tenant, config_id = await ready(gateway)
    body = {"identity": "user-1", "room": "my-room", "agent_config_id": config_id}
    await tenant.http.post("/api/v1/token", json=body)
    again = await tenant.http.post("/api/v1/token", json=body)
    assert again.status_code == 200
    assert again.json()["agents_dispatched"] == []
    assert grants_of(again.json()["token"]).room == prefixed(tenant, "my-room")


async def test_sends_an_agent_again_once_the_call_in_the_room_is_over(
    gateway: Gateway, redis: RedisClient
):
    tenant, config_id = await ready(gateway)
    body = {"identity": "user-1", "room": "my-room", "agent_config_id": config_id}
    await tenant.http.post("/api/v1/token", json=body)
    session = await gateway.services.voice_sessions.find(prefixed(tenant, "my-room"))
    assert session
    await live_calls(redis).end(session.call_id, CallEnd(EndedBy.CALLER, EndReason.HANG_UP))
    await gateway.rooms.delete_room(session.room_name)
    again = await tenant.http.post("/api/v1/token", json=body)
    assert again.json()["agents_dispatched"] == [config_id]
    assert gateway.rooms.specs[session.room_name].worker_name == "dialplane"


async def test_sends_an_agent_into_a_room_that_is_open_already(gateway: Gateway):
    tenant, config_id = await ready(gateway)
    gateway.rooms.open_sip_room(prefixed(tenant, "my-room"))
    body = {"identity": "user-1", "room": "my-room", "agent_config_id": config_id}
    answer = await tenant.http.post("/api/v1/token", json=body)
    assert answer.json()["agents_dispatched"] == [config_id]
    assert gateway.rooms.dispatched == [prefixed(tenant, "my-room")]


async def test_gives_each_of_several_agents_a_seat_and_a_call(gateway: Gateway):
    tenant, first = await ready(gateway)
    second = (await tenant.agent(name="Interpreter"))["configId"]
    body = {"identity": "user-1", "room": "my-room", "agent_config_ids": [first, second]}
    answer = await tenant.http.post("/api/v1/token", json=body)
    room = prefixed(tenant, "my-room")
    assert answer.json()["agents_dispatched"] == [first, second]
    assert gateway.rooms.specs[room].job_metadata == str(first)
    assert gateway.rooms.seats[room] == [str(first), str(second)]
    sessions = [await gateway.services.voice_sessions.find(room, str(n)) for n in (first, second)]
    assert all(sessions)
    assert len({session.call_id for session in sessions if session}) == 2


async def test_knows_the_agents_it_is_asked_for_when_it_remembers_too_many(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("dispatch.rooms._MOST_CONFIG_IDS", 1)
    tenant, first = await ready(gateway)
    second = (await tenant.agent(name="Interpreter"))["configId"]
    for number, asked in enumerate(([first], [first, second])):
        body = {"identity": "user-1", "room": f"room-{number}", "agent_config_ids": asked}
        answer = await tenant.http.post("/api/v1/token", json=body)
        assert answer.json()["agents_dispatched"] == asked


async def test_an_agent_of_another_project_is_not_found_and_nothing_happens(gateway: Gateway):
    tenant = await gateway.tenant()
    _, config_id = await ready(gateway)
    body = {"identity": "user-1", "room": "my-room", "agent_config_id": config_id}
    answer = await tenant.http.post("/api/v1/token", json=body)
    assert (answer.status_code, answer.json()) == (
        404,
        {"error": "Agent not found.", "code": "NOT_FOUND"},
    )
    assert not gateway.rooms.rooms


async def test_refuses_an_agent_without_credit(gateway: Gateway):
    tenant = await gateway.tenant()
    config_id = (await tenant.agent())["configId"]
    body = {"identity": "user-1", "room": "my-room", "agent_config_id": config_id}
    answer = await tenant.http.post("/api/v1/token", json=body)
    assert (answer.status_code, answer.json()["code"]) == (402, "INSUFFICIENT_CREDITS")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"room": "r"}, "identity"),
        ({"identity": "u"}, "room"),
        ({"identity": "", "room": "r"}, "identity"),
        ({"identity": "u", "room": "a\nb"}, "room"),
        ({"identity": "u", "room": "r", "agent_config_id": "1"}, "agent_config_id"),
        ({"identity": "u", "room": "r", "agent_config_id": 2**40}, "agent_config_id"),
        ({"identity": "u", "room": "r", "agent_config_id": True}, "agent_config_id"),
        ({"identity": "u", "room": "r", "no_agent": True, "agent_config_id": 1}, "no_agent"),
        ({"identity": "u", "room": "r", "grants": {"roomCreate": True}}, "grants.roomCreate"),
        ({"identity": "u", "room": "r", "grants": {"room": "other"}}, "grants.room"),
        ({"identity": "u", "room": "r", "grants": {"roomJoin": False}}, "grants.roomJoin"),
        ({"identity": "u", "room": "r", "color": "red"}, "color"),
    ],
)
async def test_names_the_field_that_is_wrong(gateway: Gateway, body: dict[str, object], field: str):
    tenant = await gateway.tenant()
    answer = await tenant.http.post("/api/v1/token", json=body)
    assert (answer.status_code, answer.json()["code"]) == (400, "INVALID_REQUEST")
    assert list(answer.json()["details"]) == [field]


async def test_names_the_field_of_an_agent_that_cannot_speak(gateway: Gateway):
    tenant = await gateway.tenant(credits_microcredits=10_000_000)
    config_id = (await tenant.agent(voiceEnabled=False))["configId"]
    body = {"identity": "user-1", "room": "my-room", "agent_config_id": config_id}
    answer = await tenant.http.post("/api/v1/token", json=body)
    why = "The agent is inactive or not enabled for voice."
    assert (answer.status_code, answer.json()) == (
        400,
        {"error": why, "code": "INVALID_REQUEST", "details": {"agent_config_id": why}},
    )


async def test_names_a_wrong_header_as_it_was_sent(gateway: Gateway):
    tenant = await gateway.tenant()
    body = {"identity": "user-1", "room": "my-room"}
    answer = await tenant.http.post("/api/v1/token", json=body, headers={"Idempotency-Key": ""})
    why = "Idempotency-Key: must have 1 to 255 visible ASCII characters."
    assert (answer.status_code, answer.json()["details"]) == (400, {"Idempotency-Key": why})


async def test_takes_the_grants_that_a_plain_token_of_livekit_names(gateway: Gateway):
    tenant = await gateway.tenant()
    plain = {"roomJoin": True, "canPublish": True, "canSubscribe": True}
    body = {"identity": "u", "room": "r", "grants": plain}
    granted = grants_of((await tenant.http.post("/api/v1/token", json=body)).json()["token"])
    assert (granted.room_join, granted.room) == (True, prefixed(tenant, "r"))


async def test_gives_more_grants_to_a_key_that_may_give_them(gateway: Gateway):
    tenant = await gateway.tenant()
    body = {"identity": "u", "room": "r", "grants": {"hidden": True, "canPublish": False}}
    granted = grants_of((await tenant.http.post("/api/v1/token", json=body)).json()["token"])
    assert (granted.hidden, granted.can_publish, granted.can_subscribe) == (True, False, True)


async def test_asks_for_a_key(gateway: Gateway):
    answer = await gateway.http.post("/api/v1/token", json={})
    assert (answer.status_code, answer.json()) == (
        401,
        {"error": "Authentication required.", "code": "UNAUTHORIZED"},
    )
