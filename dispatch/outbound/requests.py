"""Asks for outbound calls, and takes them back."""

import logging
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from dispatch.access.audit import record_change
from dispatch.accounts import Principal
from dispatch.balances import Balances
from dispatch.billing.items import KeySource
from dispatch.billing.rates import TimeRates
from dispatch.calls import REFUSAL_SENTENCES, RefusalReason
from dispatch.errors import (
    AgentNotVoiceReady,
    Conflict,
    InsufficientCredits,
    InvalidField,
    NotFound,
    StoreUnavailable,
)
from dispatch.live_calls import LiveCalls
from dispatch.numbers import PhoneNumber
from dispatch.outbound.dispatcher import OUTBOUND_LOOP
from dispatch.outbound_call import OutboundCall, RequestedCall, outbound_room_of
from dispatch.paging import PageRequest
from dispatch.routes import Routes
from dispatch.settings import DispatchSettings
from dispatch.store.engine import Database, ReadSession
from dispatch.store.loop_signals import LoopSignals
from dispatch.store.redis_client import RedisClient
from dispatch.store.repositories import outbound_calls, phone_numbers
from telephony.calls import CallKind, CallState, EndedBy, EndReason
from telephony.dialling_rules import (
    DiallingRules,
    PhoneTarget,
    RefusalCode,
    TargetRefused,
    check_target,
)
from telephony.e164 import E164, parse_e164
from telephony.errors import InvalidNumber, VendorError
from telephony.ports import RoomControl

_log = logging.getLogger(__name__)

SHORTEST_RING_S = 5
LONGEST_RING_S = 75
"""LiveKit gives up waiting for an answer after 80 s."""
DEFAULT_RING_S = 30

LONGEST_PAST = timedelta(minutes=5)
"""Clocks differ and requests wait; what was due longer ago is a mistake, and would ring at once."""
_LONGEST_AHEAD = timedelta(days=30)
_LONGEST_METADATA = 16_384


class AgentCannotCall(AgentNotVoiceReady):
    """The agent is inactive or text-only.

    Args:
        agent_name: Which.
    """

    def __init__(self, agent_name: str) -> None:
        super().__init__("The agent is inactive or not enabled for voice.")
        self.agent_name = agent_name


@dataclass(frozen=True, slots=True)
class CallRequest:
    """An outbound call somebody asks for."""

    to: str
    """In E.164."""
    from_number: str | None = None
    """A number of the project; None with `phone_number_id`, or when the project has just one."""
    phone_number_id: uuid.UUID | None = None
    agent_id: uuid.UUID | None = None
    """Who talks; None for the number's outbound agent."""
    metadata: dict[str, Any] = field(default_factory=dict)
    """Kept with the call and given to the agent; `sessionVariables` go into its texts."""
    ring_timeout_s: int = DEFAULT_RING_S
    scheduled_at: datetime | None = None
    """None for now."""


