"""Admission, metering and the end of a call: each step one atomic script in Redis."""

import json
import logging
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from dispatch.agent_profile import AgentProfile
from dispatch.attendant import attendant_of, nobodys_attendant
from dispatch.billing.pricing import NO_USAGE, PricedUsage
from dispatch.calls import (
    Admitted,
    Arrival,
    Beat,
    CallEnd,
    EventType,
    ProviderFailure,
    RefusalReason,
    Refused,
    Settlement,
    Turn,
    call_id_of_sip_room,
)
from dispatch.errors import StoreUnavailable
from dispatch.milliseconds import milliseconds_of, moment_of
from dispatch.number_behaviour import Action, CallPlan, NumberBehaviour, decide
from dispatch.numbers import ROUTE, Route
from dispatch.settings import DispatchSettings
from dispatch.store.live_call_store import Decision, LiveCallStore
from dispatch.store.lua_scripts import load_scripts
from dispatch.store.redis_client import RedisClient
from dispatch.wall_clock import WallClock, wall_clock
from telephony.calls import CallKind, CallState, EndedBy, EndReason

_log = logging.getLogger(__name__)

SIP_ROOM_PREFIX = "call_"
"""How the names of rooms begin that dispatch rules make."""

FREE_CALL_FUNDED_S = 86_400.0
"""What a call that costs nothing is said to be funded for: longer than any call may last."""


def load_live_call_scripts() -> None:
    """Read the scripts of `LiveCalls` from their files, so that no call has to wait for it."""
    load_scripts()


@dataclass(frozen=True, slots=True)
class LiveCall:
    """A call as Redis holds it: while it lives, and for an hour afterwards."""

    call_id: uuid.UUID
    kind: CallKind
    state: CallState
    admitted: bool
    """Whether it holds (or held) a slot and credit."""
    room_name: str
    rang_at: datetime
    """First sign of it."""
    seat: str = ""
    """Tells it from the calls of other agents in its room; empty where there is one."""


