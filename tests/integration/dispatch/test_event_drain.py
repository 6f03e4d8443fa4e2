"""From the event stream into Postgres, exactly once."""

import contextlib
import json
import secrets
import uuid
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from redis.asyncio import Redis
from sqlalchemy import func, select

from dispatch.calls import CallEnd, Turn
from dispatch.errors import StoreUnavailable
from dispatch.event_drain import EventDrain
from dispatch.store import redis_keys
from dispatch.store.engine import Database
from dispatch.store.event_stream import EventStream, StreamedEvent
from dispatch.store.tables import CallEventRow, CallRow, LedgerEntryRow, TranscriptTurnRow
from telephony.calls import EndedBy, EndReason
from tests.builders.live_calls import Tenant, events_of, live_calls, shift_clock

pytestmark = pytest.mark.integration

HANG_UP = CallEnd(EndedBy.CALLER, EndReason.HANG_UP, 200)


@pytest.fixture
def drain(redis: Redis, database: Database) -> EventDrain:
    return EventDrain(redis, database, wait_s=0)


async def drained(drain: EventDrain) -> int:
    total = 0
    while count := await drain.run_once():
        total += count
    return total


async def call_row(database: Database, call_id: uuid.UUID) -> CallRow:
    async with database.reading() as db:
        return await db.get_one(CallRow, call_id)


async def count(database: Database, row: type[Any]) -> int:
    async with database.reading() as db:
        return (await db.execute(select(func.count()).select_from(row))).scalar_one()


async def ledger_of(database: Database, call_id: uuid.UUID) -> list[tuple[str, int]]:
    query = select(LedgerEntryRow.kind, LedgerEntryRow.amount_microcredits)
    async with database.reading() as db:
        found = await db.execute(
            query.where(LedgerEntryRow.call_id == call_id).order_by(LedgerEntryRow.position)
        )
        return [(row.kind, row.amount_microcredits) for row in found]


async def whole_call(redis: Redis, tenant: Tenant) -> uuid.UUID:
    calls, arrival = live_calls(redis), tenant.arrival()
    await calls.admit(arrival)
    await calls.answered(arrival.call_id, datetime.now(UTC))
    await shift_clock(redis, arrival.call_id, 50)
    await calls.beat(arrival.call_id)
    await calls.record_turn(
        arrival.call_id, uuid.uuid4().hex, Turn("caller", "Hello", datetime.now(UTC))
    )
    await calls.record_keys(arrival.call_id, uuid.uuid4().hex, "2", datetime.now(UTC))
    await calls.record_tool(arrival.call_id, uuid.uuid4().hex, "end_call", {"list": []}, "done")
    await calls.end(arrival.call_id, HANG_UP)
    return arrival.call_id


async def test_a_whole_call_is_on_record(
    redis: Redis, database: Database, drain: EventDrain, tenant: Tenant
) -> None:
    call_id = await whole_call(redis, tenant)
    assert await drained(drain) == 11
    row = await call_row(database, call_id)
    assert (row.state, row.ended_by, row.end_reason, row.sip_code) == (
        "ended",
        "caller",
        "hang_up",
        200,
    )
    assert (row.organization_id, row.project_id) == (tenant.organization_id, tenant.project_id)
    assert (row.agent_id, row.agent_version) == (tenant.agent_id, 3)
    assert (row.called_number, row.caller_number) == (tenant.did, "+12015550199")
    assert row.started_at is not None
    assert row.answered_at is not None
    assert row.ended_at is not None
    async with database.reading() as db:
        amounts = (await db.execute(select(LedgerEntryRow.amount_microcredits))).scalars().all()
        turns = (
            (await db.execute(select(TranscriptTurnRow).order_by(TranscriptTurnRow.seq)))
            .scalars()
            .all()
        )
        tool = await db.execute(select(CallEventRow.data).where(CallEventRow.type == "tool"))
        assert tool.scalar_one()["arguments"] == {"list": []}
    assert [kind for kind, _ in await ledger_of(database, call_id)] == [
        "reserve",
        "extend",
        "release",
        "charge",
    ]
    assert sum(amounts) == -(row.cost_microcredits or 0)
    assert [(turn.speaker, turn.text, turn.interrupted) for turn in turns] == [
        ("caller", "Hello", False),
        ("caller", "[key 2]", False),
    ]
    assert await redis.xlen(redis_keys.EVENTS) == 0


