"""Several agents in one room, each with a call of its own, on a real Redis and fake rooms."""

import uuid

import pytest
from redis.asyncio import Redis

from dispatch.accounts import Principal
from dispatch.calls import Admitted, Arrival, CallEnd, Refused
from dispatch.reaper import Reaper
from dispatch.store import redis_keys
from dispatch.unanswered import UnansweredCalls
from dispatch.voice_sessions import VoiceSessions
from dispatch.workers import WorkerPresence
from telephony.calls import CallState, EndedBy, EndReason
from telephony.ports import ObservedParticipant
from tests.builders.live_calls import Tenant, live_calls, settings
from tests.fakes.livekit_rooms import FakeRooms

pytestmark = pytest.mark.integration

ROOM = "proj_1_room"


class Table:
    """A room with a caller in it, to whom agents come."""

    def __init__(self, redis: Redis, tenant: Tenant) -> None:
        self.rooms = FakeRooms()
        self.rooms.open_room(ROOM)
        self.rooms.participants[ROOM].append(ObservedParticipant("caller", "standard", {}, None))
        self.calls = live_calls(redis)
        self._redis = redis
        self._tenant = tenant

    async def seat(self, seat: str, agent_id: uuid.UUID | None = None) -> Arrival:
        """Send an agent to a seat; return the call as its job finds it."""
        tenant = self._tenant
        sessions = VoiceSessions(self._redis, self.rooms, settings())
        owner = Principal(tenant.organization_id, tenant.project_id, uuid.uuid4(), "key")
        await sessions.open(
            owner, agent_id or tenant.agent_id, ROOM, "caller", seat=seat, room_is_open=True
        )
        found = await sessions.find(ROOM, seat)
        assert found
        return found.to_arrival()

    async def refuse(self, arrival: Arrival) -> None:
        """Let the call's agent be gone by the time that its job asks."""
        key = redis_keys.agent(self._tenant.agent_id)
        ready = await self._redis.hget(key, "ready")
        await self._redis.hset(key, "ready", "0")
        assert isinstance(await self.calls.admit(arrival, f"AJ_{arrival.seat}"), Refused)
        await self._redis.hset(key, "ready", str(ready))

    async def admit(self, arrival: Arrival) -> None:
        """Let the call's job begin."""
        assert isinstance(await self.calls.admit(arrival, f"AJ_{arrival.seat}"), Admitted)

    async def state(self, arrival: Arrival) -> CallState:
        """Return how far the call is."""
        call = await self.calls.find(arrival.call_id)
        assert call
        return call.state

    def lose_job(self, seat: str) -> None:
        """Have LiveKit drop the job of a seat."""
        self.rooms.seats[ROOM].remove(seat)


@pytest.fixture
def table(redis: Redis, tenant: Tenant) -> Table:
    return Table(redis, tenant)


class TestLostJobs:
    @pytest.fixture
    def unanswered(self, redis: Redis, table: Table) -> UnansweredCalls:
        presence = WorkerPresence(redis)
        return UnansweredCalls(table.calls, presence, table.rooms, "dialplane", patience_s=0)

    @pytest.fixture(autouse=True)
    async def _workers(self, redis: Redis) -> None:
        await WorkerPresence(redis).report("worker", active_calls=0, max_calls=9)

    async def test_a_second_agents_job_is_dispatched_again_while_the_first_talks(
        self, table: Table, unanswered: UnansweredCalls
    ) -> None:
        first = await table.seat("1")
        await table.seat("2")
        await table.admit(first)
        assert await unanswered.run_once() == 0
        table.lose_job("2")
        assert await unanswered.run_once() == 1
        assert table.rooms.seats[ROOM] == ["1", "2"]

    async def test_each_agents_job_is_dispatched_again_for_its_own_seat(
        self, table: Table, unanswered: UnansweredCalls
    ) -> None:
        for seat in ("1", "2", "3"):
            await table.seat(seat)
        table.lose_job("1")
        table.lose_job("3")
        assert await unanswered.run_once() == 2
        assert sorted(table.rooms.seats[ROOM]) == ["1", "2", "3"]


class TestReaping:
    @pytest.fixture
    def reaper(self, table: Table) -> Reaper:
        return Reaper(table.calls, table.rooms, sweep_interval_s=0)

    async def swept(self, reaper: Reaper) -> None:
        """Sweep often enough for what is left behind to be deleted."""
        for _ in range(3):
            await reaper.run_once()

    async def test_an_agent_that_no_job_took_is_missed_and_the_other_talks_on(
        self, table: Table
    ) -> None:
        talking, waiting = await table.seat("1"), await table.seat("2")
        await table.admit(talking)
        await self.swept(Reaper(table.calls, table.rooms, sweep_interval_s=0, unanswered_s=0))
        assert await table.state(waiting) is CallState.MISSED
        assert ROOM in table.rooms.rooms

    async def test_a_room_in_which_no_agent_came_to_talk_is_deleted(self, table: Table) -> None:
        for seat in ("1", "2"):
            await table.seat(seat)
        await self.swept(Reaper(table.calls, table.rooms, sweep_interval_s=0, unanswered_s=0))
        assert table.rooms.rooms == {}

    @pytest.mark.parametrize("refused_first", [True, False])
    async def test_a_first_agent_that_is_refused_leaves_the_room_to_the_second(
        self, table: Table, reaper: Reaper, *, refused_first: bool
    ) -> None:
        refused, talking = await table.seat("1"), await table.seat("2")
        if refused_first:
            await table.refuse(refused)
        await table.admit(talking)
        if not refused_first:
            await table.refuse(refused)
        await self.swept(reaper)
        assert ROOM in table.rooms.rooms

    async def test_a_room_that_the_last_agent_left_behind_is_deleted(
        self, table: Table, reaper: Reaper
    ) -> None:
        refused, talking = await table.seat("1"), await table.seat("2")
        await table.refuse(refused)
        await table.admit(talking)
        await table.calls.end(talking.call_id, CallEnd(EndedBy.CALLER, EndReason.HANG_UP))
        await self.swept(reaper)
        assert table.rooms.rooms == {}

    async def test_an_agent_without_a_seat_keeps_the_session_it_waits_for(
        self, table: Table
    ) -> None:
        alone = await table.seat("")
        beside = await table.seat("2")
        await table.admit(beside)
        await table.admit(alone)
        assert await table.state(alone) is CallState.RINGING
        found = await table.calls.find_in_room(ROOM)
        assert found
        assert found.call_id == alone.call_id
