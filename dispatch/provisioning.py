"""Keeps LiveKit's trunks and dispatch rules equal to the numbers and connections on record.

One pass reads what is wanted from Postgres and what is there from LiveKit, and does what
`telephony.convergence` plans. It remembers nothing between passes, so that a LiveKit that lost
everything, a pass that was interrupted and a trunk that somebody edited are all the same case.
No transaction is open while LiveKit is asked.
"""

import asyncio
import logging
import uuid
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from dispatch.secrets.envelope import KeyRing
from dispatch.secrets.passwords import open_password
from dispatch.settings import DispatchSettings
from dispatch.store.engine import Database
from dispatch.store.repositories.provisioning import (
    SyncState,
    WantedConnection,
    WantedNumber,
    list_wanted,
    place_numbers,
    write_sync_states,
)
from telephony.convergence import (
    CreateRule,
    CreateTrunk,
    DeleteRule,
    DeleteTrunk,
    ReplaceRule,
    ReplaceTrunk,
    RuleAction,
    TrunkAction,
    TrunkPlan,
    assign_shards,
    find_hazards,
    plan_rules,
    plan_trunks,
)
from telephony.errors import TrunkConflict, VendorNotFound, VendorRejected
from telephony.ports import TrunkRegistry
from telephony.trunks import DispatchRule, InboundTrunk, TrunkOwner

log = logging.getLogger(__name__)

ROOM_PREFIX = "call"
"""Rooms of SIP calls are named `call_{dialled number}_{random}` by LiveKit."""

_RULE_SHARD = -1
"""A rule serves every shard of its connection."""


@dataclass(frozen=True, slots=True)
class ConvergenceReport:
    """What one pass found and did."""

    numbers: int
    changes: int
    """Trunks and rules made, overwritten or removed; 0 when all was as it should be."""
    conflicts: int
    """Numbers that LiveKit cannot hold now; each one's record says why."""
    hazards: tuple[str, ...] = ()
    """Others' trunks and rules that catch every call, a sentence each."""

    @property
    def sentence(self) -> str:
        """The report as a line for operators."""
        held = self.numbers - self.conflicts
        return " ".join((f"LiveKit holds {held} of {self.numbers} numbers.", *self.hazards))


@dataclass(slots=True)
class _Outcome:
    """How far the trunks and rules of a pass came."""

    trunk_ids: dict[TrunkOwner, str] = field(default_factory=dict)
    refused: dict[TrunkOwner, str] = field(default_factory=dict)
    """Trunks and rules that LiveKit refused, each with a sentence."""
    unfinished: set[TrunkOwner] = field(default_factory=set)
    """Trunks and rules that vanished under our hands: the next pass makes them anew."""
    changes: int = 0

    def ends(self, owner: TrunkOwner) -> bool:
        return owner in self.refused or owner in self.unfinished


