"""Commands to live calls on a real Redis: carried out once at most, whoever dies."""

import asyncio
import time
import uuid
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from redis.asyncio import Redis

from dispatch.accounts import Principal
from dispatch.call_records import CallRecords
from dispatch.calls import CallEnd
from dispatch.commands import (
    CallCommands,
    Command,
    CommandName,
    CommandQueue,
    CommandResult,
    CommandStatus,
)
from dispatch.errors import (
    CallNotLive,
    CommandFailed,
    CommandUnanswered,
    Conflict,
    InvalidField,
    NotFound,
    StoreUnavailable,
)
from dispatch.secrets.envelope import KEY_BYTES, KeyRing
from dispatch.store import redis_keys
from dispatch.store.command_store import MOST_WAITING
from dispatch.store.engine import Database
from dispatch.store.redis_client import RedisClient
from telephony.calls import EndedBy, EndReason
from tests.builders.installation_keys import KEYS
from tests.builders.live_calls import Tenant, live_calls

pytestmark = pytest.mark.integration

DONE = CommandResult(CommandStatus.DONE, "The caller is on hold.")


def principal_of(tenant: Tenant) -> Principal:
    return Principal(
        organization_id=tenant.organization_id,
        project_id=tenant.project_id,
        key_id=uuid.uuid4(),
        name="till",
    )


class Desk:
    """A talking call, whoever commands it, and its worker's queue."""

    def __init__(self, redis: RedisClient, database: Database, patience_s: float = 30) -> None:
        self.redis = redis
        self.tenant = Tenant()
        self.arrival = self.tenant.arrival()
        self.call_id = self.arrival.call_id
        self.principal = principal_of(self.tenant)
        self.calls = live_calls(redis)
        self.queue = CommandQueue(redis, KEYS)
        self.records = CallRecords(database)
        self.be_patient(patience_s)

    def be_patient(self, patience_s: float) -> None:
        patience = dict.fromkeys(CommandName, timedelta(seconds=patience_s))
        self.commands = CallCommands(self.redis, self.records, KEYS, patience)

    async def answer(self) -> None:
        await self.tenant.publish(self.redis, balance=1_000_000)
        await self.calls.admit(self.arrival)
        await self.calls.answered(self.call_id, datetime.now(UTC))

    async def hang_up(self) -> None:
        await self.calls.end(self.call_id, CallEnd(EndedBy.CALLER, EndReason.HANG_UP))

    def ask(
        self, name: CommandName = CommandName.HOLD, *, new_id: uuid.UUID | None = None, **given: Any
    ) -> asyncio.Task[CommandResult]:
        return asyncio.ensure_future(
            self.commands.carry_out(
                self.principal, self.call_id, name, given, new_id or uuid.uuid4()
            )
        )

    async def queued(self, count: int) -> None:
        """Return once so many commands wait for the worker."""
        lanes = [redis_keys.commands(lane, self.call_id) for lane in ("ordered", "urgent")]
        async with asyncio.timeout(30):
            while sum([await self.redis.llen(lane) for lane in lanes]) < count:
                await asyncio.sleep(0.005)

    async def take(self) -> Command:
        async with asyncio.timeout(30):
            while (command := await self.queue.take(self.call_id, 1.5)) is None:
                pass
        return command


@pytest.fixture
async def desk(redis: RedisClient, database: Database) -> Desk:
    desk = Desk(redis, database)
    await desk.answer()
    return desk


async def test_the_worker_is_told_and_its_answer_is_the_answer(desk: Desk) -> None:
    asked = desk.ask(CommandName.SAY, text="Good morning")
    command = await desk.take()
    assert (command.name, command.arguments) == (CommandName.SAY, {"text": "Good morning"})
    await desk.queue.finish(command, DONE)
    assert await asked == DONE


async def test_what_is_to_be_said_or_pressed_never_stands_in_redis(
    desk: Desk, redis: Redis
) -> None:
    new_id = uuid.uuid4()
    asked = desk.ask(CommandName.DTMF, new_id=new_id, keys="4929123412341234")
    await desk.queued(1)
    waiting = await redis.hgetall(redis_keys.command(new_id))
    assert waiting["arguments"]
    assert "4929123412341234" not in str(waiting)
    command = await desk.take()
    assert command.arguments == {"keys": "4929123412341234"}
    assert "arguments" not in await redis.hgetall(redis_keys.command(new_id))
    await desk.queue.finish(command, DONE)
    await asked


async def test_a_command_that_the_worker_cannot_read_is_told_as_failed(desk: Desk) -> None:
    asked = desk.ask(CommandName.SAY, text="Good morning")
    await desk.queued(1)
    other = KeyRing({"another": b"a" * KEY_BYTES})
    assert await CommandQueue(desk.redis, other).take(desk.call_id, 1.5) is None
    with pytest.raises(CommandFailed, match="could not read"):
        await asked


async def test_arguments_that_were_put_under_another_command_do_not_open(
    desk: Desk, redis: Redis
) -> None:
    ids = uuid.uuid4(), uuid.uuid4()
    asked = [desk.ask(CommandName.SAY, new_id=each, text=str(each)) for each in ids]
    await desk.queued(2)
    first, second = (redis_keys.command(each) for each in ids)
    await redis.hset(second, "arguments", await redis.hget(first, "arguments"))
    for command in [await desk.queue.take(desk.call_id, 1.5) for _ in ids]:
        if command is not None:
            assert command.arguments == {"text": command.command_id}
            await desk.queue.finish(command, DONE)
    assert await asked[0] == DONE
    with pytest.raises(CommandFailed, match="could not read"):
        await asked[1]


