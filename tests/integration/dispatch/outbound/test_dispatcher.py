"""Outbound calls from the queue to the room with its job, over real stores and a fake LiveKit."""

import asyncio
import base64
import uuid

import pytest
from redis.asyncio import Redis

from dispatch.call_records import CallRecords
from dispatch.calls import Admitted
from dispatch.carrier_trunks import CarrierTrunks
from dispatch.errors import NoWayOut
from dispatch.outbound.dispatcher import arrival_of
from dispatch.outbound.requests import CallRequest
from dispatch.outbound_call import OutboundCall, outbound_room_of
from dispatch.reaper import Reaper
from dispatch.routes import Routes
from dispatch.secrets.call_secrets import CallSecrets
from dispatch.secrets.envelope import KEY_BYTES, KeyRing
from dispatch.secrets.rotation import Rotation
from dispatch.store import redis_keys
from dispatch.store.engine import Database, WriteSession
from dispatch.store.repositories import outbound_calls
from telephony.calls import CallState, EndReason
from telephony.ports import SipServer
from tests.builders.live_calls import settings
from tests.integration.dispatch.conftest import UseCases
from tests.integration.dispatch.outbound.conftest import TO, Switchboard

pytestmark = pytest.mark.integration


async def test_a_call_becomes_a_room_with_a_job_that_finds_carrier_and_admission(
    board: Switchboard, redis: Redis
) -> None:
    call_id = await board.place(metadata={"ticket": 7})
    done = await board.dispatcher.run_once()

    assert (done.begun, done.waiting) == (1, 0)
    assert board.rung(call_id) == [True]
    assert await board.state(call_id) is CallState.RINGING
    trunks = CarrierTrunks(redis, settings())
    placed = await trunks.find_placed(outbound_room_of(call_id))
    assert placed is not None
    assert (placed.to_number, placed.from_number) == (TO, board.number.number)
    assert await trunks.find(placed.connection_id) == SipServer(
        "sip.example.com:5080", "us", "hunter2-hunter2"
    )
    number = board.number.number
    assert await trunks.of_number(number, board.owner.project_id) is not None
    for asked, project_id, why in (
        (number, uuid.uuid4(), "not the project's any more"),
        ("+12015550109", board.owner.project_id, "not the project's any more"),
        (None, board.owner.project_id, "no fromNumber"),
    ):
        with pytest.raises(NoWayOut, match=why):
            await trunks.of_number(asked, project_id)
    request = await board.requests.start(board.owner, CallRequest(to=TO), new_id=call_id)
    admitted = await board.live.admit(arrival_of(request.call), "AJ_first")
    assert isinstance(admitted, Admitted)
    assert admitted.metadata == {"ticket": 7}
    # A second job, after a crash, must not dial a second time.
    assert not isinstance(await board.live.admit(arrival_of(request.call), "AJ_second"), Admitted)


async def test_no_more_calls_begin_in_a_second_than_the_carrier_takes(
    board: Switchboard, redis: Redis
) -> None:
    first, second, third = [await board.place() for _ in range(3)]
    done = await board.dispatcher.run_once()
    begun_ms = [await redis.hget(redis_keys.call(each), "ringing_at_ms") for each in (first, third)]
    if begun_ms[1] is not None:
        # The machine stood still for so long that the third was right.
        assert int(begun_ms[1]) - int(begun_ms[0]) >= 1_000
    else:
        assert (done.begun, done.waiting) == (2, 1)
        assert board.rung(first, second, third) == [True, True, False]


