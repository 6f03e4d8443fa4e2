"""Agntix's usage, sums of calls, calls as sessions, and language models."""

from datetime import UTC, datetime

import pytest

from dispatch.store.engine import Database
from tests.integration.gateway.serving import Gateway, error_of
from tests.integration.gateway.test_calls import NOWHERE, record_call, record_conversation

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("one_day")]

STATS = "/v1/chat/analytics/calls/stats"
JANUARY = {"startDate": "2026-01-01", "endDate": "2026-01-01"}


async def test_calls_are_summed_over_days(gateway: Gateway, database: Database):
    tenant = await gateway.tenant()
    await record_call(database, tenant)
    never = {"answered_at": None, "state": "missed", "end_reason": "abandoned"}
    await record_call(database, tenant, **never)
    answer = await tenant.http.get(STATS, params=JANUARY)
    assert answer.json() == {
        "totalCalls": 2,
        "completedCalls": 1,
        "avgDurationSeconds": 30.5,
        "successRate": 0.5,
    }
    later = {"startDate": "2026-01-02", "endDate": "9999-12-31"}
    nothing = {"totalCalls": 0, "completedCalls": 0, "avgDurationSeconds": 0, "successRate": 0}
    assert (await tenant.http.get(STATS, params=later)).json() == nothing
    others = JANUARY | {"agentId": NOWHERE}
    assert (await tenant.http.get(STATS, params=others)).json() == nothing


async def test_other_projects_calls_are_not_counted(gateway: Gateway, database: Database):
    await record_call(database, await gateway.tenant())
    stranger = await gateway.tenant()
    assert (await stranger.http.get(STATS, params=JANUARY)).json()["totalCalls"] == 0


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({"endDate": "2026-01-01"}, "startDate is required."),
        (
            {"startDate": "2026-01-02", "endDate": "2026-01-01"},
            "endDate must not lie before startDate.",
        ),
    ],
)
async def test_days_must_be_told(gateway: Gateway, query: dict[str, str], message: str):
    tenant = await gateway.tenant()
    answer = await tenant.http.get(STATS, params=query)
    assert error_of(answer) == (400, "VALIDATION_ERROR", message)


async def test_a_call_is_a_session_with_what_was_said(gateway: Gateway, database: Database):
    tenant = await gateway.tenant()
    call_id = await record_call(database, tenant)
    await record_conversation(database, tenant, call_id)
    path = f"/api/v1/chat/sessions/{call_id}"
    session = (await tenant.http.get(path)).json()
    assert session["id"] == call_id
    assert (session["type"], session["platform"]) == ("VOICE", "PHONE")
    assert (session["direction"], session["state"]) == ("INBOUND", "CLOSED")
    assert session["metadata"]["customerPhoneNumber"] == "+12015550123"
    assert session["durationSeconds"] == 30.5
    assert (session["analysis"], session["recordingUrl"]) == ({}, None)
    said = (await tenant.http.get(f"{path}/messages")).json()
    assert [(turn["role"], turn["content"]) for turn in said["data"]] == [("ASSISTANT", "Hello.")]
    assert said["pagination"] == {"page": 1, "limit": 50, "total": 1, "totalPages": 1}


async def test_a_call_from_a_browser_has_the_id_it_was_opened_with(
    gateway: Gateway, database: Database
):
    tenant = await gateway.tenant()
    call_id = await record_call(database, tenant, kind="web")
    name = f"vs_{call_id.replace('-', '')}"
    session = (await tenant.http.get(f"/api/v1/chat/sessions/{name}")).json()
    assert (session["id"], session["platform"]) == (name, "WEB")


async def test_a_chat_is_found_where_calls_are(gateway: Gateway):
    tenant = await gateway.tenant(credits_microcredits=5_000_000)
    agent = await tenant.agent(greeting="Hello.")
    opened = await tenant.http.post("/v1/chat/chat/sessions", json={"agentId": agent["id"]})
    path = f"/api/v1/chat/sessions/{opened.json()['id']}"
    session = (await tenant.http.get(path)).json()
    assert (session["id"], session["type"]) == (opened.json()["id"], "CHAT")
    [said] = (await tenant.http.get(f"{path}/messages")).json()["data"]
    assert (said["role"], said["content"]) == ("ASSISTANT", "Hello.")


async def test_a_session_of_another_project_is_not_there(gateway: Gateway, database: Database):
    call_id = await record_call(database, await gateway.tenant())
    stranger = await gateway.tenant()
    for session_id in (call_id, NOWHERE, "vs_1"):
        for suffix in ("", "/messages"):
            path = f"/api/v1/chat/sessions/{session_id}{suffix}"
            answer = await stranger.http.get(path)
            assert error_of(answer) == (404, "SESSION_NOT_FOUND", "Session not found.")


async def test_usage_is_of_this_month(gateway: Gateway):
    tenant = await gateway.tenant()
    usage = (await tenant.http.get("/v1/chat/subscriptions/usage/current")).json()
    today = datetime.now(UTC).date().isoformat()
    assert usage["periodStart"] <= today <= usage["periodEnd"]
    assert usage["periodStart"].endswith("-01")
    assert usage["messages"] == {"used": 0, "limit": None}
    assert usage["voiceMinutes"]["used"] == 0
    assert usage["apiCalls"] == {"used": None, "limit": None}


async def test_language_models_have_lists_of_their_own(gateway: Gateway):
    tenant = await gateway.tenant()
    models = (await tenant.http.get("/v1/chat/models")).json()["data"]
    assert {model["type"] for model in models} == {"LLM"}
    assert {model["provider"]: model["isActive"] for model in models} == {
        "builtin": True,
        "openai": False,
    }