class OutboundCalls:
    """Outbound calls of tenants: checked, queued and, until they are answered, cancelled.

    Args:
        database: Holds the queue.
        redis: Where calls live.
        rooms: Where a ringing call is hung up.
        settings: The installation's.
    """

    def __init__(
        self, database: Database, redis: RedisClient, rooms: RoomControl, settings: DispatchSettings
    ) -> None:
        self._database = database
        self._routes = Routes(redis)
        self._balances = Balances(redis)
        self._signals = LoopSignals(redis)
        self._live_calls = LiveCalls(redis, settings)
        self._rooms = rooms
        self._rates = TimeRates(settings)
        self._blocked = settings.dialplane_blocked_countries

    async def start(
        self, principal: Principal, request: CallRequest, *, new_id: uuid.UUID | None = None
    ) -> RequestedCall:
        """Queue a call; it is begun at its time, as soon as carrier and tenant have room for it.

        Args:
            principal: On whose behalf.
            request: What is asked for.
            new_id: The call's id; asked again under it, it is the same call.

        Raises:
            InvalidField: A value is wrong, the number may not be dialled, or its carrier takes no
                calls.
            NotFound: The project has no such number or agent, or the number has no agent.
            AgentCannotCall: The agent is inactive or text-only.
            InsufficientCredits: The balance does not cover a first block.
            StoreUnavailable: A store could not be reached.
        """
        to = _checked(request)
        call_id = new_id or uuid.uuid4()
        async with self._database.reading() as db:
            known = await outbound_calls.find_call(db, principal.project_id, call_id)
            if known is not None:
                state = await outbound_calls.state_of(db, call_id)
                return RequestedCall(known, state or CallState.QUEUED)
            number = await _find_number(db, principal, request)
            trunk = await outbound_calls.find_trunk(db, number.connection_id)
        now = datetime.now(UTC)
        # Only now: whoever repeats a request after an hour is told of the call it made.
        if request.scheduled_at is not None and request.scheduled_at < now - LONGEST_PAST:
            raise InvalidField(
                "scheduled_at",
                "scheduledAt is more than 5 minutes in the past; leave it out to call now.",
            )
        if trunk is None:
            raise InvalidField(
                "from",
                "The number's carrier connection has no termination URI, so it takes no calls.",
            )
        self._check_target(to, number.number)
        agent_id = request.agent_id or number.outbound_agent_id
        if agent_id is None:
            raise NotFound("outbound agent of the number", number.number)
        await self._check_agent_and_credit(principal, agent_id)
        call = OutboundCall(
            id=call_id,
            organization_id=principal.organization_id,
            project_id=principal.project_id,
            connection_id=number.connection_id,
            agent_id=agent_id,
            from_number=number.number,
            to_number=to,
            ring_timeout_s=request.ring_timeout_s,
            metadata=request.metadata,
            due_at=max(request.scheduled_at or now, now),
            created_at=now,
        )
        # Before the queue: the job finds the carrier as it is now.
        await self._routes.publish_trunk(trunk)
        async with self._database.transaction() as db:
            call = await outbound_calls.add_call(db, call)
            await record_change(
                db,
                principal.actor,
                "call.requested",
                target_type="call",
                target_id=call.id,
                organization_id=principal.organization_id,
                project_id=principal.project_id,
                before=None,
                after={"from_number": call.from_number, "agent_id": agent_id},
            )
        await self._wake()
        return RequestedCall(call, CallState.QUEUED)

    async def cancel(self, principal: Principal, call_id: uuid.UUID) -> RequestedCall:
        """Take a call back that is queued, dialled or ringing; the telephone falls silent.

        Cancelled again, it stays as it is.

        Raises:
            NotFound: The project has no such outbound call.
            Conflict: It was answered, or is over for another reason.
            StoreUnavailable: A store could not be reached.
        """
        async with self._database.transaction() as db:
            call = await outbound_calls.find_call(db, principal.project_id, call_id)
            if call is None:
                raise NotFound("outbound call", call_id)
            # Waits for a dispatcher that is at work on this very call.
            was_queued = await outbound_calls.end_queued(
                db, call_id, EndedBy.CLIENT, EndReason.CANCELLED
            )
        # Also when it was queued: a dispatcher may have died between ringing it and its commit.
        cancelled = await self._live_calls.cancel(call_id)
        if cancelled or was_queued:
            await self._hang_up(call)
            return RequestedCall(call, CallState.MISSED)
        if await self._was_cancelled(call):
            return RequestedCall(call, CallState.MISSED)
        raise Conflict("The call was answered or is over, so it cannot be cancelled.")

    def _check_target(self, to: E164, own: E164) -> None:
        rules = DiallingRules(own_numbers=frozenset({own}), blocked_regions=self._blocked)
        try:
            check_target(PhoneTarget(to), rules)
        except TargetRefused as exc:
            sentence = exc.sentence
            if exc.code is RefusalCode.OWN_NUMBER:
                sentence = "A number cannot call itself."
            raise InvalidField("to", sentence) from exc

    async def _check_agent_and_credit(self, principal: Principal, agent_id: uuid.UUID) -> None:
        """Refuse now what admission would refuse later; admission decides."""
        agent = await self._routes.get_agent(agent_id)
        if agent is None or agent.project_id != principal.project_id:
            raise NotFound("agent", agent_id)
        if not agent.is_voice_ready:
            raise AgentCannotCall(agent.name)
        source = KeySource.OWN if agent.needed_secrets else KeySource.PLATFORM
        table = self._rates.table(datetime.now(UTC))
        block = self._rates.rate(table, CallKind.SIP, source).block
        balance = await self._balances.get(principal.organization_id)
        if balance is None or balance < block:
            reason = (
                RefusalReason.BALANCE_UNKNOWN
                if balance is None
                else RefusalReason.INSUFFICIENT_CREDITS
            )
            raise InsufficientCredits(REFUSAL_SENTENCES[reason])

    async def _hang_up(self, call: OutboundCall) -> None:
        try:
            await self._rooms.delete_room(outbound_room_of(call.id))
        except VendorError:
            # The reaper's sweep deletes the rooms of calls that are over.
            _log.warning("room of a cancelled call not deleted", extra={"call_id": str(call.id)})

    async def _was_cancelled(self, call: OutboundCall) -> bool:
        async with self._database.reading() as db:
            return await outbound_calls.was_cancelled(db, call.id)

    async def _wake(self) -> None:
        try:
            await self._signals.wake(OUTBOUND_LOOP)
        except StoreUnavailable:
            # It is queued, and the loop runs by itself before long.
            _log.warning("outbound loop not woken, Redis is away")


def _checked(request: CallRequest) -> E164:
    """Return the number to call if all values are as they should be."""
    try:
        to = parse_e164(request.to)
    except InvalidNumber as exc:
        raise InvalidField("to", str(exc)) from exc
    if not SHORTEST_RING_S <= request.ring_timeout_s <= LONGEST_RING_S:
        raise InvalidField(
            "ring_timeout_s", f"Ring for {SHORTEST_RING_S} to {LONGEST_RING_S} seconds."
        )
    at = request.scheduled_at
    if at is not None and at.tzinfo is None:
        raise InvalidField("scheduled_at", "scheduledAt must carry its time zone.")
    if at is not None and at > datetime.now(UTC) + _LONGEST_AHEAD:
        raise InvalidField("scheduled_at", "A call can be scheduled 30 days ahead at most.")
    if len(orjson.dumps(request.metadata)) > _LONGEST_METADATA:
        raise InvalidField("metadata", "Variables and metadata may have 16 KiB in all.")
    return to


async def _find_number(db: ReadSession, principal: Principal, request: CallRequest) -> PhoneNumber:
    """Return the number that is called from."""
    if request.phone_number_id is not None:
        number = await phone_numbers.find_number(db, principal.project_id, request.phone_number_id)
        if number is None:
            raise NotFound("phone number", request.phone_number_id)
        return number
    dids = None
    if request.from_number is not None:
        try:
            dids = [parse_e164(request.from_number)]
        except InvalidNumber as exc:
            raise InvalidField("from", str(exc)) from exc
    page = await phone_numbers.list_numbers(
        db, principal.project_id, PageRequest(page=1, limit=2), dids
    )
    if dids is not None and not page.items:
        raise NotFound("phone number", request.from_number)
    if len(page.items) != 1:
        raise InvalidField(
            "from", "Say which number to call from: the project has none, or more than one."
        )
    return page.items[0]