class Provisioning:
    """The convergence pass.

    Args:
        database: Where numbers and connections are on record.
        trunks: LiveKit's table of trunks and rules.
        settings: The installation's and the workers' name.
        keys: The installation's keys, which open the carriers' passwords.
    """

    def __init__(
        self,
        database: Database,
        trunks: TrunkRegistry,
        settings: DispatchSettings,
        keys: KeyRing,
    ) -> None:
        self._database = database
        self._trunks = trunks
        self._keys = keys
        self._installation = settings.dialplane_installation
        self._worker_name = settings.dialplane_worker_name

    async def run_once(self) -> ConvergenceReport:
        """Make LiveKit hold what is wanted, and write down for each number whether it does.

        Raises:
            VendorUnavailable: LiveKit could not be reached, now or in the middle; numbers keep
                their state, and the next pass goes on.
            VendorRejected: LiveKit refuses our credentials.
            StoreUnavailable: Postgres could not be reached.
            SecretUnreadable: A carrier's password does not open with the configured keys; nothing
                was changed, because a trunk without its password would let anybody in.
        """
        async with self._database.reading() as db:
            connections, numbers = await list_wanted(db)
        numbers = await self._place(numbers)
        observed_trunks, observed_rules = await asyncio.gather(
            self._trunks.list_inbound_trunks(), self._trunks.list_dispatch_rules()
        )
        wanted = self._wanted_trunks(connections, numbers)
        plan = plan_trunks(self._installation, wanted, observed_trunks)
        outcome = _Outcome(trunk_ids=dict(plan.kept))
        for trunk_action in plan.actions:
            await self._change_trunk(trunk_action, outcome)
        rules = self._wanted_rules(connections, outcome)
        for rule_action in plan_rules(self._installation, rules, observed_rules).actions:
            await self._change_rule(rule_action, outcome)
        states = [self._state_of(number, plan, outcome) for number in numbers]
        await self._write(numbers, states)
        hazards = find_hazards(self._installation, observed_trunks, observed_rules)
        return self._report(states, outcome, hazards)

    async def _place(self, numbers: Sequence[WantedNumber]) -> list[WantedNumber]:
        """Give every number that has none a shard, for good."""
        taken: dict[uuid.UUID, Counter[int]] = defaultdict(Counter)
        homeless: dict[uuid.UUID, list[WantedNumber]] = defaultdict(list)
        for number in numbers:
            if number.shard is None:
                homeless[number.connection_id].append(number)
            else:
                taken[number.connection_id][number.shard] += 1
        chosen = {
            number.id: shard
            for connection_id, group in homeless.items()
            for number, shard in zip(
                group, assign_shards(taken[connection_id], len(group)), strict=True
            )
        }
        if not chosen:
            return list(numbers)
        async with self._database.transaction() as db:
            await place_numbers(db, chosen)
        return [replace(number, shard=chosen.get(number.id, number.shard)) for number in numbers]

    def _owner(self, connection_id: uuid.UUID, shard: int | None) -> TrunkOwner:
        return TrunkOwner(
            self._installation, str(connection_id), _RULE_SHARD if shard is None else shard
        )

    def _wanted_trunks(
        self, connections: Iterable[WantedConnection], numbers: Iterable[WantedNumber]
    ) -> list[InboundTrunk]:
        shards: dict[TrunkOwner, set[WantedNumber]] = defaultdict(set)
        for number in numbers:
            shards[self._owner(number.connection_id, number.shard)].add(number)
        by_id = {str(connection.id): connection for connection in connections}
        return [
            InboundTrunk(
                owner=owner,
                name=f"{connection.name} / {owner.shard}",
                numbers=frozenset(number.did for number in shard),
                allowed_addresses=connection.allowed_addresses,
                auth_username=connection.auth_username,
                auth_password=self._password_of(connection),
            )
            for owner, shard in shards.items()
            # A connection made after the first of the two queries is left to the next pass.
            if (connection := by_id.get(owner.connection_id))
        ]

    def _password_of(self, connection: WantedConnection) -> str:
        if connection.password is None:
            return ""
        return open_password(self._keys, connection.password).get_secret_value()

    def _wanted_rules(
        self, connections: Iterable[WantedConnection], outcome: _Outcome
    ) -> list[DispatchRule]:
        trunk_ids: dict[str, set[str]] = defaultdict(set)
        for owner, trunk_id in outcome.trunk_ids.items():
            trunk_ids[owner.connection_id].add(trunk_id)
        return [
            DispatchRule(
                owner=self._owner(connection.id, None),
                name=connection.name,
                trunk_ids=frozenset(trunk_ids[str(connection.id)]),
                room_prefix=ROOM_PREFIX,
                worker_name=self._worker_name,
            )
            for connection in connections
        ]

    async def _change_trunk(self, action: TrunkAction, outcome: _Outcome) -> None:
        match action:
            case DeleteTrunk(livekit_trunk_id):
                await self._trunks.delete_trunk(livekit_trunk_id)
            case CreateTrunk(trunk) | ReplaceTrunk(_, trunk) if outcome.ends(trunk.owner):
                return
            case CreateTrunk(trunk):
                with _refusals(trunk.owner, outcome):
                    created = await self._trunks.create_inbound_trunk(trunk)
                    outcome.trunk_ids[trunk.owner] = created
            case ReplaceTrunk(livekit_trunk_id, trunk):
                with _refusals(trunk.owner, outcome):
                    await self._trunks.replace_inbound_trunk(livekit_trunk_id, trunk)
        outcome.changes += 1

    async def _change_rule(self, action: RuleAction, outcome: _Outcome) -> None:
        match action:
            case DeleteRule(livekit_rule_id):
                await self._trunks.delete_dispatch_rule(livekit_rule_id)
            case CreateRule(rule):
                with _refusals(rule.owner, outcome):
                    await self._trunks.create_dispatch_rule(rule)
            case ReplaceRule(livekit_rule_id, rule):
                with _refusals(rule.owner, outcome):
                    await self._trunks.replace_dispatch_rule(livekit_rule_id, rule)
        outcome.changes += 1

    def _state_of(self, number: WantedNumber, plan: TrunkPlan, outcome: _Outcome) -> SyncState:
        if sentence := plan.conflicts.get(number.did):
            return SyncState(number.id, "conflict", sentence)
        trunk = self._owner(number.connection_id, number.shard)
        rule = self._owner(number.connection_id, None)
        if sentence := outcome.refused.get(trunk) or outcome.refused.get(rule):
            return SyncState(number.id, "conflict", sentence)
        if trunk not in outcome.trunk_ids or rule in outcome.unfinished:
            return SyncState(number.id, "pending")
        return SyncState(number.id, "active")

    async def _write(self, numbers: Sequence[WantedNumber], states: Sequence[SyncState]) -> None:
        news = [
            state
            for number, state in zip(numbers, states, strict=True)
            if (number.sync_state, number.sync_error) != (state.state, state.error)
        ]
        if news:
            async with self._database.transaction() as db:
                await write_sync_states(db, news)

    def _report(
        self, states: Sequence[SyncState], outcome: _Outcome, hazards: Sequence[str]
    ) -> ConvergenceReport:
        report = ConvergenceReport(
            numbers=len(states),
            changes=outcome.changes,
            conflicts=sum(state.state == "conflict" for state in states),
            hazards=tuple(hazards),
        )
        if report.changes:
            log.info(
                "converged LiveKit",
                extra={"changes": report.changes, "conflicts": report.conflicts},
            )
        return report


@contextmanager
def _refusals(owner: TrunkOwner, outcome: _Outcome) -> Iterator[None]:
    """Note that LiveKit refused a trunk or rule, so that the others still go through."""
    try:
        yield
    except VendorNotFound:
        outcome.trunk_ids.pop(owner, None)
        outcome.unfinished.add(owner)
    except (TrunkConflict, VendorRejected) as exc:
        # A trunk that may not be changed is still there and goes on taking calls as it is.
        outcome.refused[owner] = f"LiveKit refused it: {exc.reason}"
