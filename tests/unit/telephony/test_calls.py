"""A call moves forward only."""

import itertools

import pytest

from telephony.calls import CallState, check_transition
from telephony.errors import IllegalTransition

pytestmark = pytest.mark.unit

ALLOWED = {
    (CallState.RINGING, CallState.ACTIVE),
    (CallState.RINGING, CallState.REFUSED),
    (CallState.RINGING, CallState.MISSED),
    (CallState.RINGING, CallState.ENDED),
    (CallState.ACTIVE, CallState.ENDED),
}


@pytest.mark.parametrize(("current", "following"), sorted(ALLOWED))
def test_allows_the_ways_a_call_goes(current: CallState, following: CallState) -> None:
    check_transition(current, following)


@pytest.mark.parametrize(
    ("current", "following"), sorted(set(itertools.product(CallState, CallState)) - ALLOWED)
)
def test_refuses_every_other_move(current: CallState, following: CallState) -> None:
    with pytest.raises(IllegalTransition, match=f"{current} cannot become {following}"):
        check_transition(current, following)


def test_only_ended_refused_and_missed_calls_are_over() -> None:
    final = {state for state in CallState if state.is_final}

    assert final == {CallState.ENDED, CallState.REFUSED, CallState.MISSED}
