"""What to change so that LiveKit holds the trunks and rules we want (pure).

Two steps, because a rule names its trunks by ids that only LiveKit gives: first `plan_trunks`,
then, with the ids known, `plan_rules`. A plan's actions are in the order in which they must be
done; whoever is interrupted between two of them plans again from what LiveKit then holds.

A trunk or rule is ours when its metadata names our installation, whether or not we remember
having made it. Others' are never touched.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeVar

from telephony.e164 import E164
from telephony.trunks import (
    MAX_NUMBERS_PER_SHARD,
    DispatchRule,
    InboundTrunk,
    ObservedRule,
    ObservedTrunk,
    TrunkOwner,
)


@dataclass(frozen=True, slots=True)
class CreateTrunk:
    """Make a trunk that LiveKit does not hold."""

    trunk: InboundTrunk


@dataclass(frozen=True, slots=True)
class ReplaceTrunk:
    """Overwrite a trunk that differs."""

    livekit_trunk_id: str
    trunk: InboundTrunk


@dataclass(frozen=True, slots=True)
class DeleteTrunk:
    """Remove a trunk that is wanted no longer, is a duplicate or has to give way."""

    livekit_trunk_id: str


@dataclass(frozen=True, slots=True)
class CreateRule:
    """Make a rule that LiveKit does not hold."""

    rule: DispatchRule


@dataclass(frozen=True, slots=True)
class ReplaceRule:
    """Overwrite a rule that differs."""

    livekit_rule_id: str
    rule: DispatchRule


@dataclass(frozen=True, slots=True)
class DeleteRule:
    """Remove a rule that is wanted no longer, is a duplicate or has to give way."""

    livekit_rule_id: str


TrunkAction = CreateTrunk | ReplaceTrunk | DeleteTrunk
RuleAction = CreateRule | ReplaceRule | DeleteRule


@dataclass(frozen=True, slots=True)
class TrunkPlan:
    """How to get from the observed trunks to the wanted ones."""

    actions: tuple[TrunkAction, ...]
    wanted: tuple[InboundTrunk, ...]
    """The trunks as they will be: without the numbers in conflict, and none without numbers."""
    kept: Mapping[TrunkOwner, str]
    """LiveKit ids of the wanted trunks that exist already and keep their id."""
    conflicts: Mapping[E164, str]
    """Numbers that others' trunks hold, each with a sentence for the number's owner."""


@dataclass(frozen=True, slots=True)
class RulePlan:
    """How to get from the observed rules to the wanted ones."""

    actions: tuple[RuleAction, ...]


def assign_shards(
    taken: Mapping[int, int], count: int, capacity: int = MAX_NUMBERS_PER_SHARD
) -> list[int]:
    """Choose a shard for each of a connection's new numbers; no placed number ever moves.

    Args:
        taken: How many numbers each shard holds already.
        count: How many numbers need a place.
        capacity: Most numbers on one shard.

    Returns:
        `count` shards: the lowest with room first, then fresh ones.
    """
    chosen: list[int] = []
    shard = 0
    while len(chosen) < count:
        room = capacity - taken.get(shard, 0)
        chosen.extend([shard] * min(max(room, 0), count - len(chosen)))
        shard += 1
    return chosen


def comparable(number: str) -> str:
    """Return a number as LiveKit compares it when a call arrives: formatting and `+` ignored.

    LiveKit does not look so closely when a trunk is created. It lets `+1201…` and `1201…` onto two
    trunks, and then answers no call to that number, so the clash must be seen here.

    Source: livekit/protocol livekit/sip.go, NormalizeNumber.
    """
    if not _NUMBER.fullmatch(number):
        return number
    return "+" + _FORMATTING.sub("", number)


_NUMBER: Final = re.compile(r"\+?[0-9\- ()]+")
_FORMATTING: Final = re.compile(r"[+\- ()]")


def plan_trunks(
    installation: str, wanted: Iterable[InboundTrunk], observed: Sequence[ObservedTrunk]
) -> TrunkPlan:
    """Plan the trunks.

    A number that moves between two of our trunks leaves the one before it enters the other, since
    LiveKit refuses a number on two trunks.

    Args:
        installation: Whose trunks these are.
        wanted: The trunks as they should be; a trunk without numbers is the same as no trunk.
        observed: Every trunk in LiveKit, ours and others'.
    """
    ours, others = _split(installation, observed)
    conflicts, possible = _without_conflicts(wanted, others)
    kept, surplus = _keep_one_each({trunk.owner: trunk for trunk in possible}, ours)
    gone = [DeleteTrunk(trunk.livekit_trunk_id) for trunk in surplus]
    changes = _Changes(kept.values())
    for trunk in possible:
        changes.make(trunk, kept.get(trunk.owner))
    dropped = {action.livekit_trunk_id for action in changes.deletes}
    return TrunkPlan(
        actions=(*gone, *changes.deletes, *changes.shrinks, *changes.grows, *changes.creates),
        wanted=tuple(possible),
        kept={
            owner: trunk.livekit_trunk_id
            for owner, trunk in kept.items()
            if trunk.livekit_trunk_id not in dropped
        },
        conflicts=conflicts,
    )


class _Changes:
    """Sorts the changes of trunks into phases: what gives numbers up before what takes them."""

    def __init__(self, kept: Iterable[ObservedTrunk]) -> None:
        self._holder = {
            comparable(number): trunk.livekit_trunk_id for trunk in kept for number in trunk.numbers
        }
        self.deletes: list[DeleteTrunk] = []
        self.shrinks: list[ReplaceTrunk] = []
        self.grows: list[ReplaceTrunk] = []
        self.creates: list[CreateTrunk] = []

    def make(self, trunk: InboundTrunk, existing: ObservedTrunk | None) -> None:
        if existing is None:
            self.creates.append(CreateTrunk(trunk))
        elif existing.trunk != trunk:
            self._change(trunk, existing)

    def _change(self, trunk: InboundTrunk, existing: ObservedTrunk) -> None:
        trunk_id = existing.livekit_trunk_id
        takes_over = any(self._holder.get(number, trunk_id) != trunk_id for number in trunk.numbers)
        gives_up = existing.numbers - trunk.numbers
        staying = trunk.numbers & existing.numbers
        if not takes_over:
            self.shrinks.append(ReplaceTrunk(trunk_id, trunk))
        elif not gives_up:
            self.grows.append(ReplaceTrunk(trunk_id, trunk))
        elif staying:
            self.shrinks.append(ReplaceTrunk(trunk_id, replace(trunk, numbers=staying)))
            self.grows.append(ReplaceTrunk(trunk_id, trunk))
        else:
            # Emptied in between, it would catch every call; so it goes and comes back.
            self.deletes.append(DeleteTrunk(trunk_id))
            self.creates.append(CreateTrunk(trunk))


def _without_conflicts(
    wanted: Iterable[InboundTrunk], others: Iterable[ObservedTrunk]
) -> tuple[dict[E164, str], list[InboundTrunk]]:
    holder = {comparable(number): trunk for trunk in others for number in trunk.numbers}
    conflicts: dict[E164, str] = {}
    possible: list[InboundTrunk] = []
    for trunk in wanted:
        held = {number for number in trunk.numbers if number in holder}
        conflicts.update(
            {
                number: f"LiveKit's trunk {_title(holder[number])}, which is not this "
                "installation's, already holds the number."
                for number in held
            }
        )
        if trunk.numbers - held:
            possible.append(replace(trunk, numbers=trunk.numbers - held))
    return conflicts, possible


def plan_rules(
    installation: str, wanted: Iterable[DispatchRule], observed: Sequence[ObservedRule]
) -> RulePlan:
    """Plan the rules.

    Args:
        installation: Whose rules these are.
        wanted: The rules as they should be; a rule without trunks is the same as no rule.
        observed: Every rule in LiveKit, ours and others'.
    """
    possible = {rule.owner: rule for rule in wanted if rule.trunk_ids}
    ours, _ = _split(installation, observed)
    kept, surplus = _keep_one_each(possible, ours)
    owner_of = {trunk_id: rule.owner for rule in possible.values() for trunk_id in rule.trunk_ids}
    deletes = [DeleteRule(rule.livekit_rule_id) for rule in surplus]
    replaces: list[ReplaceRule] = []
    creates: list[CreateRule] = []
    for owner, rule in possible.items():
        existing = kept.get(owner)
        if existing is None:
            creates.append(CreateRule(rule))
        elif any(owner_of.get(trunk_id, owner) != owner for trunk_id in existing.trunk_ids):
            # It holds a trunk of another connection, and a trunk may be in one rule only; two
            # rules that hold each other's could never be put right by replacing.
            deletes.append(DeleteRule(existing.livekit_rule_id))
            creates.append(CreateRule(rule))
        elif existing.rule != rule:
            replaces.append(ReplaceRule(existing.livekit_rule_id, rule))
    return RulePlan((*deletes, *replaces, *creates))


def find_hazards(
    installation: str, trunks: Sequence[ObservedTrunk], rules: Sequence[ObservedRule]
) -> list[str]:
    """Name others' trunks and rules that catch every call, one sentence each.

    They do not take calls to our numbers, because LiveKit prefers a trunk that names the number and
    a rule that names the trunk; but they answer callers our trunks turn away, SIP scanners first.
    """
    _, other_trunks = _split(installation, trunks)
    _, other_rules = _split(installation, rules)
    return [
        f"LiveKit's trunk {_title(trunk)} has no numbers and so takes calls to any number."
        for trunk in other_trunks
        if not trunk.numbers
    ] + [
        f"LiveKit's dispatch rule {_title(rule)} has no trunks and so opens rooms for any call."
        for rule in other_rules
        if not rule.trunk_ids
    ]


def _title(thing: ObservedTrunk | ObservedRule) -> str:
    identifier = (
        thing.livekit_trunk_id if isinstance(thing, ObservedTrunk) else thing.livekit_rule_id
    )
    return f"{thing.name} ({identifier})" if thing.name else identifier


_Observed = TypeVar("_Observed", ObservedTrunk, ObservedRule)


def _split(
    installation: str, observed: Iterable[_Observed]
) -> tuple[list[_Observed], list[_Observed]]:
    ours: list[_Observed] = []
    others: list[_Observed] = []
    for thing in observed:
        is_ours = thing.owner is not None and thing.owner.installation == installation
        (ours if is_ours else others).append(thing)
    return ours, others


def _keep_one_each(
    wanted: Mapping[TrunkOwner, InboundTrunk] | Mapping[TrunkOwner, DispatchRule],
    ours: Iterable[_Observed],
) -> tuple[dict[TrunkOwner, _Observed], list[_Observed]]:
    """Choose, for each owner that is wanted, the one thing to keep; the rest is surplus.

    Of duplicates (a create whose answer was lost and which was sent again by another process) the
    one that is right already is kept, else the one that holds most, else the oldest name.
    """
    kept: dict[TrunkOwner, _Observed] = {}
    surplus: list[_Observed] = []
    for thing in sorted(ours, key=lambda thing: _rank(wanted, thing)):
        if thing.owner is None or thing.owner not in wanted or thing.owner in kept:
            surplus.append(thing)
        else:
            kept[thing.owner] = thing
    return kept, surplus


def _rank(
    wanted: Mapping[TrunkOwner, InboundTrunk] | Mapping[TrunkOwner, DispatchRule],
    thing: ObservedTrunk | ObservedRule,
) -> tuple[bool, int, str]:
    want = wanted.get(thing.owner) if thing.owner is not None else None
    if isinstance(thing, ObservedTrunk):
        return (thing.trunk != want, -len(thing.numbers), thing.livekit_trunk_id)
    return (thing.rule != want, -len(thing.trunk_ids), thing.livekit_rule_id)
