"""Changes how a number behaves: what it may do is judged here, before a call depends on it."""

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError

from dispatch.access.audit import record_change
from dispatch.accounts import Principal
from dispatch.errors import AgentNotVoiceReady, InvalidField, NotFound
from dispatch.number_behaviour import AgentAfterHours, NumberBehaviour, TransferAfterHours
from dispatch.numbers import PhoneNumber
from dispatch.opening_hours import calendar_problem
from dispatch.paging import PageRequest
from dispatch.phone_numbers import NOT_ROUTED, publish_number, require_voice_agent
from dispatch.routes import Routes
from dispatch.settings import DispatchSettings
from dispatch.store.engine import Database, ReadSession, WriteSession
from dispatch.store.repositories import phone_numbers
from telephony.dialling_rules import (
    DiallingRules,
    PhoneTarget,
    RefusalCode,
    TargetRefused,
    check_target,
    parse_target,
)
from telephony.e164 import E164

_MOST_HOPS: Final = 10
"""Numbers of a project that may pass a call on to one another."""


@dataclass(frozen=True, slots=True)
class NumbersBehaviour:
    """A number and how it behaves."""

    number: E164
    behaviour: NumberBehaviour
    status_reason: str | None = None
    """Why calls do not follow it yet; None when they do."""


class NumberBehaviours:
    """How a project's numbers behave.

    Args:
        database: The record.
        routes: Where the call path reads it.
        settings: Countries that are never dialled.
    """

    def __init__(self, database: Database, routes: Routes, settings: DispatchSettings) -> None:
        self._database = database
        self._routes = routes
        self._blocked_regions = settings.dialplane_blocked_countries

    async def get(self, principal: Principal, did: E164) -> NumbersBehaviour:
        """Return how a number behaves.

        Raises:
            NotFound: The project has no such number.
        """
        async with self._database.reading() as db:
            number = await _find(db, principal.project_id, did)
        if number is None:
            raise NotFound("phone number", did)
        return NumbersBehaviour(did, number.behaviour or NumberBehaviour())

    async def change(
        self, principal: Principal, did: E164, changes: Mapping[str, Any]
    ) -> NumbersBehaviour:
        """Set some fields of a number's behaviour anew; the next call follows.

        Args:
            principal: On whose behalf.
            did: The number.
            changes: Fields of `NumberBehaviour`; None clears one.

        Raises:
            NotFound: The project has no such number, or no agent as named for after hours.
            InvalidField: A value is wrong, the agent is text-only, or somebody the number would
                pass calls on to may not be dialled, or would pass them back.
        """
        async with self._database.transaction() as db:
            found = await _find(db, principal.project_id, did)
            before = found and await phone_numbers.find_number(
                db, principal.project_id, found.id, for_update=True
            )
            if not before:
                raise NotFound("phone number", did)
            old = before.behaviour or NumberBehaviour()
            new = _changed(old, changes)
            await self._check(db, principal, before, new)
            kept = None if new.is_plain else new
            number = await phone_numbers.set_behaviour(db, principal.project_id, before.id, kept)
            if number is None:
                raise NotFound("phone number", did)
            await record_change(
                db,
                principal.actor,
                "number.behaviour_changed",
                target_type="number",
                target_id=number.id,
                organization_id=number.organization_id,
                project_id=number.project_id,
                before=old.model_dump(mode="json"),
                after=new.model_dump(mode="json"),
            )
        is_live = await publish_number(self._routes, number)
        return NumbersBehaviour(did, new, None if is_live else NOT_ROUTED)

    async def _check(
        self, db: WriteSession, principal: Principal, number: PhoneNumber, wanted: NumberBehaviour
    ) -> None:
        problem = wanted.opening_hours and calendar_problem(wanted.opening_hours)
        if problem:
            field, sentence = problem
            raise InvalidField(f"opening_hours.{field}", sentence)
        after = wanted.after_hours
        if isinstance(after, AgentAfterHours):
            try:
                await require_voice_agent(db, principal, after.agent_id)
            except AgentNotVoiceReady as exc:
                raise InvalidField("after_hours.agent_id", str(exc)) from exc
        rules = DiallingRules(
            own_numbers=frozenset({number.number}), blocked_regions=self._blocked_regions
        )
        for field, text in _named_targets(wanted):
            target = parse_target(text)
            try:
                check_target(target, rules)
            except TargetRefused as exc:
                raise InvalidField(field, _sentence(exc)) from exc
            if isinstance(target, PhoneTarget) and await _leads_back(db, number, target.number):
                raise InvalidField(
                    field, "That number passes its calls on to this one, which would loop."
                )


def _changed(old: NumberBehaviour, changes: Mapping[str, Any]) -> NumberBehaviour:
    try:
        return old.changed(changes)
    except ValidationError as exc:
        first = exc.errors()[0]
        raise InvalidField(".".join(str(part) for part in first["loc"]), first["msg"]) from exc


def _named_targets(behaviour: NumberBehaviour) -> Iterator[tuple[str, str]]:
    """Yield everybody the number may pass calls on to, after the field that says so."""
    if isinstance(behaviour.after_hours, TransferAfterHours):
        yield "after_hours.to", behaviour.after_hours.to
    if behaviour.fallback_number is not None:
        yield "fallback_number", behaviour.fallback_number


def _sentence(refused: TargetRefused) -> str:
    if refused.code is RefusalCode.OWN_NUMBER:
        return "A number cannot pass calls on to itself."
    return refused.sentence


async def _leads_back(db: ReadSession, number: PhoneNumber, first: E164) -> bool:
    """Whether a project's numbers, one after the other, may pass a call back to this one.

    Numbers of others are not looked into: each hop there is a call of its own, which somebody pays.
    """
    seen: set[E164] = set()
    waiting = [first]
    while waiting and len(seen) < _MOST_HOPS:
        did = waiting.pop()
        if did == number.number:
            return True
        if did in seen:
            continue
        seen.add(did)
        found = await _find(db, number.project_id, did)
        targets = map(parse_target, found.behaviour.targets) if found and found.behaviour else ()
        waiting += [target.number for target in targets if isinstance(target, PhoneTarget)]
    return bool(waiting)


async def _find(db: ReadSession, project_id: uuid.UUID, did: E164) -> PhoneNumber | None:
    page = await phone_numbers.list_numbers(db, project_id, PageRequest(limit=1), [did])
    return page.items[0] if page.items else None
