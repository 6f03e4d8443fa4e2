"""How calls are told in one sentence."""

import itertools

import pytest

from dispatch.call_sentences import describe_call
from dispatch.calls import RefusalReason
from telephony.calls import CallState, EndedBy, EndReason

pytestmark = pytest.mark.unit


def describe(state, ended_by=None, end_reason=None, refusal_reason=None, duration_s=None) -> str:
    return describe_call(
        state,
        ended_by=ended_by,
        end_reason=end_reason,
        refusal_reason=refusal_reason,
        duration_s=duration_s,
    )


@pytest.mark.parametrize(
    ("ended_by", "end_reason", "sentence"),
    [
        (EndedBy.CALLER, EndReason.HANG_UP, "The caller hung up after 14 s."),
        (EndedBy.AGENT, EndReason.HANG_UP, "The agent hung up after 14 s."),
        (
            EndedBy.SYSTEM,
            EndReason.CREDIT_SPENT,
            "The organisation's balance ran out after 14 s.",
        ),
        (
            EndedBy.SYSTEM,
            EndReason.WORKER_LOST,
            "The worker that held the call was lost after 14 s.",
        ),
        (None, None, "The call ended after 14 s."),
    ],
)
def test_an_ended_call_says_who_or_what_ended_it(ended_by, end_reason, sentence) -> None:
    assert describe(CallState.ENDED, ended_by, end_reason, duration_s=13.6) == sentence


def test_every_end_has_a_sentence() -> None:
    for ended_by, end_reason in itertools.product(EndedBy, EndReason):
        for state in (CallState.ENDED, CallState.MISSED):
            sentence = describe(state, ended_by, end_reason, duration_s=1)
            assert sentence[0].isupper()
            assert sentence.endswith(".")


def test_every_refusal_has_a_sentence() -> None:
    for reason in RefusalReason:
        sentence = describe(CallState.REFUSED, refusal_reason=reason)
        assert sentence.startswith("Refused: ")
        assert sentence.endswith(".")
    assert describe(CallState.REFUSED) == "Refused."


def test_a_call_that_goes_on_says_so() -> None:
    assert describe(CallState.RINGING) == "The call is ringing."
    assert describe(CallState.ACTIVE) == "The call is going on."


def test_a_missed_call_says_why() -> None:
    missed = describe(CallState.MISSED, EndedBy.CALLER, EndReason.ABANDONED)
    assert missed == "Missed: the caller gave up before the answer."
