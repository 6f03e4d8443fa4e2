"""Calls on record, on a real Postgres."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest

from dispatch.call_history import CallFilters
from dispatch.call_records import CallRecords
from dispatch.calls import EventType, RefusalReason
from dispatch.errors import InvalidField, NotFound
from dispatch.paging import PageRequest
from dispatch.store.engine import Database
from dispatch.store.tables import CallEventRow, CallRow, LedgerEntryRow, TranscriptTurnRow
from telephony.calls import CallState, EndedBy, EndReason

pytestmark = pytest.mark.integration

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


@pytest.fixture
def records(database: Database) -> CallRecords:
    return CallRecords(database)


async def store_call(database: Database, principal, **fields) -> uuid.UUID:
    """Put an ended call on record and return its id."""
    values = {
        "id": uuid.uuid4(),
        "organization_id": principal.organization_id,
        "project_id": principal.project_id,
        "kind": "sip",
        "direction": "inbound",
        "state": "ended",
        "room_name": "call_1",
        "called_number": "+12015550100",
        "caller_number": "+12015550177",
        "started_at": NOON,
        "answered_at": NOON + timedelta(seconds=1),
        "ended_at": NOON + timedelta(seconds=15),
        "billed_s": 14,
        "cost_microcredits": 23_334,
        "ended_by": "caller",
        "end_reason": "hang_up",
        "call_metadata": {},
    } | fields
    async with database.transaction() as db:
        db.add(CallRow(**values))
    return values["id"]


async def listed(records, principal, page=None, **filters) -> list[uuid.UUID]:
    found = await records.list(principal, page or PageRequest(), CallFilters(**filters))
    return [record.id for record in found.items]


async def test_a_call_with_all_that_is_on_record_about_it(records, database, owner) -> None:
    call_id = await store_call(database, owner)
    async with database.transaction() as db:
        for seq in (2, 1):
            db.add(CallEventRow(call_id=call_id, seq=seq, type="turn", at=NOON, data={"n": seq}))
            db.add(
                TranscriptTurnRow(
                    call_id=call_id, seq=seq, speaker="caller", text=f"turn {seq}", at=NOON
                )
            )
        for kind, amount in (("reserve", -100), ("release", 100), ("charge", -50)):
            entry = LedgerEntryRow(
                organization_id=owner.organization_id,
                kind=kind,
                amount_microcredits=amount,
                operation_id=f"{call_id}:{kind}",
                call_id=call_id,
            )
            db.add(entry)
            await db.flush()
    details = await records.get(owner, call_id)
    record = details.record
    assert (record.state, record.ended_by) == (CallState.ENDED, EndedBy.CALLER)
    assert record.end_reason is EndReason.HANG_UP
    assert (record.duration_s, record.billed_s) == (14.0, 14)
    assert record.sentence == "The caller hung up after 14 s."
    assert [turn.text for turn in details.transcript] == ["turn 1", "turn 2"]
    assert [(event.seq, event.type) for event in details.events] == [
        (1, EventType.TURN),
        (2, EventType.TURN),
    ]
    assert [entry.kind for entry in details.ledger] == ["reserve", "release", "charge"]
    assert sum(entry.amount_microcredits for entry in details.ledger) == -50


async def test_a_refused_call_says_why(records, database, owner) -> None:
    call_id = await store_call(
        database,
        owner,
        state="refused",
        answered_at=None,
        billed_s=0,
        cost_microcredits=0,
        ended_by="system",
        end_reason="refused",
        refusal_reason="insufficient_credits",
    )
    record = (await records.get(owner, call_id)).record
    assert record.refusal_reason is RefusalReason.INSUFFICIENT_CREDITS
    assert record.duration_s == 0
    assert record.sentence == "Refused: the organisation's balance does not cover a call."


async def test_each_filter_finds_its_calls(records, database, owner) -> None:
    agent_id = uuid.uuid4()
    early = await store_call(database, owner, agent_id=agent_id)
    late = await store_call(
        database,
        owner,
        started_at=NOON + timedelta(hours=1),
        ended_at=None,
        state="active",
        called_number="+12015550101",
        caller_number="anonymous",
    )
    assert await listed(records, owner) == [late, early]
    assert await listed(records, owner, state=CallState.ACTIVE) == [late]
    assert await listed(records, owner, agent_id=agent_id) == [early]
    assert await listed(records, owner, number="+1 201 555 0101") == [late]
    assert await listed(records, owner, number="+12015550177") == [early]
    assert await listed(records, owner, number="anonymous") == [late]
    assert await listed(records, owner, started_from=NOON + timedelta(minutes=1)) == [late]
    assert await listed(records, owner, started_to=NOON + timedelta(hours=1)) == [early]
    assert await listed(records, owner, started_from=NOON, state=CallState.MISSED) == []


async def test_pages_neither_repeat_nor_drop_calls_of_the_same_moment(
    records, database, owner
) -> None:
    stored = {await store_call(database, owner) for _ in range(7)}
    pages = [
        await records.list(owner, PageRequest(page=number, limit=3)) for number in (1, 2, 3, 4)
    ]
    assert [len(page.items) for page in pages] == [3, 3, 1, 0]
    assert {record.id for page in pages for record in page.items} == stored
    assert {(page.total, page.total_pages) for page in pages} == {(7, 3)}


async def test_a_strangers_call_is_not_there(records, database, owner, stranger) -> None:
    call_id = await store_call(database, owner)
    with pytest.raises(NotFound):
        await records.get(stranger, call_id)
    assert await listed(records, stranger) == []
    assert await listed(records, stranger, number="+12015550100") == []


async def test_a_time_without_its_zone_is_refused(records, owner) -> None:
    naive = NOON.replace(tzinfo=None)
    with pytest.raises(InvalidField, match="time zone"):
        await records.list(owner, PageRequest(), CallFilters(started_from=naive))
