"""Whole numbers of more digits than most programs count: people and models write them."""

import uuid
from typing import Any

import pytest
from redis.asyncio import Redis

from tests.builders.live_calls import Tenant, events_of, live_calls
from tests.integration.dispatch.outbound.conftest import Switchboard, board

__all__ = ["board"]

pytestmark = pytest.mark.integration

THIRTY_DIGITS = 123_456_789_012_345_678_901_234_567_890


async def test_a_call_with_a_large_number_in_its_metadata_is_placed_and_so_are_others(
    board: Switchboard,
) -> None:
    large = await board.place(metadata={"reference": float(THIRTY_DIGITS)})
    other = await board.place()
    assert (await board.dispatcher.run_once()).begun == 2
    assert board.rung(large, other) == [True, True]


async def test_a_call_that_cannot_be_begun_keeps_no_other_waiting(
    board: Switchboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken, other = await board.place(), await board.place()
    begin = board.dispatcher._store.begin

    async def begin_but_one(call: Any, *rest: Any) -> Any:
        if call.id == broken:
            raise TypeError("Nobody foresaw this.")
        return await begin(call, *rest)

    monkeypatch.setattr(board.dispatcher._store, "begin", begin_but_one)
    with pytest.raises(TypeError):
        await board.dispatcher.run_once()
    assert board.rung(broken, other) == [False, True]


async def test_a_tools_large_number_is_on_record_with_all_its_digits(redis: Redis) -> None:
    tenant = Tenant()
    await tenant.publish(redis, balance=1_000_000)
    calls, arrival = live_calls(redis), tenant.arrival()
    await calls.admit(arrival)
    given = {"account": THIRTY_DIGITS, "is_new": True, "items": [-THIRTY_DIGITS, 2**64 - 1]}
    await calls.record_tool(arrival.call_id, uuid.uuid4().hex, "look_up", given, "done")
    told = (await events_of(redis, arrival.call_id))[-1]
    assert told["arguments"] == {
        "account": str(THIRTY_DIGITS),
        "is_new": True,
        "items": [str(-THIRTY_DIGITS), 2**64 - 1],
    }
