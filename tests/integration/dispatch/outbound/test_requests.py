"""Outbound calls as they are asked for and taken back, over real stores and a fake LiveKit."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from redis.asyncio import Redis

from dispatch.accounts import Principal
from dispatch.call_records import CallRecords
from dispatch.errors import Conflict, InsufficientCredits, InvalidField, NotFound
from dispatch.event_drain import EventDrain
from dispatch.outbound.dispatcher import arrival_of
from dispatch.outbound.requests import LONGEST_PAST, CallRequest
from dispatch.outbound_call import outbound_room_of
from dispatch.room_events import NO_WORKER
from dispatch.store import redis_keys
from telephony.calls import CallState, EndReason
from tests.integration.dispatch.outbound.conftest import TO, Switchboard

pytestmark = pytest.mark.integration


async def test_a_call_asked_for_twice_under_one_id_is_one_call(board: Switchboard) -> None:
    call_id = uuid.uuid4()
    for _ in range(2):
        made = await board.requests.start(board.owner, CallRequest(to=TO), new_id=call_id)
        assert made.call.id == call_id
    assert (await board.dispatcher.run_once()).begun == 1
    assert (await board.dispatcher.run_once()).begun == 0


async def test_a_scheduled_call_waits_for_its_time(board: Switchboard) -> None:
    call_id = await board.place(scheduled_at=datetime.now(UTC) + timedelta(hours=1))
    assert (await board.dispatcher.run_once()).begun == 0
    assert board.rung(call_id) == [False]


async def test_what_was_due_a_moment_ago_is_called_at_once(board: Switchboard) -> None:
    await board.place(scheduled_at=datetime.now(UTC) - LONGEST_PAST / 2)
    assert (await board.dispatcher.run_once()).begun == 1


async def test_a_scheduled_call_asked_for_again_once_it_is_long_past_is_the_same_call(
    board: Switchboard,
) -> None:
    call_id = await board.place(scheduled_at=datetime.now(UTC) + timedelta(minutes=1))
    long_past = CallRequest(to=TO, scheduled_at=datetime.now(UTC) - timedelta(days=1))
    again = await board.requests.start(board.owner, long_past, new_id=call_id)
    assert again.call.id == call_id


async def test_a_queued_call_is_cancelled_for_good(board: Switchboard) -> None:
    call_id = await board.place()
    for _ in range(2):
        cancelled = await board.requests.cancel(board.owner, call_id)
        assert cancelled.state is CallState.MISSED
    assert (await board.dispatcher.run_once()).begun == 0


async def test_a_ringing_call_is_cancelled_and_its_room_is_gone(
    board: Switchboard, redis: Redis
) -> None:
    call_id = await board.place()
    await board.dispatcher.run_once()
    await board.requests.cancel(board.owner, call_id)

    assert await board.state(call_id) is CallState.MISSED
    assert outbound_room_of(call_id) not in board.rooms.rooms
    again = await board.requests.cancel(board.owner, call_id)
    assert again.state is CallState.MISSED
    await EventDrain(redis, board.database).run_once()
    with_record = await board.requests.cancel(board.owner, call_id)
    assert with_record.state is CallState.MISSED


async def test_a_call_that_nobody_answered_was_not_cancelled(board: Switchboard) -> None:
    call_id = await board.place()
    await board.dispatcher.run_once()
    assert await board.live.miss(call_id, NO_WORKER)
    with pytest.raises(Conflict):
        await board.requests.cancel(board.owner, call_id)


async def test_an_answered_call_is_not_cancelled(board: Switchboard) -> None:
    call_id = await board.place()
    await board.dispatcher.run_once()
    known = await board.requests.start(board.owner, CallRequest(to=TO), new_id=call_id)
    await board.live.admit(arrival_of(known.call), "AJ_first")
    await board.live.answered(call_id, datetime.now(UTC))
    with pytest.raises(Conflict):
        await board.requests.cancel(board.owner, call_id)
    assert await board.state(call_id) is CallState.ACTIVE


async def test_another_customer_neither_sees_nor_cancels_the_call(
    board: Switchboard, stranger: Principal
) -> None:
    call_id = await board.place()
    with pytest.raises(NotFound):
        await board.requests.cancel(stranger, call_id)
    with pytest.raises(NotFound):
        await board.requests.start(stranger, CallRequest(to=TO, from_number=board.number.number))


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"to": "112"}, "to"),
        ({"to": "+12015550100"}, "to"),
        ({"to": "+19005550123"}, "to"),
        ({"to": "+88216123456"}, "to"),
        ({"ring_timeout_s": 4}, "ring_timeout_s"),
        ({"ring_timeout_s": 76}, "ring_timeout_s"),
        ({"scheduled_at": datetime(2030, 1, 1)}, "scheduled_at"),  # noqa: DTZ001 - what is refused
        ({"scheduled_at": datetime.now(UTC) + timedelta(days=31)}, "scheduled_at"),
        ({"scheduled_at": datetime.now(UTC) - timedelta(minutes=10)}, "scheduled_at"),
        ({"metadata": {"long": "x" * 20_000}}, "metadata"),
        ({"from_number": "12"}, "from"),
    ],
)
async def test_what_cannot_be_meant_is_refused_with_its_field(
    board: Switchboard, fields: dict[str, object], field: str
) -> None:
    with pytest.raises(InvalidField) as refused:
        await board.requests.start(
            board.owner,
            CallRequest(**{"to": TO, **fields}),  # type: ignore[arg-type]
        )
    assert refused.value.field == field


async def test_without_credit_nothing_is_queued(board: Switchboard, redis: Redis) -> None:
    await redis.set(redis_keys.balance(board.owner.organization_id), 0)
    with pytest.raises(InsufficientCredits):
        await board.place()


async def test_the_record_tells_of_a_call_from_the_queue_to_its_end(
    board: Switchboard, redis: Redis
) -> None:
    records = CallRecords(board.database)
    call_id = await board.place()
    queued = (await records.get(board.owner, call_id)).record
    assert (queued.state, queued.called_number) == (CallState.QUEUED, TO)
    await board.dispatcher.run_once()
    await board.live.cancel(call_id)
    await EventDrain(redis, board.database).run_once()
    over = (await records.get(board.owner, call_id)).record
    assert (over.state, over.end_reason) == (CallState.MISSED, EndReason.CANCELLED)
