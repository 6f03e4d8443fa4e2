"""Usage and quotas over HTTP."""

import uuid
from datetime import UTC, datetime

import pytest

from dispatch.billing.record import UsagePart, UsageRecord
from dispatch.billing.reservation import UsageSource
from dispatch.store.engine import Database
from dispatch.store.repositories import usage
from tests.integration.gateway.serving import Gateway, Tenant
from tests.integration.gateway.test_calls import record_call

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("one_day")]


def part(service: str, unit: str, quantity: int, cost: int) -> UsagePart:
    model = ("openai", "gpt-4o-mini") if service == "llm" else ("", "")
    return UsagePart(service, *model, unit, "platform", quantity, 150_000, 10**6, "2026-11", cost)


async def record_bill(database: Database, tenant: Tenant, call_id: str, agent_id: str) -> None:
    parts = [part("telephony", "seconds", 31, 51_667), part("llm", "input_tokens", 1_234, 186)]
    records = [
        UsageRecord(
            subject_id=uuid.UUID(call_id),
            position=position,
            organization_id=uuid.UUID(tenant.organization_id),
            project_id=uuid.UUID(tenant.project_id),
            agent_id=uuid.UUID(agent_id),
            source=UsageSource.CALL,
            part=each,
            at=datetime.now(UTC),
        )
        for position, each in enumerate(parts)
    ]
    async with database.transaction() as db:
        await usage.add_bills(db, [records])


async def test_a_call_shows_what_its_bill_consists_of(gateway: Gateway, database: Database):
    tenant = await gateway.tenant()
    call_id = await record_call(database, tenant)
    await record_bill(database, tenant, call_id, str(uuid.uuid4()))
    parts = (await tenant.http.get(f"/v1/calls/{call_id}")).json()["usage"]
    assert [each["service"] for each in parts] == ["telephony", "llm"]
    assert parts[1] == {
        "service": "llm",
        "provider": "openai",
        "model": "gpt-4o-mini",
        "unit": "input_tokens",
        "keys": "platform",
        "quantity": 1_234,
        "priceMicrocredits": 150_000,
        "pricePer": 1_000_000,
        "priceVersion": "2026-11",
        "costMicrocredits": 186,
    }


async def test_reports_by_agent_with_its_name(gateway: Gateway, database: Database):
    tenant = await gateway.tenant()
    agent = await tenant.agent(name="Reception")
    call_id = await record_call(database, tenant)
    await record_bill(database, tenant, call_id, agent["id"])
    answer = await tenant.http.get("/v1/usage?period=today&groupBy=agent")
    assert answer.status_code == 200
    today = datetime.now(UTC).date().isoformat()
    assert answer.json() == {
        "period": "today",
        "groupBy": "agent",
        "since": today,
        "until": today,
        "costMicrocredits": 51_853,
        "calls": 1,
        "groups": [
            {
                "key": agent["id"],
                "name": "Reception",
                "costMicrocredits": 51_853,
                "calls": 1,
                "quantities": [
                    {"service": "llm", "unit": "input_tokens", "quantity": 1_234},
                    {"service": "telephony", "unit": "seconds", "quantity": 31},
                ],
            }
        ],
    }


async def test_reports_thirty_days_by_day_when_nothing_is_said(gateway: Gateway):
    tenant = await gateway.tenant()
    report = (await tenant.http.get("/v1/usage")).json()
    assert (report["period"], report["groupBy"], report["groups"]) == ("30d", "day", [])


@pytest.mark.parametrize("query", ["period=year", "groupBy=colour", "group_by=day"])
async def test_refuses_what_it_does_not_know(gateway: Gateway, query: str):
    tenant = await gateway.tenant()
    answer = await tenant.http.get(f"/v1/usage?{query}")
    assert answer.status_code == 400
    assert answer.json()["error"]["details"][0]["field"] == query.partition("=")[0]


async def test_shows_nobody_elses_usage(gateway: Gateway, database: Database):
    owner, stranger = await gateway.tenant(), await gateway.tenant()
    await record_bill(database, owner, str(uuid.uuid4()), str(uuid.uuid4()))
    assert (await stranger.http.get("/v1/usage?period=all")).json()["costMicrocredits"] == 0


async def test_shows_the_plans_quotas(gateway: Gateway):
    tenant = await gateway.tenant()
    await tenant.agent()
    answer = (await tenant.http.get("/v1/quota")).json()
    assert answer["plan"] == "enterprise"
    assert {"resource": "agents", "used": 1, "limit": None} in answer["quotas"]


async def test_a_full_quota_is_told_as_such(gateway: Gateway):
    tenant = await gateway.tenant()
    changed = await gateway.admin.patch(
        f"/admin/v1/organizations/{tenant.organization_id}", json={"plan": "free"}
    )
    assert changed.status_code == 200
    for _ in range(3):
        await tenant.agent()
    refused = await tenant.http.post("/v1/agents", json={"name": "One too many"})
    assert refused.status_code == 429
    assert refused.json()["error"]["code"] == "QUOTA_EXCEEDED"
    assert refused.json()["error"]["message"] == "The plan free allows 3 agents."


@pytest.mark.parametrize("path", ["/v1/usage", "/v1/quota"])
async def test_needs_the_scope(gateway: Gateway, path: str):
    tenant = await gateway.tenant(scopes=["agents:read"])
    assert (await tenant.http.get(path)).status_code == 403
