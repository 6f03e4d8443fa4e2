"""A customer who can call out, for the tests of both ends of the queue."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from pydantic import SecretStr
from redis.asyncio import Redis

from dispatch.accounts import ADMINISTRATOR, Principal
from dispatch.agent_profile import AgentDraft
from dispatch.live_calls import LiveCalls
from dispatch.numbers import PhoneNumber
from dispatch.outbound.dispatcher import OutboundDispatcher
from dispatch.outbound.requests import CallRequest, OutboundCalls
from dispatch.outbound_call import outbound_room_of
from dispatch.store.engine import Database
from dispatch.terminations import TerminationDraft, Terminations
from telephony.calls import CallState
from telephony.errors import VendorUnavailable
from tests.builders.installation_keys import KEYS
from tests.builders.live_calls import settings
from tests.fakes.livekit_rooms import FakeRooms
from tests.integration.dispatch.conftest import UseCases

TO = "+12015550177"
CREDIT = 10_000_000


@dataclass
class Switchboard:
    """A customer with a number that can call out, and both ends of the queue."""

    owner: Principal
    number: PhoneNumber
    requests: OutboundCalls
    dispatcher: OutboundDispatcher
    rooms: FakeRooms
    live: LiveCalls
    database: Database

    async def place(self, **fields: object) -> uuid.UUID:
        """Ask for a call and return its id."""
        request = CallRequest(to=TO, **fields)  # type: ignore[arg-type]
        return (await self.requests.start(self.owner, request)).call.id

    async def state(self, call_id: uuid.UUID) -> CallState | None:
        """Where the call stands in Redis, None when it was not begun."""
        call = await self.live.find(call_id)
        return None if call is None else call.state

    async def run_without_livekit(self) -> None:
        """Run the dispatcher once while no room can be made."""
        self.rooms.unreachable = True
        with pytest.raises(VendorUnavailable):
            await self.dispatcher.run_once()
        self.rooms.unreachable = False

    def rung(self, *call_ids: uuid.UUID) -> Sequence[bool]:
        """Whether each call has a room with a job."""
        return [outbound_room_of(call_id) in self.rooms.specs for call_id in call_ids]


@pytest.fixture
async def board(
    use_cases: UseCases, owner: Principal, database: Database, redis: Redis
) -> Switchboard:
    await use_cases.credits.top_up(ADMINISTRATOR, owner.organization_id, amount_microcredits=CREDIT)
    agent = await use_cases.agents.create(owner.actor, owner, AgentDraft(name="Reception"))
    connection = await use_cases.connections.create(
        owner, name="Trunk", provider="carrier", allowed_addresses=["192.0.2.0/24"]
    )
    number = await use_cases.numbers.create(
        owner, provider="carrier", number="+12015550100", connection_id=connection.id
    )
    number = await use_cases.numbers.assign(owner, number.id, outbound_agent_id=agent.agent_id)
    terminations = Terminations(database, use_cases.routes, KEYS)
    await terminations.set(
        owner,
        connection.id,
        TerminationDraft(
            "sip.example.com:5080",
            "us",
            SecretStr("hunter2-hunter2"),
            calls_per_second=2,
            max_outbound_calls=3,
        ),
    )
    rooms = FakeRooms()
    return Switchboard(
        owner=owner,
        number=number,
        requests=OutboundCalls(database, redis, rooms, settings()),
        dispatcher=OutboundDispatcher(database, redis, rooms, settings()),
        rooms=rooms,
        live=LiveCalls(redis, settings()),
        database=database,
    )
