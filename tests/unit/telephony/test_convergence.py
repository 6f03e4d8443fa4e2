"""Whatever LiveKit holds, the plan leads to what is wanted, in an order LiveKit accepts."""

import asyncio
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.convergence import (
    CreateRule,
    CreateTrunk,
    DeleteRule,
    DeleteTrunk,
    ReplaceRule,
    ReplaceTrunk,
    TrunkPlan,
    assign_shards,
    comparable,
    find_hazards,
    plan_rules,
    plan_trunks,
)
from telephony.e164 import E164
from telephony.trunks import DispatchRule, InboundTrunk, ObservedRule, ObservedTrunk, TrunkOwner
from tests.fakes.livekit_sip import FakeTrunks

pytestmark = pytest.mark.unit

OURS = "dialplane"
NUMBERS = [E164(f"+120155501{n:02d}") for n in range(12)]


def trunk(shard: int, *numbers: E164, connection: str = "c1", **fields: str) -> InboundTrunk:
    return InboundTrunk(
        TrunkOwner(OURS, connection, shard), f"{connection} / {shard}", frozenset(numbers), **fields
    )


def observed(trunk_id: str, held: InboundTrunk) -> ObservedTrunk:
    return ObservedTrunk(trunk_id, held.owner, held, held.name, frozenset(held.numbers))


def foreign(trunk_id: str, *numbers: str, name: str = "theirs") -> ObservedTrunk:
    return ObservedTrunk(trunk_id, None, None, name, frozenset(numbers))


def rule(connection: str, *trunk_ids: str, worker_name: str = "dialplane") -> DispatchRule:
    owner = TrunkOwner(OURS, connection, -1)
    return DispatchRule(owner, connection, frozenset(trunk_ids), "call", worker_name)


def observed_rule(rule_id: str, held: DispatchRule) -> ObservedRule:
    return ObservedRule(rule_id, held.owner, held, held.name, held.trunk_ids)


def plan(wanted: Iterable[InboundTrunk], *there: ObservedTrunk) -> TrunkPlan:
    return plan_trunks(OURS, wanted, there)


class TestTrunks:
    def test_creates_what_is_missing(self) -> None:
        wanted = trunk(0, NUMBERS[0])

        assert plan([wanted]).actions == (CreateTrunk(wanted),)

    def test_leaves_alone_what_is_right(self) -> None:
        wanted = trunk(0, NUMBERS[0])

        outcome = plan([wanted], observed("ST_1", wanted))

        assert outcome.actions == ()
        assert outcome.kept == {wanted.owner: "ST_1"}

    @pytest.mark.parametrize(
        "drifted",
        [
            trunk(0, NUMBERS[0], NUMBERS[1]),
            trunk(0, NUMBERS[1]),
            trunk(0, NUMBERS[0], auth_password="other"),
            trunk(0),
        ],
    )
    def test_repairs_a_trunk_that_somebody_changed(self, drifted: InboundTrunk) -> None:
        wanted = trunk(0, NUMBERS[0])

        assert plan([wanted], observed("ST_1", drifted)).actions == (ReplaceTrunk("ST_1", wanted),)

    def test_repairs_a_change_that_our_words_cannot_say(self) -> None:
        wanted = trunk(0, NUMBERS[0])
        there = ObservedTrunk("ST_1", wanted.owner, None, wanted.name, frozenset(wanted.numbers))

        assert plan([wanted], there).actions == (ReplaceTrunk("ST_1", wanted),)

    def test_removes_ours_that_nobody_wants_any_more(self) -> None:
        assert plan([], observed("ST_1", trunk(0, NUMBERS[0]))).actions == (DeleteTrunk("ST_1"),)

    def test_removes_an_emptied_shard_because_it_would_catch_every_call(self) -> None:
        outcome = plan([trunk(0)], observed("ST_1", trunk(0, NUMBERS[0])))

        assert outcome.actions == (DeleteTrunk("ST_1"),)
        assert outcome.wanted == ()

    def test_merges_duplicates_of_a_shard_into_the_one_that_is_right(self) -> None:
        wanted = trunk(0, NUMBERS[0], NUMBERS[1])
        outcome = plan(
            [wanted],
            observed("ST_1", trunk(0, NUMBERS[2])),
            observed("ST_2", wanted),
        )

        assert outcome.actions == (DeleteTrunk("ST_1"),)
        assert outcome.kept == {wanted.owner: "ST_2"}

    def test_never_touches_others_trunks(self) -> None:
        other_installation = InboundTrunk(
            TrunkOwner("elsewhere", "c1", 0), "x", frozenset({NUMBERS[5]})
        )

        outcome = plan([], foreign("ST_1", NUMBERS[4]), observed("ST_2", other_installation))

        assert outcome.actions == ()


class TestConflicts:
    def test_names_the_foreign_trunk_and_lets_the_other_numbers_through(self) -> None:
        outcome = plan([trunk(0, NUMBERS[0], NUMBERS[1])], foreign("ST_9", NUMBERS[0]))

        assert outcome.actions == (CreateTrunk(trunk(0, NUMBERS[1])),)
        assert outcome.conflicts == {
            NUMBERS[0]: "LiveKit's trunk theirs (ST_9), which is not this installation's, "
            "already holds the number."
        }

    @pytest.mark.parametrize("written", ["12015550100", "+1 201-555-0100", "1 (201) 5550100"])
    def test_sees_a_number_that_others_wrote_differently(self, written: str) -> None:
        outcome = plan([trunk(0, NUMBERS[0])], foreign("ST_9", written))

        assert outcome.actions == ()
        assert set(outcome.conflicts) == {NUMBERS[0]}

    def test_compares_names_and_extensions_as_they_are(self) -> None:
        assert comparable("alice") == "alice"
        assert comparable("") == ""

    def test_a_catch_all_is_a_hazard_but_no_conflict(self) -> None:
        catch_all = foreign("ST_9")
        outcome = plan([trunk(0, NUMBERS[0])], catch_all)
        any_rule = ObservedRule("SDR_9", None, None, "", frozenset())

        assert outcome.actions == (CreateTrunk(trunk(0, NUMBERS[0])),)
        assert find_hazards(OURS, [catch_all], [any_rule]) == [
            "LiveKit's trunk theirs (ST_9) has no numbers and so takes calls to any number.",
            "LiveKit's dispatch rule SDR_9 has no trunks and so opens rooms for any call.",
        ]