async def test_a_running_call_is_on_record_as_active(
    redis: Redis, database: Database, drain: EventDrain, tenant: Tenant
) -> None:
    calls, arrival = live_calls(redis), tenant.arrival()
    await calls.ring(arrival)
    await drained(drain)
    assert (await call_row(database, arrival.call_id)).state == "ringing"
    await calls.admit(arrival)
    await calls.answered(arrival.call_id, datetime.now(UTC))
    await drained(drain)
    assert (await call_row(database, arrival.call_id)).state == "active"


async def test_a_refused_call_is_on_its_tenants_record(
    redis: Redis, database: Database, drain: EventDrain
) -> None:
    tenant = Tenant()
    await tenant.publish(redis, balance=0)
    arrival = tenant.arrival()
    await live_calls(redis).admit(arrival)
    await drained(drain)
    row = await call_row(database, arrival.call_id)
    assert (row.state, row.refusal_reason) == ("refused", "insufficient_credits")
    assert row.project_id == tenant.project_id
    assert row.cost_microcredits == 0
    assert await count(database, LedgerEntryRow) == 0


async def test_what_was_written_and_not_confirmed_is_not_written_twice(
    redis: Redis, database: Database, drain: EventDrain, tenant: Tenant
) -> None:
    call_id = await whole_call(redis, tenant)
    entries = await redis.xrange(redis_keys.EVENTS)
    await drained(drain)
    before = await count(database, LedgerEntryRow)
    # A drain that died between its commit and its XACK leaves the entries where they were.
    for _, fields in entries:
        await redis.xadd(redis_keys.EVENTS, fields)
    assert await drained(drain) == len(entries)
    assert await count(database, LedgerEntryRow) == before
    assert await count(database, CallEventRow) == len(entries)
    assert (await call_row(database, call_id)).state == "ended"


async def test_what_a_dead_drain_had_taken_is_written_by_the_next(
    redis: Redis, database: Database, drain: EventDrain, tenant: Tenant
) -> None:
    await drained(drain)
    call_id = await whole_call(redis, tenant)
    assert await EventStream(redis, "dispatch").read_new(100, 0)
    # The same drain, long running, and a fresh one both have to find them.
    assert await drained(drain) == 11
    assert (await call_row(database, call_id)).state == "ended"


async def test_a_lost_postgres_loses_nothing(
    redis: Redis, database: Database, drain: EventDrain, tenant: Tenant
) -> None:
    call_id = await whole_call(redis, tenant)
    nowhere = Database("postgresql+psycopg://nobody@127.0.0.1:1/none")
    lost = EventDrain(redis, nowhere, wait_s=0)
    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            await lost.run_once()
    await nowhere.aclose()
    assert await drained(drain) == 11
    assert (await call_row(database, call_id)).state == "ended"


async def test_a_poison_event_alone_is_moved_aside(
    redis: Redis, database: Database, drain: EventDrain, tenant: Tenant
) -> None:
    calls, arrival = live_calls(redis), tenant.arrival()
    await calls.admit(arrival)
    unstorable = {"speaker": "caller", "text": "nul \0 byte", "at_ms": 0, "interrupted": False}
    event = {"type": "turn", "at_ms": "0", "data": json.dumps(unstorable)}
    await redis.xadd(redis_keys.EVENTS, {"call_id": str(arrival.call_id), "seq": "50", **event})
    await redis.xadd(redis_keys.EVENTS, {"call_id": "no id", "seq": "1"})
    await redis.xadd(redis_keys.EVENTS, {"nothing": "at all"})
    await calls.end(arrival.call_id, HANG_UP)
    assert await drained(drain) == 8
    assert (await call_row(database, arrival.call_id)).state == "missed"
    assert await redis.xlen(redis_keys.EVENTS_REJECTED) == 3
    assert await redis.xlen(redis_keys.EVENTS) == 0