class LiveCalls:
    """Every call that rings or talks.

    Each method is one round trip and one atomic script that changes state, slots, money and
    appends the events that tell it; the clock is Redis's. All of them may be repeated. Every
    method except `admit` raises `StoreUnavailable` when Redis cannot be reached; what it was
    asked to do may or may not have happened, and asking again is safe.

    Args:
        redis: Where calls live.
        settings: Prices, limits and leases.
        clock: By which opening hours are judged; the settings' when None.
    """

    def __init__(
        self, redis: RedisClient, settings: DispatchSettings, clock: WallClock | None = None
    ) -> None:
        self._store = LiveCallStore(redis, settings)
        self._clock = clock or wall_clock(settings.dialplane_clock_file)

    async def ring(self, arrival: Arrival) -> None:
        """Put a ringing call on record, once; it holds nothing."""
        await self._store.ring(arrival)

    async def admit(self, arrival: Arrival, job_id: str = "") -> Admitted | Refused:
        """Lease a slot and reserve a first block of credit, or say why not.

        A call to a number with a behaviour takes a second round trip: what it makes of the call is
        decided here, by calendar and clock, and admitted or refused there.

        Repeated, it returns the same answer while the call lives, with the profile as it was at
        the first admission; for a call that is over it is Refused(ALREADY_OVER). It puts the call
        on record if `ring` did not. When Redis cannot be reached it returns
        Refused(STORE_UNAVAILABLE): nobody is answered for free.

        Args:
            arrival: Who calls.
            job_id: The job that asks. A live call is its first job's: any other job is
                Refused(ALREADY_TAKEN), so that two agents never talk to one caller.
        """
        try:
            answer = await self._store.admit(arrival, job_id)
            if answer[0] == "decide":
                decision = self._decision(arrival, ROUTE.validate_json(answer[1]))
                answer = await self._store.admit(arrival, job_id, decision)
        except StoreUnavailable:
            _log.exception(
                "Call not admitted: Redis did not answer", extra={"call_id": str(arrival.call_id)}
            )
            return Refused(arrival.call_id, RefusalReason.STORE_UNAVAILABLE)
        match answer:
            case [
                "admitted",
                organization_id,
                project_id,
                profile,
                price,
                funded,
                metadata,
                version,
                plan_text,
            ]:
                plan = CallPlan.model_validate_json(plan_text) if plan_text else None
                agent = AgentProfile.model_validate_json(profile)
                return Admitted(
                    call_id=arrival.call_id,
                    organization_id=uuid.UUID(organization_id),
                    project_id=uuid.UUID(project_id),
                    agent=attendant_of(agent, plan) if plan and plan.is_attended else agent,
                    price_microcredits_per_minute=int(price),
                    funded_s=_funded_s(int(funded), int(price)),
                    metadata=json.loads(metadata),
                    prices=self._store.prices(version),
                    plan=plan,
                )
            case [_, reason]:
                return Refused(arrival.call_id, RefusalReason(reason))
            case _:
                raise AssertionError("The admit script gave an answer of another shape.")

    def _decision(self, arrival: Arrival, route: Route) -> Decision:
        plan = decide(route.behaviour or NumberBehaviour(), arrival.caller_number, self._clock())
        text = plan.model_dump_json()
        if plan.action is Action.REFUSE:
            return Decision("refuse", plan.ground.value, text)
        attendant = nobodys_attendant(route).model_dump_json()
        if plan.is_attended:
            return Decision("attend", "", text, text, attendant)
        fallback = plan.as_fallback()
        stand_in = "" if fallback is None else fallback.model_dump_json()
        other = "" if plan.agent_id is None else str(plan.agent_id)
        return Decision("converse", other, text, stand_in, attendant)

    async def answered(self, call_id: uuid.UUID, at: datetime) -> datetime | None:
        """Start the bill; the first report wins.

        Args:
            call_id: An admitted call.
            at: When the caller's leg was answered; moved into [admission, now].

        Returns:
            When the call was answered, as recorded; None when it is not live.
        """
        answered_at_ms = await self._store.answered(call_id, at)
        return None if answered_at_ms is None else moment_of(answered_at_ms)

    async def beat(
        self,
        call_id: uuid.UUID,
        answered_at: datetime | None = None,
        usage: PricedUsage = NO_USAGE,
    ) -> Beat:
        """Keep the call's slot for another `lease_ttl` and extend its reservation when low.

        Args:
            call_id: An admitted call.
            answered_at: When it was answered, if it was: noted should `answered` not have been.
            usage: All that the call used by now, at the prices it was admitted with. If the worker
                dies, this much is billed.
        """
        state, left_ms, extendable = await self._store.beat(call_id, answered_at, usage)
        if state in (CallState.RINGING, CallState.ACTIVE):
            left_s = FREE_CALL_FUNDED_S if left_ms == "free" else int(left_ms) / 1000
            return Beat(known=True, ended=False, remaining_funded_s=left_s, extendable=extendable)
        return Beat(known=False, ended=state != "unknown", remaining_funded_s=0.0, extendable=False)

    async def record_turn(self, call_id: uuid.UUID, entry_id: str, turn: Turn) -> None:
        """Put a turn on the call's transcript; also for an hour after its end.

        Args:
            call_id: The call.
            entry_id: Names this entry of the record: written again under the same name directly
                after a failure, it is on record once. Likewise for keys and tools.
            turn: What was said.
        """
        await self._record(
            call_id,
            entry_id,
            EventType.TURN,
            {
                "speaker": turn.speaker,
                "text": turn.text,
                "at_ms": milliseconds_of(turn.at),
                "interrupted": turn.interrupted,
            },
        )

    async def record_keys(
        self, call_id: uuid.UUID, entry_id: str, digits: str, at: datetime
    ) -> None:
        """Put pressed keys on the call's record."""
        data = {"digits": digits, "at_ms": milliseconds_of(at)}
        await self._record(call_id, entry_id, EventType.KEYS, data)

    async def record_tool(
        self, call_id: uuid.UUID, entry_id: str, name: str, arguments: dict[str, Any], result: str
    ) -> None:
        """Put a tool's call and its result on the call's record."""
        data = {"name": name, "arguments": arguments, "result": result}
        await self._record(call_id, entry_id, EventType.TOOL, data)

    async def record_event(
        self, call_id: uuid.UUID, entry_id: str, event_type: EventType, data: Mapping[str, object]
    ) -> None:
        """Put something on the call's record that changes nothing else there."""
        await self._record(call_id, entry_id, event_type, data)

    async def record_provider_failure(
        self, call_id: uuid.UUID, entry_id: str, failure: ProviderFailure
    ) -> None:
        """Put on the call's record which provider failed, and why."""
        await self._record(call_id, entry_id, EventType.PROVIDER_FAILED, asdict(failure))

    async def end(
        self,
        call_id: uuid.UUID,
        call_end: CallEnd,
        at: datetime | None = None,
        answered_at: datetime | None = None,
        usage: PricedUsage = NO_USAGE,
    ) -> Settlement:
        """End the call, settle its bill and give back its slot, once.

        An answered call becomes `ended`; one that was never answered becomes `missed` and is
        free. Repeated, it changes nothing and returns the first settlement with `repeated` True.

        Args:
            call_id: A call that rings or talks. One that Redis does not know (it lost its data)
                is put on record as ended and costs what was reserved before; one that was never
                answered costs nothing.
            call_end: Who ended it and why.
            at: When it ended, by the clock that `answered_at` is told by, which may be wrong; moved
                into [answer, now]; now when not given.
            answered_at: When it was answered, if it was: noted should `answered` not have been.
            usage: All that the call used, at the prices it was admitted with.
        """
        settled = await self._store.end(call_id, "end", call_end, at, answered_at, usage)
        if settled is None:
            raise AssertionError("The end script settles or repeats; it never declines.")
        return _settlement(call_id, settled)

    async def miss(self, call_id: uuid.UUID, call_end: CallEnd) -> bool:
        """End a call that still rings and was never admitted; False when it is any other."""
        return await self._store.end(call_id, "miss", call_end) is not None

    async def cancel(self, call_id: uuid.UUID) -> bool:
        """End a call that still rings as cancelled; False when it is in any other state.

        Repeated, it changes nothing and is True again.
        """
        cancelled = CallEnd(EndedBy.CLIENT, EndReason.CANCELLED)
        return await self._store.end(call_id, "cancel", cancelled) is not None

    async def now_s(self) -> float:
        """Return the present by the clock that leases run on, in seconds."""
        return await self._store.now_s()

    async def lapsed(self) -> list[uuid.UUID]:
        """Return the admitted calls whose heartbeat stopped for longer than `lease_ttl`."""
        return [uuid.UUID(found) for found in await self._store.overdue("calls_live", 0)]

    async def end_lost(self, call_id: uuid.UUID) -> Settlement | None:
        """End a lapsed call as system/worker_lost, billed up to its last sign of life.

        The last sign is the last heartbeat, recorded event or the answer. None, with nothing
        changed, when its heartbeat came back or it is already over.
        """
        lost = CallEnd(EndedBy.SYSTEM, EndReason.WORKER_LOST)
        settled = await self._store.end(call_id, "lost", lost)
        return None if settled is None else _settlement(call_id, settled)

    async def stale_ringing(self, older_than_s: float) -> list[uuid.UUID]:
        """Return the calls that have been ringing, not admitted, for longer than this."""
        found = await self._store.overdue("calls_ringing", older_than_s)
        return [uuid.UUID(call_id) for call_id in found]

    async def find(self, call_id: uuid.UUID) -> LiveCall | None:
        """Return the call, or None when Redis does not (or no longer) hold it."""
        fields = await self._store.find(call_id)
        if fields["state"] is None or fields["kind"] is None:
            return None
        return LiveCall(
            call_id=call_id,
            kind=CallKind(fields["kind"]),
            state=CallState(fields["state"]),
            admitted=fields["admitted_at_ms"] is not None,
            room_name=fields["room_name"] or "",
            rang_at=moment_of(fields["ringing_at_ms"] or 0),
            seat=fields["seat"] or "",
        )

    async def known(self, call_ids: Sequence[uuid.UUID]) -> set[uuid.UUID]:
        """Return those of the calls that Redis holds, live or over."""
        held = await self._store.known(call_ids)
        return {call_id for call_id, is_held in zip(call_ids, held, strict=True) if is_held}

    async def forsake(self, room_name: str, job_id: str, seat: str = "") -> bool:
        """Let the lease of a call lapse whose job is dead; it ends as if nothing was heard of it.

        Args:
            room_name: The job's room.
            job_id: As the call was admitted with.
            seat: Of the job, where several agents are in the room.

        Returns:
            Whether it was a call of this job's that is not over.
        """
        call_id = await self._call_in(room_name, seat)
        return call_id is not None and await self._store.forsake(call_id, job_id)

    async def find_in_room(self, room_name: str) -> LiveCall | None:
        """Return the call that lives (or lived) in this room; None for rooms that are not ours."""
        call_id = await self._call_in(room_name)
        return None if call_id is None else await self.find(call_id)

    async def _call_in(self, room_name: str, seat: str = "") -> uuid.UUID | None:
        if room_name.startswith(SIP_ROOM_PREFIX):
            return call_id_of_sip_room(room_name)
        session = await self._store.find_session(room_name, seat)
        return uuid.UUID(session["call_id"]) if session else None

    async def _record(
        self,
        call_id: uuid.UUID,
        entry_id: str,
        event_type: EventType,
        data: Mapping[str, object],
    ) -> None:
        storable = {name: _storable(value) for name, value in data.items()}
        if not await self._store.record(call_id, entry_id, event_type, storable):
            _log.warning(
                "Event of an unknown call dropped",
                extra={"call_id": str(call_id), "event_type": event_type},
            )


def _storable(value: object) -> object:
    """Return a JSON value without what Postgres or orjson refuse in one.

    That is NUL, halves of surrogates and whole numbers beyond 64 bits, which are kept as text, with
    all their digits. Models and tools write what they like, and the rest of it belongs on record.
    """
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        return str(value)
    if isinstance(value, str):
        return value.replace("\0", "").encode(errors="replace").decode()
    if isinstance(value, Mapping):
        return {str(_storable(name)): _storable(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_storable(item) for item in value]
    return value


def _settlement(call_id: uuid.UUID, answer: list[str]) -> Settlement:
    state, ended_at_ms, billed_s, cost, refunded, uncollected, repeated = answer
    return Settlement(
        call_id=call_id,
        state=CallState(state),
        ended_at=moment_of(ended_at_ms),
        billed_s=int(billed_s),
        cost_microcredits=int(cost),
        refunded_microcredits=int(refunded),
        uncollected_microcredits=int(uncollected),
        repeated=repeated == "1",
    )


def _funded_s(amount_microcredits: int, price_microcredits_per_minute: int) -> float:
    if price_microcredits_per_minute == 0:
        return FREE_CALL_FUNDED_S
    return amount_microcredits * 60 / price_microcredits_per_minute
