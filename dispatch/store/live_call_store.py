"""The scripts that admit, meter and end calls, as typed functions."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal

import orjson

from dispatch.billing.items import KeySource
from dispatch.billing.prices import PriceTable
from dispatch.billing.pricing import NO_USAGE, PricedUsage
from dispatch.billing.rates import TimeRates
from dispatch.calls import Arrival, CallEnd, EventType
from dispatch.settings import DispatchSettings
from dispatch.store import redis_keys
from dispatch.store.credential_cache import Presumed
from dispatch.store.lua_scripts import LuaScripts
from dispatch.store.redis_client import RedisClient, translate_redis_errors
from telephony.calls import CallKind

KEEP_S = 3_600
"""How long a call that is over stays known, so that a late job or report finds it over."""

SESSION_KEEP_S = 86_400
"""How long a web session is known by its room: as long as the longest call."""

_MOST_AT_ONCE = 10_000
"""Calls one run of a loop looks at. More than ever ring at once: browsers' sessions ring from their
opening, and those that nobody joins must not hide a telephone that rings since."""

EndMode = Literal["end", "lost", "miss", "cancel"]


@dataclass(frozen=True, slots=True)
class SessionFields:
    """What is stored of a voice session when it is opened."""

    session_id: str
    agent_id: uuid.UUID
    organization_id: uuid.UUID
    project_id: uuid.UUID
    metadata: str
    """A JSON object."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What a number's behaviour makes of a call, as the admit script takes it."""

    kind: Literal["", "converse", "attend", "refuse"] = ""
    subject: str = ""
    """The agent in place of the number's own, or why the call is refused."""
    plan: str = ""
    """A `CallPlan` in JSON."""
    stand_in: str = ""
    """The plan for when the agent cannot take the call; empty refuses it then."""
    attendant: str = ""
    """The profile of whoever answers then, in JSON."""


UNDECIDED: Final = Decision()