class TestMoves:
    def test_a_number_leaves_its_trunk_before_it_enters_another(self) -> None:
        n0, n1, n2 = NUMBERS[:3]
        outcome = plan(
            [trunk(0, n1, n2), trunk(1, n0)],
            observed("ST_0", trunk(0, n0, n1)),
            observed("ST_1", trunk(1, n2)),
        )

        assert outcome.actions == (
            DeleteTrunk("ST_1"),
            ReplaceTrunk("ST_0", trunk(0, n1)),
            ReplaceTrunk("ST_0", trunk(0, n1, n2)),
            CreateTrunk(trunk(1, n0)),
        )

    @given(
        there=st.dictionaries(st.sampled_from(NUMBERS), st.integers(0, 4)),
        then=st.dictionaries(st.sampled_from(NUMBERS), st.integers(0, 4)),
        theirs=st.sets(st.sampled_from(NUMBERS), max_size=3),
        cut=st.integers(0, 6),
    )
    def test_reaches_the_goal_from_anywhere_and_after_any_interruption(
        self, there: dict[E164, int], then: dict[E164, int], theirs: set[E164], cut: int
    ) -> None:
        livekit = FakeTrunks()
        for number in theirs:
            livekit.add_foreign_trunk("theirs", number)
        held = {number: shard for number, shard in there.items() if number not in theirs}
        asyncio.run(converge(livekit, shards(held)))

        asyncio.run(converge(livekit, shards(then), most=cut))
        asyncio.run(converge(livekit, shards(then)))

        ours = {t.owner: t.trunk for t in livekit.trunks.values() if t.owner}
        possible = {n: shard for n, shard in then.items() if n not in theirs}
        assert ours == {t.owner: t for t in shards(possible)}
        again = plan_trunks(OURS, shards(then), list(livekit.trunks.values()))
        assert again.actions == ()
        assert set(again.conflicts) == theirs & set(then)


def shards(placed: dict[E164, int]) -> list[InboundTrunk]:
    return [
        trunk(shard, *(n for n, at in placed.items() if at == shard))
        for shard in sorted(set(placed.values()))
    ]


async def converge(livekit: FakeTrunks, wanted: list[InboundTrunk], most: int = 99) -> None:
    planned = plan_trunks(OURS, wanted, await livekit.list_inbound_trunks())
    for action in planned.actions[:most]:
        match action:
            case CreateTrunk(made):
                await livekit.create_inbound_trunk(made)
            case ReplaceTrunk(trunk_id, made):
                await livekit.replace_inbound_trunk(trunk_id, made)
            case DeleteTrunk(trunk_id):
                await livekit.delete_trunk(trunk_id)


class TestRules:
    def test_creates_replaces_and_removes(self) -> None:
        planned = plan_rules(
            OURS,
            [rule("c1", "ST_1"), rule("c2", "ST_2")],
            [
                observed_rule("SDR_2", rule("c2", "ST_2", worker_name="old")),
                observed_rule("SDR_3", rule("c3", "ST_3")),
            ],
        )

        assert planned.actions == (
            DeleteRule("SDR_3"),
            ReplaceRule("SDR_2", rule("c2", "ST_2")),
            CreateRule(rule("c1", "ST_1")),
        )

    def test_leaves_alone_what_is_right_and_what_is_others(self) -> None:
        there = [
            observed_rule("SDR_1", rule("c1", "ST_1")),
            ObservedRule("SDR_2", None, None, "theirs", frozenset()),
        ]

        assert plan_rules(OURS, [rule("c1", "ST_1")], there).actions == ()

    def test_never_keeps_or_makes_a_rule_without_trunks(self) -> None:
        there = [observed_rule("SDR_1", rule("c1", "ST_1"))]

        assert plan_rules(OURS, [rule("c1")], there).actions == (DeleteRule("SDR_1"),)

    def test_untangles_two_rules_that_hold_each_others_trunks(self) -> None:
        there = [
            observed_rule("SDR_1", rule("c1", "ST_2")),
            observed_rule("SDR_2", rule("c2", "ST_1")),
        ]

        planned = plan_rules(OURS, [rule("c1", "ST_1"), rule("c2", "ST_2")], there)

        assert planned.actions == (
            DeleteRule("SDR_1"),
            DeleteRule("SDR_2"),
            CreateRule(rule("c1", "ST_1")),
            CreateRule(rule("c2", "ST_2")),
        )


class TestShards:
    def test_fills_the_lowest_shard_with_room_first(self) -> None:
        assert assign_shards({0: 2, 1: 3, 2: 1}, 4, capacity=3) == [0, 2, 2, 3]

    def test_opens_new_shards_as_they_fill(self) -> None:
        assert assign_shards({}, 5, capacity=2) == [0, 0, 1, 1, 2]

    def test_an_overfull_shard_takes_nothing(self) -> None:
        assert assign_shards({0: 9}, 1, capacity=3) == [1]

    def test_nothing_to_place_is_nothing(self) -> None:
        assert assign_shards({0: 1}, 0) == []
