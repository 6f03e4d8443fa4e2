"""Who hears whom, against a model: named arrangements and the steps between them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony import hearing
from telephony.hearing import SILENCE, Hearing, KeyStep, Party, Role, Source, SourceKind, changes

pytestmark = pytest.mark.unit

CALLER = Party("caller", Role.CALLER)
AGENT = Party("agent", Role.AGENT)
HUMAN = Party("human", Role.HUMAN)
MONITOR = Party("monitor", Role.MONITOR)
PARTIES = (CALLER, AGENT, HUMAN, MONITOR)
NAMES = ("caller", "agent", "human", "monitor")

SOURCES = st.builds(Source, st.sampled_from(NAMES), st.sampled_from(SourceKind))
HEARINGS = st.builds(
    Hearing,
    st.frozensets(st.tuples(st.sampled_from(NAMES), SOURCES)),
    st.frozensets(st.sampled_from(NAMES)),
)


def who_hears(matrix: Hearing) -> set[str]:
    """Write a matrix as `listener<source`, music as `source*`."""
    return {
        f"{listener}<{source.identity}{'*' if source.kind is SourceKind.MUSIC else ''}"
        for listener, source in matrix.pairs
    }


@given(HEARINGS, HEARINGS)
def test_the_steps_lead_from_one_arrangement_to_the_other(before: Hearing, after: Hearing) -> None:
    reached = before
    for step in changes(before, after):
        reached = step.apply(reached)

    assert reached == after


@given(HEARINGS, HEARINGS)
def test_on_the_way_nobody_hears_what_neither_arrangement_allows_nor_loses_what_both_do(
    before: Hearing, after: Hearing
) -> None:
    reached = before
    for step in changes(before, after):
        reached = step.apply(reached)
        assert before.pairs & after.pairs <= reached.pairs <= before.pairs | after.pairs
        assert before.keys & after.keys <= reached.keys <= before.keys | after.keys


@given(HEARINGS, HEARINGS)
def test_each_step_can_be_taken_back(before: Hearing, after: Hearing) -> None:
    taken = changes(before, after)
    reached = after
    for step in reversed(taken):
        reached = step.undone.apply(reached)

    assert reached == before


@given(HEARINGS)
def test_nothing_changes_between_the_same(matrix: Hearing) -> None:
    assert changes(matrix, matrix) == ()


@given(HEARINGS, HEARINGS)
def test_everybody_begins_to_hear_before_anybody_ceases_to(before: Hearing, after: Hearing) -> None:
    steps = changes(before, after)
    begins = [step.begins for step in steps if not isinstance(step, KeyStep)]

    assert begins == sorted(begins, reverse=True)
    first = [step.comes_first for step in steps]
    assert first == sorted(first, reverse=True)


@given(HEARINGS, HEARINGS)
def test_keys_that_shall_not_go_round_are_stopped_before_anything_else(
    before: Hearing, after: Hearing
) -> None:
    steps = changes(before, after)
    stopped = [step.sender for step in steps if isinstance(step, KeyStep) and not step.begins]

    assert [getattr(step, "sender", None) for step in steps[: len(stopped)]] == stopped
    assert set(stopped) == before.keys - after.keys


def test_keys_go_round_only_where_the_agent_wants_them() -> None:
    arrangements = (hearing.talk, hearing.hold, hearing.consult, hearing.merge)

    assert [set(one(PARTIES).keys) for one in arrangements] == [{"caller"}, set(), {"human"}, set()]
    assert hearing.take_over(PARTIES, MONITOR).keys == frozenset()
    assert hearing.give_back(PARTIES, MONITOR).keys == {"caller"}


def test_keys_are_handed_on_between_the_merged_only_when_that_is_asked_for() -> None:
    relaying = hearing.merge_with_keys(PARTIES)

    assert relaying.keys == {"caller", "human"}
    assert relaying.pairs == hearing.merge(PARTIES).pairs


def test_in_talk_agent_and_caller_hear_each_other_and_nobody_else_is_there() -> None:
    assert who_hears(hearing.talk(PARTIES)) == {"caller<agent", "agent<caller"}


def test_on_hold_the_caller_hears_music_and_is_heard_by_nobody() -> None:
    assert who_hears(hearing.hold(PARTIES)) == {"caller<agent*"}


def test_in_a_consultation_the_caller_hears_only_music() -> None:
    assert who_hears(hearing.consult(PARTIES)) == {"caller<agent*", "agent<human", "human<agent"}


def test_merged_the_caller_and_the_human_hear_each_other_and_the_agent_is_out() -> None:
    assert who_hears(hearing.merge(PARTIES)) == {"caller<human", "human<caller"}


def test_a_listener_is_heard_by_nobody() -> None:
    matrix = hearing.listen(hearing.talk(PARTIES), PARTIES, MONITOR)

    assert who_hears(matrix) == {
        *("caller<agent", "agent<caller"),
        *("monitor<caller", "monitor<agent", "monitor<human"),
    }


def test_a_whisper_reaches_the_agent_and_never_the_caller() -> None:
    matrix = hearing.whisper(hearing.talk(PARTIES), PARTIES, MONITOR, [AGENT])

    assert matrix.hears("agent", MONITOR.voice)
    assert not matrix.hears("caller", MONITOR.voice)
    with pytest.raises(ValueError, match="caller"):
        hearing.whisper(matrix, PARTIES, MONITOR, [CALLER])


def test_barging_in_is_heard_by_all() -> None:
    matrix = hearing.barge(hearing.talk(PARTIES), PARTIES, MONITOR)

    assert all(matrix.hears(name, MONITOR.voice) for name in ("caller", "agent", "human"))


def test_who_takes_over_has_the_caller_alone_until_giving_back() -> None:
    taken = hearing.take_over(PARTIES, MONITOR)
    given_back = hearing.give_back(PARTIES, MONITOR)

    assert who_hears(taken) == {"caller<monitor", "monitor<caller"}
    assert who_hears(hearing.talk(PARTIES)) <= who_hears(given_back)
    assert not any(given_back.hears(name, MONITOR.voice) for name in NAMES)


@given(HEARINGS, st.sampled_from(NAMES))
def test_who_has_left_hears_nothing_and_is_heard_by_nobody(matrix: Hearing, name: str) -> None:
    left = matrix.without(name)

    assert left.heard_by(name) == frozenset()
    assert left.keys == matrix.keys - {name}
    assert all(source.identity != name for _, source in left.pairs)


def test_before_anybody_is_placed_there_is_silence() -> None:
    assert Hearing(frozenset(), frozenset()) == SILENCE
