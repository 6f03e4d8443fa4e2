"""Calls and credits over HTTP."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dispatch.store.engine import Database
from dispatch.store.tables import CallEventRow, CallRow, LedgerEntryRow, TranscriptTurnRow
from tests.integration.gateway.serving import Gateway, Tenant, error_of

pytestmark = pytest.mark.integration

STARTED_AT = datetime(2026, 1, 1, 12, tzinfo=UTC)
NOWHERE = "5b710eca-4a0e-4b52-9c53-3b2f6f0f8d11"


async def record_call(database: Database, tenant: Tenant, **fields: Any) -> str:
    """Put a call on record and return its id."""
    call_id = uuid.uuid4()
    row = {
        "agent_id": uuid.uuid4(),
        "agent_version": 3,
        "kind": "sip",
        "direction": "inbound",
        "state": "ended",
        "room_name": f"call_{call_id.hex}",
        "called_number": "+12015550100",
        "caller_number": "+12015550123",
        "started_at": STARTED_AT,
        "answered_at": STARTED_AT + timedelta(seconds=1),
        "ended_at": STARTED_AT + timedelta(seconds=31.5),
        "billed_s": 31,
        "cost_microcredits": 51_667,
        "ended_by": "caller",
        "end_reason": "hang_up",
    }
    async with database.transaction() as db:
        db.add(
            CallRow(
                id=call_id,
                organization_id=uuid.UUID(tenant.organization_id),
                project_id=uuid.UUID(tenant.project_id),
                **(row | fields),
            )
        )
    return str(call_id)


async def record_conversation(database: Database, tenant: Tenant, call_id: str) -> None:
    """Put what was said, happened and was charged on record."""
    call = uuid.UUID(call_id)
    async with database.transaction() as db:
        for seq, kind in enumerate(("call.ringing", "call.admitted", "call.answered"), start=1):
            db.add(CallEventRow(call_id=call, seq=seq, type=kind, at=STARTED_AT, data={}))
        db.add(
            TranscriptTurnRow(call_id=call, seq=4, speaker="agent", text="Hello.", at=STARTED_AT)
        )
        for seq, (kind, amount) in enumerate(
            [("reserve", -100_000), ("release", 100_000), ("charge", -51_667)], start=5
        ):
            db.add(
                LedgerEntryRow(
                    organization_id=uuid.UUID(tenant.organization_id),
                    kind=kind,
                    amount_microcredits=amount,
                    operation_id=f"{call_id}:{seq}",
                    call_id=call,
                )
            )


async def test_lists_calls(gateway: Gateway, database: Database):
    tenant = await gateway.tenant()
    call_id = await record_call(database, tenant, agent_id=uuid.UUID(NOWHERE))
    answer = await tenant.http.get("/v1/calls")
    assert answer.status_code == 200
    [call] = answer.json()["data"]
    assert call == {
        "id": call_id,
        "direction": "inbound",
        "kind": "sip",
        "state": "ended",
        "agentId": NOWHERE,
        "agentVersion": 3,
        "calledNumber": "+12015550100",
        "callerNumber": "+12015550123",
        "roomName": call["roomName"],
        "startedAt": "2026-01-01T12:00:00Z",
        "answeredAt": "2026-01-01T12:00:01Z",
        "endedAt": "2026-01-01T12:00:31.500000Z",
        "durationS": 30.5,
        "billedS": 31,
        "costMicrocredits": 51_667,
        "endedBy": "caller",
        "endReason": "hang_up",
        "refusalReason": None,
        "sipCode": None,
        "sentence": call["sentence"],
    }
    assert "caller" in call["sentence"].lower()
    assert answer.json()["pagination"] == {"page": 1, "limit": 20, "total": 1, "totalPages": 1}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("state=ended", ["first"]),
        ("state=missed", ["second"]),
        ("number=%2B12015550100", ["second", "first"]),
        ("number=+12015550199", ["second"]),
        ("number=anonymous", []),
        (f"agentId={NOWHERE}", ["second"]),
        ("from=2026-01-01T12:30:00Z", ["second"]),
        ("to=2026-01-01T12:30:00Z", ["first"]),
        ("from=2026-01-01T13:00:00%2B01:00&to=2026-01-01T12:00:01Z", ["first"]),
        ("limit=1", ["second"]),
        ("limit=1&page=2", ["first"]),
        ("limit=1&page=3", []),
    ],
)
async def test_filters_and_pages(
    gateway: Gateway, database: Database, query: str, found: list[str]
):
    tenant = await gateway.tenant()
    names = {
        await record_call(database, tenant): "first",
        await record_call(
            database,
            tenant,
            state="missed",
            started_at=STARTED_AT + timedelta(hours=1),
            caller_number="+12015550199",
            agent_id=uuid.UUID(NOWHERE),
        ): "second",
    }
    answer = await tenant.http.get(f"/v1/calls?{query}")
    assert [names[call["id"]] for call in answer.json()["data"]] == found


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("state=over", "state"),
        ("agentId=7", "agentId"),
        ("from=yesterday", "from"),
        ("from=20261121", "from"),
        ("to=2026-01-01T12:00:00", "to"),
        ("number=" + "1" * 41, "number"),
        ("page=0", "page"),
    ],
)
async def test_refuses_a_bad_filter(gateway: Gateway, query: str, field: str):
    tenant = await gateway.tenant()
    answer = await tenant.http.get(f"/v1/calls?{query}")
    assert error_of(answer)[:2] == (400, "VALIDATION_ERROR")
    assert answer.json()["error"]["details"][0]["field"] == field


async def test_a_nul_in_a_filter_finds_nothing_and_breaks_nothing(gateway: Gateway):
    tenant = await gateway.tenant()
    answer = await tenant.http.get("/v1/calls?number=%00")
    assert error_of(answer)[:2] == (400, "VALIDATION_ERROR")


async def test_gets_a_call_with_all_that_is_on_record(gateway: Gateway, database: Database):
    tenant = await gateway.tenant()
    call_id = await record_call(database, tenant)
    await record_conversation(database, tenant, call_id)
    answer = await tenant.http.get(f"/v1/calls/{call_id}")
    assert answer.status_code == 200
    body = answer.json()
    [listed] = (await tenant.http.get("/v1/calls")).json()["data"]
    assert {name: body[name] for name in listed} == listed
    at = "2026-01-01T12:00:00Z"
    assert body["legs"] == [
        {
            "id": "caller",
            "role": "caller",
            "target": "+12015550123",
            "state": "ended",
            "outcome": "hang_up",
            "sipCode": None,
            "startedAt": listed["startedAt"],
            "answeredAt": listed["answeredAt"],
            "endedAt": listed["endedAt"],
            "billedS": 31,
        }
    ]
    assert body["transcript"] == [{"seq": 4, "speaker": "agent", "text": "Hello.", "at": at}]
    assert [event["seq"] for event in body["events"]] == [1, 2, 3]
    assert body["events"][0] == {"seq": 1, "type": "call.ringing", "at": at, "data": {}}
    assert [entry["kind"] for entry in body["ledger"]] == ["reserve", "release", "charge"]
    assert sum(entry["amountMicrocredits"] for entry in body["ledger"]) == -51_667
    assert body["ledger"][0].keys() == {"kind", "amountMicrocredits", "at", "operationId"}


async def test_the_call_of_another_project_is_not_found(gateway: Gateway, database: Database):
    owner = await gateway.tenant()
    call_id = await record_call(database, owner)
    neighbour = await gateway.tenant(organization_id=owner.organization_id)
    answer = await neighbour.http.get(f"/v1/calls/{call_id}")
    assert error_of(answer) == (404, "NOT_FOUND", "Call not found.")
    assert (await neighbour.http.get("/v1/calls")).json()["data"] == []


@pytest.mark.parametrize("given", [NOWHERE, "7"])
async def test_a_call_that_is_not_there_is_not_found(gateway: Gateway, given: str):
    tenant = await gateway.tenant()
    answer = await tenant.http.get(f"/v1/calls/{given}")
    assert error_of(answer) == (404, "NOT_FOUND", "Call not found.")


async def test_tells_the_balance(gateway: Gateway):
    tenant = await gateway.tenant(credits_microcredits=42)
    assert (await tenant.http.get("/v1/credits")).json() == {"balanceMicrocredits": 42}


async def test_records_wait_for_postgres(gateway: Gateway, gateway_without_postgres: Gateway):
    tenant = await gateway.tenant()
    await tenant.http.get("/v1/calls")
    answer = await gateway_without_postgres.http.get("/v1/calls", headers={"x-api-key": tenant.key})
    assert error_of(answer)[:2] == (503, "UNAVAILABLE")