async def test_commands_are_taken_in_the_order_they_came_but_an_end_goes_first(desk: Desk) -> None:
    asked = []
    for name in (CommandName.HOLD, CommandName.RESUME, CommandName.END):
        asked.append(desk.ask(name))
        await desk.queued(len(asked))
    taken = [(await desk.take()).name for _ in asked]
    assert taken == [CommandName.END, CommandName.HOLD, CommandName.RESUME]
    for task in asked:
        task.cancel()


async def test_an_end_can_be_taken_while_something_else_is_at_work(desk: Desk) -> None:
    transfer = desk.ask(CommandName.TRANSFER)
    await desk.take()
    hold = desk.ask(CommandName.HOLD)
    await desk.queued(1)
    assert await desk.queue.take_urgent(desk.call_id) is None
    end = desk.ask(CommandName.END)
    await desk.queued(2)
    urgent = await desk.queue.take_urgent(desk.call_id)
    assert urgent is not None
    assert urgent.name is CommandName.END
    for task in (transfer, hold, end):
        task.cancel()


class TestRefusals:
    async def test_another_projects_call_is_not_there(self, desk: Desk) -> None:
        desk.principal = principal_of(Tenant())
        with pytest.raises(NotFound):
            await desk.ask()

    async def test_an_unknown_call_is_not_there(self, desk: Desk) -> None:
        desk.call_id = uuid.uuid4()
        with pytest.raises(NotFound):
            await desk.ask()

    async def test_a_call_that_is_over_takes_no_command(self, desk: Desk) -> None:
        await desk.hang_up()
        with pytest.raises(CallNotLive, match="has ended"):
            await desk.ask()

    async def test_a_call_that_still_rings_takes_no_command(
        self, redis: RedisClient, database: Database
    ) -> None:
        desk = Desk(redis, database)
        await desk.tenant.publish(redis, balance=1_000_000)
        await desk.calls.admit(desk.arrival)
        with pytest.raises(CallNotLive, match="not answered yet"):
            await desk.ask()

    async def test_too_many_waiting_commands_are_a_conflict(self, desk: Desk) -> None:
        waiting = [desk.ask() for _ in range(MOST_WAITING)]
        await desk.queued(MOST_WAITING)
        with pytest.raises(Conflict, match="wait already"):
            await desk.ask()
        for task in waiting:
            task.cancel()

    @pytest.mark.parametrize(
        ("result", "error"),
        [
            (CommandResult(CommandStatus.REFUSED, "Not now."), Conflict),
            (CommandResult(CommandStatus.REFUSED, "Not there.", wrong_field="to"), InvalidField),
            (CommandResult(CommandStatus.FAILED, "LiveKit did not."), CommandFailed),
            (CommandResult(CommandStatus.OVER, "The call ended first."), CallNotLive),
        ],
    )
    async def test_the_worker_says_no_and_why(
        self, desk: Desk, result: CommandResult, error: type[Exception]
    ) -> None:
        asked = desk.ask()
        await desk.queue.finish(await desk.take(), result)
        with pytest.raises(error, match=result.sentence):
            await asked

    async def test_without_redis_nothing_is_asked(
        self, dead_redis: RedisClient, database: Database
    ) -> None:
        with pytest.raises(StoreUnavailable):
            await Desk(dead_redis, database).ask()


class TestDeaths:
    async def test_a_command_nobody_begins_in_time_is_withdrawn_for_good(
        self, redis: RedisClient, database: Database
    ) -> None:
        desk = Desk(redis, database, patience_s=0.2)
        await desk.answer()
        with pytest.raises(CommandUnanswered, match="will not be carried out"):
            await desk.ask()
        assert await desk.queue.take(desk.call_id, 0.05) is None

    async def test_of_a_command_that_takes_long_it_is_said_that_it_goes_on(
        self, desk: Desk, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked = desk.ask()
        await desk.take()
        later = SimpleNamespace(monotonic=lambda: time.monotonic() + 60)
        monkeypatch.setattr("dispatch.commands.time", later)
        with pytest.raises(CommandUnanswered, match="still being carried out"):
            await asked

    async def test_a_call_that_ends_takes_its_waiting_commands_along(self, desk: Desk) -> None:
        asked = desk.ask()
        await desk.queued(1)
        await desk.hang_up()
        with pytest.raises(CallNotLive):
            await asked
        assert await desk.queue.take(desk.call_id, 0.05) is None

    async def test_a_worker_that_dies_over_a_command_leaves_it_to_the_end_of_the_call(
        self, desk: Desk
    ) -> None:
        asked = desk.ask()
        await desk.take()
        await desk.hang_up()
        with pytest.raises(CallNotLive, match="before the command was carried out"):
            await asked

    async def test_who_asks_again_after_a_crash_hears_the_first_answer_and_nothing_is_done_twice(
        self, desk: Desk
    ) -> None:
        new_id = uuid.uuid4()
        first = desk.ask(new_id=new_id)
        await desk.queued(1)
        first.cancel()
        again = desk.ask(new_id=new_id)
        await desk.queue.finish(await desk.take(), DONE)
        assert await again == DONE
        assert await desk.ask(new_id=new_id) == DONE
        assert await desk.queue.take(desk.call_id, 0.05) is None

    async def test_what_was_withdrawn_may_be_asked_for_again(
        self, redis: RedisClient, database: Database
    ) -> None:
        desk = Desk(redis, database, patience_s=0.3)
        await desk.answer()
        new_id = uuid.uuid4()
        with pytest.raises(CommandUnanswered):
            await desk.ask(new_id=new_id)
        desk.be_patient(30)
        again = desk.ask(new_id=new_id)
        await desk.queued(2)
        # The first entry is still in the queue: both name the one command, begun once.
        await desk.queue.finish(await desk.take(), DONE)
        assert await again == DONE
        assert await desk.queue.take(desk.call_id, 0.05) is None