async def test_no_call_is_looked_at_that_waits_for_a_carrier_known_to_be_full(
    board: Switchboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_at = []
    take = outbound_calls.take_queued

    async def take_queued(db: WriteSession, call_id: uuid.UUID) -> OutboundCall | None:
        looked_at.append(call_id)
        return await take(db, call_id)

    monkeypatch.setattr(outbound_calls, "take_queued", take_queued)
    for _ in range(6):
        await board.place()
    done = await board.dispatcher.run_once()
    # Two, or three where a second has passed: then the carrier's lines are taken.
    assert done.begun + done.waiting == 6
    assert len(looked_at) == done.begun + 1 < 6


async def test_a_clock_that_is_set_back_holds_no_call_back(
    board: Switchboard, redis: Redis
) -> None:
    await board.place()
    await board.place()
    assert (await board.dispatcher.run_once()).begun == 2
    async for key in redis.scan_iter("dp:outbound:pace:*"):
        await redis.persist(key)
        for index, at_ms in enumerate(await redis.lrange(key, 0, -1)):
            await redis.lset(key, index, str(int(at_ms) + 3_600_000))
    await board.place()
    assert (await board.dispatcher.run_once()).begun == 1


async def test_a_call_waits_until_one_of_the_carriers_calls_is_over(
    board: Switchboard, redis: Redis
) -> None:
    waiting = [await board.place() for _ in range(4)]
    for _ in range(2):
        await board.dispatcher.run_once()
        await forget_pace(redis)
    assert board.rung(*waiting) == [True, True, True, False]

    assert await board.live.cancel(waiting[0])
    await board.dispatcher.run_once()
    assert board.rung(*waiting)[3]


async def forget_pace(redis: Redis) -> None:
    """Let the second pass in which the last calls began."""
    # There is none any more where two seconds have passed.
    async for key in redis.scan_iter("dp:outbound:pace:*"):
        await redis.delete(key)


async def test_a_dispatcher_that_died_after_any_step_is_followed_by_one_that_finishes(
    board: Switchboard,
) -> None:
    call_id = await board.place()
    await board.run_without_livekit()
    assert await board.state(call_id) is CallState.RINGING

    assert (await board.dispatcher.run_once()).begun == 1
    assert board.rung(call_id) == [True]
    assert (await board.dispatcher.run_once()).begun == 0


async def test_a_call_that_was_over_before_its_room_was_made_is_not_begun_again(
    board: Switchboard,
) -> None:
    call_id = await board.place()
    await board.run_without_livekit()
    assert await board.live.cancel(call_id)

    await board.dispatcher.run_once()
    assert board.rung(call_id) == [False]


async def test_a_call_whose_room_cannot_be_made_yet_is_not_taken_for_abandoned(
    board: Switchboard, redis: Redis
) -> None:
    call_id = await board.place()
    for _ in range(2):
        await board.run_without_livekit()
        await redis.zincrby(redis_keys.CALLS_RINGING, -100_000, str(call_id))
    await board.run_without_livekit()
    # The reaper happens to be the first to find LiveKit back.
    assert await Reaper(board.live, board.rooms).run_once() == 0
    assert (await board.dispatcher.run_once()).begun == 1
    assert board.rung(call_id) == [True]


async def test_a_number_without_room_keeps_no_other_number_waiting(
    board: Switchboard, use_cases: UseCases, redis: Redis
) -> None:
    busy = board.number.number
    await redis.zadd(
        redis_keys.leases_number(busy),
        {f"call {n}": 10**14 for n in range(settings().max_calls_per_number)},
    )
    other = await use_cases.numbers.create(
        board.owner,
        provider="carrier",
        number="+12015550101",
        connection_id=board.number.connection_id,
    )
    agent_id = board.number.outbound_agent_id
    blocked = [await board.place(from_number=busy) for _ in range(60)]
    free = await board.place(from_number=other.number, agent_id=agent_id)

    assert (await board.dispatcher.run_once()).begun == 1
    assert board.rung(free) == [True]
    assert not any(board.rung(*blocked))


async def test_a_number_that_went_away_is_not_called_from(
    board: Switchboard, use_cases: UseCases
) -> None:
    call_id = await board.place()
    await use_cases.numbers.delete(board.owner, board.number.number)

    await board.dispatcher.run_once()
    assert board.rung(call_id) == [False]
    assert await board.state(call_id) is None
    record = (await CallRecords(board.database).get(board.owner, call_id)).record
    assert (record.state, record.end_reason) == (CallState.MISSED, EndReason.DIAL_FAILED)


async def test_two_dispatchers_begin_a_call_once(board: Switchboard) -> None:
    await board.place()
    done = await asyncio.gather(*(board.dispatcher.run_once() for _ in range(3)))
    assert sum(one.begun for one in done) == 1


async def test_a_rotation_leaves_no_carrier_under_the_old_key(
    board: Switchboard, redis: Redis, database: Database
) -> None:
    both = KeyRing({"new": b"n" * KEY_BYTES, "tests": b"\0" * KEY_BYTES})
    await board.place()
    await Rotation(database, CallSecrets(redis, both), Routes(redis), both).run()
    only_new = settings(dialplane_secrets_keys="new:" + base64.b64encode(b"n" * KEY_BYTES).decode())
    found = await CarrierTrunks(redis, only_new).find(board.number.connection_id)
    assert found == SipServer("sip.example.com:5080", "us", "hunter2-hunter2")
