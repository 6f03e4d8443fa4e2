"""A call moves forward only."""

import pytest

from telephony.calls import NEXT_STATES, CallState

pytestmark = pytest.mark.unit


def test_only_ended_refused_and_missed_calls_are_over() -> None:
    final = {state for state in CallState if state.is_final}

    assert final == {CallState.ENDED, CallState.REFUSED, CallState.MISSED}


@pytest.mark.parametrize("state", CallState)
def test_no_call_comes_back_to_where_it_was(state: CallState) -> None:
    reachable: set[CallState] = set()
    beyond = set(NEXT_STATES[state])
    while beyond - reachable:
        reachable |= beyond
        beyond = {following for reached in reachable for following in NEXT_STATES[reached]}

    assert state not in reachable