async def test_what_another_process_took_and_left_is_written_before_what_came_later(
    redis: Redis, database: Database, drain: EventDrain, tenant: Tenant
) -> None:
    await whole_call(redis, tenant)
    assert await drained(drain) == 11
    calls, arrival = live_calls(redis), tenant.arrival()
    await calls.admit(arrival)
    # It took the loop over, and dies with the beginning of a call in its hands.
    assert len(await EventStream(redis, "dispatch").read_new(10, 0)) == 3
    await calls.answered(arrival.call_id, datetime.now(UTC))
    await calls.end(arrival.call_id, HANG_UP)
    await drained(drain)
    row = await call_row(database, arrival.call_id)
    assert (row.state, row.ended_by) == ("ended", "caller")
    kinds = [kind for kind, _ in await ledger_of(database, arrival.call_id)]
    assert kinds[:2] == ["reserve", "release"]


async def test_what_is_too_much_to_be_written_at_once_is_written_in_parts(
    redis: Redis,
    database: Database,
    drain: EventDrain,
    tenant: Tenant,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    call_id = await whole_call(redis, tenant)
    write = drain._write

    async def write_a_few(events: Sequence[StreamedEvent]) -> None:
        if len(events) > 3:
            raise StoreUnavailable("canceling statement due to statement timeout")
        await write(events)

    monkeypatch.setattr(drain, "_write", write_a_few)
    taken = 0
    for _ in range(20):
        with contextlib.suppress(StoreUnavailable):
            taken += await drain.run_once()
    assert taken == 11
    assert (await call_row(database, call_id)).state == "ended"


async def test_a_caller_who_writes_a_nul_is_on_record(
    redis: Redis, database: Database, drain: EventDrain, tenant: Tenant
) -> None:
    arrival = replace(
        tenant.arrival(), caller_identity="sip_al\0ice", carrier_call_id="a\0@example.com"
    )
    calls = live_calls(redis)
    await calls.admit(arrival)
    await calls.end(arrival.call_id, HANG_UP)
    await drained(drain)
    assert await redis.xlen(redis_keys.EVENTS_REJECTED) == 0
    row = await call_row(database, arrival.call_id)
    assert (row.state, row.carrier_call_id) == ("missed", "a@example.com")


async def test_a_text_too_long_for_an_index_is_not_taken_for_a_postgres_that_is_away(
    redis: Redis, database: Database, drain: EventDrain, tenant: Tenant
) -> None:
    calls, arrival = live_calls(redis), tenant.arrival()
    # Random, or it would be stored in less.
    endless = replace(tenant.arrival(), caller_number=secrets.token_hex(20_000))
    await calls.admit(endless)
    await calls.admit(arrival)
    await calls.end(arrival.call_id, HANG_UP)
    await drained(drain)
    assert (await call_row(database, arrival.call_id)).state == "missed"
    assert await redis.xlen(redis_keys.EVENTS_REJECTED) == 1


@pytest.mark.parametrize(
    "poison",
    [
        {"type": "call.refused", "data": "[]"},
        {"type": "call.admitted", "data": '{"organization_id":5,"agent_version":1}'},
        {"type": "turn", "at_ms": "1" + "0" * 30},
        {"type": "keys", "data": '{"digits":"1","at_ms":1' + "0" * 18 + "}"},
        {"type": "keys", "data": '{"digits":1,"at_ms":1}'},
        {"type": "operation.settled", "data": '{"organization_id":{}}'},
    ],
)
async def test_no_event_however_malformed_is_in_the_way_of_others(
    redis: Redis,
    database: Database,
    drain: EventDrain,
    tenant: Tenant,
    poison: dict[str, str],
) -> None:
    calls, arrival = live_calls(redis), tenant.arrival()
    event = {"call_id": str(uuid.uuid4()), "seq": "1", "at_ms": "1", "data": "{}"}
    await redis.xadd(redis_keys.EVENTS, {**event, **poison})
    await calls.admit(arrival)
    await calls.end(arrival.call_id, HANG_UP)
    await drained(drain)
    assert (await call_row(database, arrival.call_id)).state == "missed"
    assert await redis.xlen(redis_keys.EVENTS_REJECTED) == 1


async def test_a_call_whose_state_was_lost_costs_what_it_had_reserved(
    redis: Redis, database: Database, drain: EventDrain, tenant: Tenant
) -> None:
    calls, arrival = live_calls(redis), tenant.arrival()
    await calls.admit(arrival)
    await calls.answered(arrival.call_id, datetime.now(UTC))
    await drained(drain)
    await redis.flushdb()
    await calls.end(arrival.call_id, CallEnd(EndedBy.SYSTEM, EndReason.STATE_LOST))
    await drained(drain)
    row = await call_row(database, arrival.call_id)
    assert (row.state, row.end_reason) == ("ended", "state_lost")
    assert row.cost_microcredits == 100_000


async def test_a_call_whose_state_was_lost_before_its_answer_gives_its_reservation_back(
    redis: Redis, database: Database, drain: EventDrain, tenant: Tenant
) -> None:
    calls, arrival = live_calls(redis), tenant.arrival()
    await calls.admit(arrival)
    await drained(drain)
    await redis.flushdb()
    await calls.end(arrival.call_id, CallEnd(EndedBy.SYSTEM, EndReason.STATE_LOST))
    await drained(drain)
    row = await call_row(database, arrival.call_id)
    assert (row.state, row.end_reason, row.cost_microcredits) == ("missed", "state_lost", 0)
    assert await ledger_of(database, arrival.call_id) == [
        ("reserve", -100_000),
        ("release", 100_000),
    ]


async def test_a_call_whose_answer_was_lost_with_its_state_is_not_free(
    redis: Redis, database: Database, drain: EventDrain, tenant: Tenant
) -> None:
    calls, arrival, answered_at = live_calls(redis), tenant.arrival(), datetime.now(UTC)
    await calls.admit(arrival)
    await drained(drain)
    await redis.flushdb()
    lost = CallEnd(EndedBy.SYSTEM, EndReason.STATE_LOST)
    await calls.end(arrival.call_id, lost, answered_at=answered_at)
    await drained(drain)
    row = await call_row(database, arrival.call_id)
    assert (row.state, row.cost_microcredits) == ("ended", 100_000)
    assert row.answered_at is not None
    assert abs(row.answered_at - answered_at) < timedelta(milliseconds=2)


async def test_more_than_one_batch_is_drained(
    redis: Redis, database: Database, drain: EventDrain
) -> None:
    arrivals = [Tenant().arrival() for _ in range(300)]
    calls = live_calls(redis)
    for arrival in arrivals:
        await calls.admit(arrival)
    assert len(await events_of(redis)) == 600
    assert await drained(drain) == 600
    assert await count(database, CallRow) == 300


async def test_what_no_database_can_store_does_not_cost_the_rest_of_an_entry(
    redis: Redis, database: Database, drain: EventDrain, tenant: Tenant
) -> None:
    calls, arrival = live_calls(redis), tenant.arrival()
    await calls.admit(arrival)
    arguments = {"or\0der": ["a\0b", {"c": "d\ud800e"}], "count": 2}
    await calls.record_tool(arrival.call_id, uuid.uuid4().hex, "look_up", arguments, "on\0 its way")

    await drained(drain)

    query = select(CallEventRow.data).where(CallEventRow.type == "tool")
    async with database.reading() as db:
        assert await db.scalar(query) == {
            "name": "look_up",
            "arguments": {"order": ["ab", {"c": "d?e"}], "count": 2},
            "result": "on its way",
        }
