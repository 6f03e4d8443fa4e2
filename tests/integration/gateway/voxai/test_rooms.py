"""VoxAI's rooms, and the sessions held in them."""

import math
from datetime import UTC, datetime

import pytest

from telephony.ports import ObservedParticipant
from tests.integration.gateway.serving import Gateway, Tenant

pytestmark = pytest.mark.integration


def prefixed(tenant: Tenant, room: str) -> str:
    """Return a room's name in full."""
    return f"proj_{tenant.project_id.replace('-', '')}_{room}"


async def started(tenant: Tenant, room: str = "my-room") -> dict[str, object]:
    """Start a session and return it."""
    answer = await tenant.http.post("/api/v1/sessions", json={"room_name": prefixed(tenant, room)})
    assert answer.status_code == 201, answer.text
    body: dict[str, object] = answer.json()
    return body


async def test_lists_the_projects_open_rooms_and_no_others(gateway: Gateway):
    tenant, other = await gateway.tenant(), await gateway.tenant()
    gateway.rooms.open_sip_room(prefixed(tenant, "b"))
    gateway.rooms.open_sip_room(prefixed(tenant, "a"))
    gateway.rooms.open_sip_room(prefixed(other, "theirs"))
    gateway.rooms.open_sip_room("call_of_somebody")
    rooms = (await tenant.http.get("/api/v1/rooms")).json()["rooms"]
    assert [(room["name"], room["fullName"]) for room in rooms] == [
        ("a", prefixed(tenant, "a")),
        ("b", prefixed(tenant, "b")),
    ]
    assert rooms[0]["numParticipants"] == 0
    assert abs(rooms[0]["createdAt"] - datetime.now(UTC).timestamp()) < 60


async def test_lists_who_is_in_a_room(gateway: Gateway):
    tenant = await gateway.tenant()
    joined = datetime(2026, 1, 1, tzinfo=UTC)
    alice = ObservedParticipant("alice", "standard", {}, joined, name="Alice", is_publisher=True)
    gateway.rooms.open_sip_room(prefixed(tenant, "my-room"), alice)
    answer = await tenant.http.get("/api/v1/rooms/my-room/participants")
    assert answer.json() == {
        "participants": [
            {
                "identity": "alice",
                "name": "Alice",
                "kind": "standard",
                "isPublisher": True,
                "joinedAt": 1767225600,
            }
        ]
    }


async def test_another_projects_room_is_not_found(gateway: Gateway):
    tenant, other = await gateway.tenant(), await gateway.tenant()
    gateway.rooms.open_sip_room(prefixed(other, "theirs"))
    for name in ("theirs", prefixed(other, "theirs")):
        answer = await tenant.http.get(f"/api/v1/rooms/{name}/participants")
        assert (answer.status_code, answer.json()["code"]) == (404, "NOT_FOUND")


async def test_keeps_a_session_from_start_to_end(gateway: Gateway):
    tenant = await gateway.tenant()
    session = await started(tenant)
    assert (session["status"], session["duration"]) == ("active", None)
    turn = {"speaker": "user", "content": "Hello", "timestamp_ms": 1200}
    added = await tenant.http.post("/api/v1/sessions/my-room/transcript", json=turn)
    assert added.status_code == 201
    assert added.json() | turn == added.json()
    assert (added.json()["session_id"], added.json()["is_final"]) == (session["id"], True)
    ending = {"summary": "Said hello.", "duration": 61}
    ended = await tenant.http.post(
        f"/api/v1/sessions/{prefixed(tenant, 'my-room')}/end", json=ending
    )
    assert ended.status_code == 200
    assert (ended.json()["status"], ended.json()["duration"]) == ("completed", 61)
    assert ended.json()["summary"] == "Said hello."


async def test_counts_the_seconds_of_a_session_when_nobody_tells_them(gateway: Gateway):
    tenant = await gateway.tenant()
    before = datetime.now(UTC)
    await started(tenant)
    ended = await tenant.http.post("/api/v1/sessions/my-room/end")
    assert ended.status_code == 200
    took = datetime.now(UTC) - before
    assert 0 <= ended.json()["duration"] <= math.ceil(took.total_seconds())


async def test_ending_a_session_again_changes_nothing(gateway: Gateway):
    tenant = await gateway.tenant()
    await started(tenant)
    first = await tenant.http.post("/api/v1/sessions/my-room/end", json={"duration": 5})
    again = await tenant.http.post("/api/v1/sessions/my-room/end", json={"duration": 9})
    assert again.json() == first.json()


async def test_adds_nothing_to_a_session_that_is_over(gateway: Gateway):
    tenant = await gateway.tenant()
    await started(tenant)
    await tenant.http.post("/api/v1/sessions/my-room/end")
    turn = {"speaker": "agent", "content": "Too late"}
    answer = await tenant.http.post("/api/v1/sessions/my-room/transcript", json=turn)
    assert (answer.status_code, answer.json()["code"]) == (409, "CONFLICT")


async def test_a_room_has_one_session_at_a_time(gateway: Gateway):
    tenant = await gateway.tenant()
    await started(tenant)
    again = await tenant.http.post("/api/v1/sessions", json={"room_name": "my-room"})
    assert (again.status_code, again.json()["code"]) == (409, "CONFLICT")
    await tenant.http.post("/api/v1/sessions/my-room/end")
    await started(tenant)


async def test_two_projects_use_the_same_name_without_meeting(gateway: Gateway):
    tenant, other = await gateway.tenant(), await gateway.tenant()
    await started(tenant)
    await started(other)
    foreign = await other.http.post(f"/api/v1/sessions/{prefixed(tenant, 'my-room')}/end")
    assert foreign.status_code == 404


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "speaker"),
        ({"speaker": "caller", "content": "x"}, "speaker"),
        ({"speaker": "user", "content": ""}, "content"),
        ({"speaker": "user", "content": "x", "timestamp_ms": -1}, "timestamp_ms"),
        ({"speaker": "user", "content": "x", "is_final": "yes"}, "is_final"),
    ],
)
async def test_names_the_field_that_is_wrong(gateway: Gateway, body: dict[str, object], field: str):
    tenant = await gateway.tenant()
    await started(tenant)
    answer = await tenant.http.post("/api/v1/sessions/my-room/transcript", json=body)
    assert (answer.status_code, answer.json()["code"]) == (400, "INVALID_REQUEST")
    assert field in answer.json()["details"]


async def test_a_session_names_an_agent_of_the_project_or_none(gateway: Gateway):
    tenant, other = await gateway.tenant(), await gateway.tenant()
    theirs = (await other.agent())["configId"]
    body = {"room_name": "my-room", "agent_config_id": theirs}
    answer = await tenant.http.post("/api/v1/sessions", json=body)
    assert (answer.status_code, answer.json()["error"]) == (404, "Agent not found.")