class LiveCallStore:
    """One method per script. All raise `StoreUnavailable` when Redis cannot be reached."""

    def __init__(self, redis: RedisClient, settings: DispatchSettings) -> None:
        self._redis = redis
        self._scripts = LuaScripts(redis)
        self._settings = settings
        self._lease_ttl_ms = _milliseconds(settings.lease_ttl.total_seconds())
        self._credit_low_ms = _milliseconds(settings.credit_low.total_seconds())
        self._credit_block_ms = _milliseconds(settings.credit_block.total_seconds())
        self._rates = TimeRates(settings)

    async def ring(self, arrival: Arrival) -> None:
        """Run the ring script."""
        await self._run("ring", *arrival_args(arrival))

    async def admit(
        self, arrival: Arrival, job_id: str, decision: Decision = UNDECIDED
    ) -> list[str]:
        """Run the admit script and return its answer.

        It is `admitted` and fields, `refused` and why, or `decide` and the number's route, which
        has a behaviour that must be judged first.
        """
        settings = self._settings
        table = self._rates.table(datetime.now(UTC))
        platform = self._rates.rate(table, arrival.kind, KeySource.PLATFORM)
        own = self._rates.rate(table, arrival.kind, KeySource.OWN)
        answer: list[str] = await self._run(
            "admit",
            *arrival_args(arrival),
            platform.per_minute,
            platform.block,
            self._lease_ttl_ms,
            settings.max_calls,
            settings.max_calls_per_organization,
            settings.max_calls_per_number,
            KEEP_S,
            job_id,
            arrival.seat,
            own.per_minute,
            own.block,
            table.version,
            decision.kind,
            decision.subject,
            decision.plan,
            decision.stand_in,
            decision.attendant,
        )
        return answer

    async def open_session(
        self, arrival: Arrival, fields: SessionFields, presumed: Presumed | None = None
    ) -> list[str]:
        """Run the open script; answers `opened`, the agent's name, created-at ms, or why not.

        Raises:
            NotConfirmed: Who asks is not who was presumed; nothing was done.
            RateLimited: They ask too often; nothing was done.
        """
        settings = self._settings
        table = self._rates.table(datetime.now(UTC))
        call_id, arrival_json, room_name, *_ = arrival_args(arrival)
        used: list[Any]
        answer: list[str]
        used, *answer = await self._run(
            "open_session",
            call_id,
            arrival_json,
            room_name,
            str(fields.agent_id),
            str(fields.organization_id),
            str(fields.project_id),
            fields.session_id,
            arrival.caller_identity,
            fields.metadata,
            self._rates.rate(table, CallKind.WEB, KeySource.PLATFORM).block,
            settings.max_calls,
            settings.max_calls_per_organization,
            SESSION_KEEP_S,
            arrival.seat,
            self._rates.rate(table, CallKind.WEB, KeySource.OWN).block,
            *(() if presumed is None else (presumed.api, presumed.owner)),
            keys=() if presumed is None else (presumed.key,),
        )
        if presumed is not None:
            presumed.confirm(used)
        return answer

    async def find_session(self, room_name: str, seat: str = "") -> dict[str, str]:
        """Return the fields of the session in this room, at this seat; empty when there is none."""
        with translate_redis_errors():
            fields = await self._redis.hgetall(_session_key(room_name, seat))
        return {str(name): str(value) for name, value in fields.items()}

    async def forget_session(self, room_name: str, seat: str = "") -> None:
        """Forget the session in this room, at this seat."""
        with translate_redis_errors():
            await self._redis.delete(_session_key(room_name, seat))

    async def forsake(self, call_id: uuid.UUID, job_id: str) -> bool:
        """Run the forsake script; whether the call was this job's, and goes on."""
        return bool(await self._run("forsake", str(call_id), job_id))

    async def answered(self, call_id: uuid.UUID, at: datetime) -> int | None:
        """Run the answered script; the time of the answer in ms, or None when not live."""
        answer = await self._run("answered", str(call_id), _at_ms(at))
        return None if answer is None else int(answer)

    def prices(self, version: str) -> PriceTable:
        """Return a version of the price table."""
        return self._rates.prices.version(version)

    async def beat(
        self, call_id: uuid.UUID, answered_at: datetime | None, usage: PricedUsage
    ) -> tuple[str, str, bool]:
        """Run the beat script; the state, milliseconds of talk left (or `free`), extendable."""
        state, left_ms, extendable = await self._run(
            "beat",
            str(call_id),
            self._lease_ttl_ms,
            self._credit_low_ms,
            _optional_ms(answered_at),
            self._credit_block_ms,
            *_usage_args(usage),
        )
        return state, left_ms, bool(extendable)

    async def record(
        self,
        call_id: uuid.UUID,
        entry_id: str,
        event_type: EventType,
        data: Mapping[str, object],
    ) -> bool:
        """Run the record script; False when the call is unknown."""
        text = orjson.dumps(data).decode()
        return bool(await self._run("record", str(call_id), event_type, text, entry_id))

    async def end(
        self,
        call_id: uuid.UUID,
        mode: EndMode,
        call_end: CallEnd,
        at: datetime | None = None,
        answered_at: datetime | None = None,
        usage: PricedUsage = NO_USAGE,
    ) -> list[str] | None:
        """Run the end script; the fields of a settlement, or None when the mode forbids it."""
        ending = {
            "ended_by": call_end.ended_by,
            "end_reason": call_end.end_reason,
            "sip_code": call_end.sip_code,
        }
        answer: list[str] | None = await self._run(
            "end",
            str(call_id),
            mode,
            orjson.dumps(ending).decode(),
            _optional_ms(at),
            _optional_ms(answered_at),
            KEEP_S,
            *_usage_args(usage),
        )
        return answer

    async def overdue(self, key: Literal["calls_live", "calls_ringing"], age_s: float) -> list[str]:
        """Run the overdue script: calls of the set with a score at least so long ago."""
        found: list[str] = await self._run("overdue", key, _milliseconds(age_s), _MOST_AT_ONCE)
        return found

    async def now_s(self) -> float:
        """Return the present by the clock of Redis, in seconds."""
        with translate_redis_errors():
            seconds, microseconds = await self._redis.time()
        return seconds + microseconds / 1e6

    async def find(self, call_id: uuid.UUID) -> dict[str, str | None]:
        """Return kind, state, room_name, seat and some times of a call, None where missing."""
        names = ["kind", "state", "admitted_at_ms", "room_name", "ringing_at_ms", "seat"]
        with translate_redis_errors():
            values = await self._redis.hmget(redis_keys.call(call_id), names)
        return {
            name: None if value is None else str(value)
            for name, value in zip(names, values, strict=True)
        }

    async def known(self, call_ids: Sequence[uuid.UUID]) -> list[bool]:
        """Return for each call whether Redis holds it."""
        with translate_redis_errors():
            async with self._redis.pipeline(transaction=False) as pipe:
                for call_id in call_ids:
                    pipe.exists(redis_keys.call(call_id))
                return [bool(held) for held in await pipe.execute()]

    async def _run(self, script: str, *args: str | int, keys: Sequence[str] = ()) -> Any:
        with translate_redis_errors():
            return await self._scripts.run(script, keys, args)


def _session_key(room_name: str, seat: str) -> str:
    return redis_keys.seat(seat, room_name) if seat else redis_keys.voice_session(room_name)


def arrival_args(arrival: Arrival) -> tuple[str, str, str, str, str]:
    """Return what the scripts share: id, JSON, room, kind, our own number (empty for none)."""
    told = {
        "kind": arrival.kind,
        "direction": arrival.direction,
        "room_name": arrival.room_name,
        "caller_identity": arrival.caller_identity,
        "called_number": arrival.did,
        "caller_number": arrival.caller_number,
        "sip_call_id": arrival.sip_call_id,
        "carrier_call_id": arrival.carrier_call_id,
    }
    # Telephones name themselves, and Postgres takes no NUL: the call would not be on record.
    storable = {name: value and value.replace("\0", "") for name, value in told.items()}
    text = orjson.dumps(storable).decode()
    return str(arrival.call_id), text, arrival.room_name, arrival.kind, arrival.own_number or ""


def _usage_args(usage: PricedUsage) -> tuple[int, int, str]:
    return usage.total_quantity, usage.cost_microcredits, usage.to_json()


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)


def _at_ms(at: datetime) -> int:
    return _milliseconds(at.timestamp())


def _optional_ms(at: datetime | None) -> int | str:
    return "" if at is None else _at_ms(at)
