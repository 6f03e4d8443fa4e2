"""LiveKit's trunks and rules, as it keeps them: with its ids, its conflicts and its outages."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from telephony.convergence import comparable
from telephony.errors import TrunkConflict, VendorNotFound, VendorUnavailable
from telephony.trunks import DispatchRule, InboundTrunk, ObservedRule, ObservedTrunk


@dataclass
class FakeTrunks:
    """`telephony.ports.TrunkRegistry` in memory."""

    trunks: dict[str, ObservedTrunk] = field(default_factory=dict)
    rules: dict[str, ObservedRule] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    """Every request that changed something, by name, in order."""
    fails_after: int | None = None
    """Requests still answered before LiveKit is unreachable; None while it is up."""
    _ids: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def add_foreign_trunk(self, name: str, *numbers: str) -> str:
        """Put a trunk there that somebody else made; no numbers is a catch-all."""
        trunk_id = self._next_id("ST")
        self.trunks[trunk_id] = ObservedTrunk(trunk_id, None, None, name, frozenset(numbers))
        return trunk_id

    def add_foreign_rule(self, name: str, *trunk_ids: str) -> str:
        """Put a rule there that somebody else made; no trunks is a catch-all."""
        rule_id = self._next_id("SDR")
        self.rules[rule_id] = ObservedRule(rule_id, None, None, name, frozenset(trunk_ids))
        return rule_id

    def lose_everything(self) -> None:
        """Forget all trunks and rules, as LiveKit does when its Redis lost its data."""
        self.trunks.clear()
        self.rules.clear()

    async def list_inbound_trunks(self) -> Sequence[ObservedTrunk]:
        self._answer("list_inbound_trunks")
        return list(self.trunks.values())

    async def create_inbound_trunk(self, trunk: InboundTrunk) -> str:
        self._answer("create_inbound_trunk", changes=True)
        trunk_id = self._next_id("ST")
        self._store_trunk(trunk_id, trunk, "create_inbound_trunk")
        return trunk_id

    async def replace_inbound_trunk(self, livekit_trunk_id: str, trunk: InboundTrunk) -> None:
        self._answer("replace_inbound_trunk", changes=True)
        if livekit_trunk_id not in self.trunks:
            raise VendorNotFound("livekit", "replace_inbound_trunk", "no such trunk")
        self._store_trunk(livekit_trunk_id, trunk, "replace_inbound_trunk")

    async def delete_trunk(self, livekit_trunk_id: str) -> None:
        self._answer("delete_trunk", changes=True)
        self.trunks.pop(livekit_trunk_id, None)

    async def list_dispatch_rules(self) -> Sequence[ObservedRule]:
        self._answer("list_dispatch_rules")
        return list(self.rules.values())

    async def create_dispatch_rule(self, rule: DispatchRule) -> str:
        self._answer("create_dispatch_rule", changes=True)
        rule_id = self._next_id("SDR")
        self._store_rule(rule_id, rule, "create_dispatch_rule")
        return rule_id

    async def replace_dispatch_rule(self, livekit_rule_id: str, rule: DispatchRule) -> None:
        self._answer("replace_dispatch_rule", changes=True)
        if livekit_rule_id not in self.rules:
            raise VendorNotFound("livekit", "replace_dispatch_rule", "no such rule")
        self._store_rule(livekit_rule_id, rule, "replace_dispatch_rule")

    async def delete_dispatch_rule(self, livekit_rule_id: str) -> None:
        self._answer("delete_dispatch_rule", changes=True)
        self.rules.pop(livekit_rule_id, None)

    def edit_trunk(self, livekit_trunk_id: str, **changes: object) -> None:
        """Change a trunk behind our back."""
        observed = self.trunks[livekit_trunk_id]
        assert observed.trunk is not None
        trunk = replace(observed.trunk, **changes)  # type: ignore[arg-type]
        self.trunks[livekit_trunk_id] = _observed_trunk(livekit_trunk_id, trunk)

    def edit_rule(self, livekit_rule_id: str, **changes: object) -> None:
        """Change a rule behind our back."""
        observed = self.rules[livekit_rule_id]
        assert observed.rule is not None
        rule = replace(observed.rule, **changes)  # type: ignore[arg-type]
        self.rules[livekit_rule_id] = _observed_rule(livekit_rule_id, rule)

    def _answer(self, operation: str, *, changes: bool = False) -> None:
        if self.fails_after is not None:
            if self.fails_after <= 0:
                raise VendorUnavailable("livekit", operation, "could not be reached")
            self.fails_after -= 1
        if changes:
            self.calls.append(operation)

    def _next_id(self, prefix: str) -> str:
        return f"{prefix}_{next(self._ids):04d}"

    def _store_trunk(self, trunk_id: str, trunk: InboundTrunk, operation: str) -> None:
        if not trunk.numbers:
            raise ValueError("a trunk without numbers would catch every call")
        ours = {comparable(number) for number in trunk.numbers}
        for other in self.trunks.values():
            clash = ours & {comparable(number) for number in other.numbers}
            if clash and other.livekit_trunk_id != trunk_id:
                reason = f"Conflicting inbound SIP Trunks: {sorted(clash)}"
                raise TrunkConflict("livekit", operation, reason)
        self.trunks[trunk_id] = _observed_trunk(trunk_id, trunk)

    def _store_rule(self, rule_id: str, rule: DispatchRule, operation: str) -> None:
        if not rule.trunk_ids:
            raise ValueError("a rule without trunks would catch every call")
        for other in self.rules.values():
            if rule.trunk_ids & other.trunk_ids and other.livekit_rule_id != rule_id:
                reason = "Dispatch rule for the same trunk already exists"
                raise TrunkConflict("livekit", operation, reason)
        self.rules[rule_id] = _observed_rule(rule_id, rule)


def _observed_trunk(trunk_id: str, trunk: InboundTrunk) -> ObservedTrunk:
    return ObservedTrunk(
        trunk_id, trunk.owner, trunk, trunk.name, frozenset(str(number) for number in trunk.numbers)
    )


def _observed_rule(rule_id: str, rule: DispatchRule) -> ObservedRule:
    return ObservedRule(rule_id, rule.owner, rule, rule.name, rule.trunk_ids)
