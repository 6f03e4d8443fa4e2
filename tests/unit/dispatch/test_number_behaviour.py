"""What a number makes of a call, by its hours and its lists of callers."""

import uuid
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from dispatch.number_behaviour import Action, CallPlan, Ground, NumberBehaviour, decide

pytestmark = pytest.mark.unit

OPEN_AT = datetime(2026, 11, 20, 12, tzinfo=UTC)
CLOSED_AT = datetime(2026, 11, 21, 12, tzinfo=UTC)
HOURS = {
    "time_zone": "Europe/Berlin",
    "weekly": [{"days": ["friday"], "opens": "09:00", "closes": "17:00"}],
}
CALLER = "+12015550123"
AGENT = uuid.uuid4()
PATTERNS = st.sampled_from([CALLER, "+1201*", "+*", "+49*", "+12015550100", "anonymous"])
CALLERS = st.sampled_from([CALLER, "+4930123456", "+12015550100", "100", None])


def plan(at: datetime = OPEN_AT, caller: str | None = CALLER, **fields: Any) -> CallPlan:
    return decide(NumberBehaviour.model_validate(fields), caller, at)


def test_a_number_without_hours_or_lists_lets_its_agent_talk() -> None:
    made = plan()

    assert (made.action, made.ground, made.agent_id) == (Action.CONVERSE, Ground.OPEN, None)


def test_while_open_nothing_is_done_about_after_hours() -> None:
    made = plan(opening_hours=HOURS, after_hours={"action": "message", "text": "Closed."})

    assert made.action is Action.CONVERSE
    assert made.message == ""


def test_a_closed_number_that_says_nothing_about_it_is_not_answered() -> None:
    made = plan(CLOSED_AT, opening_hours=HOURS, fallback_number="+12015550177")

    assert (made.action, made.ground) == (Action.REFUSE, Ground.CLOSED)
    assert made.as_fallback() is None


@pytest.mark.parametrize(
    ("after_hours", "expected"),
    [
        (
            {"action": "agent", "agent_id": str(AGENT)},
            {"action": Action.CONVERSE, "agent_id": AGENT},
        ),
        (
            {"action": "message", "text": "We are closed."},
            {"action": Action.MESSAGE, "message": "We are closed."},
        ),
        (
            {"action": "transfer", "to": "+12015550177", "text": "One moment."},
            {
                "action": Action.TRANSFER,
                "transfer_to": "+12015550177",
                "message": "One moment.",
            },
        ),
    ],
)
def test_after_hours_somebody_or_something_else_takes_the_call(
    after_hours: dict[str, str], expected: dict[str, object]
) -> None:
    made = plan(CLOSED_AT, opening_hours=HOURS, after_hours=after_hours)

    assert made.ground is Ground.AFTER_HOURS
    assert made.model_dump(include=set(expected)) == expected


def test_the_moment_is_told_by_the_numbers_own_clock() -> None:
    assert plan(OPEN_AT, opening_hours=HOURS).at.isoformat() == "2026-11-20T13:00:00+01:00"


def test_the_fallback_takes_what_an_agent_cannot() -> None:
    instead = plan(fallback_number="sip:desk@example.com").as_fallback()

    assert instead is not None
    assert (instead.action, instead.ground) == (Action.TRANSFER, Ground.FALLBACK)
    assert instead.transfer_to == "sip:desk@example.com"


@pytest.mark.parametrize(
    ("pattern", "caller", "is_meant"),
    [
        (CALLER, CALLER, True),
        (CALLER, "+12015550124", False),
        ("+1201*", CALLER, True),
        ("+1202*", CALLER, False),
        ("+*", CALLER, True),
        ("+*", None, False),
        ("anonymous", None, True),
        ("anonymous", "100", True),
        ("anonymous", CALLER, False),
    ],
)
def test_a_list_means_a_number_the_beginning_of_numbers_or_those_without_one(
    pattern: str, caller: str | None, *, is_meant: bool
) -> None:
    blocked = plan(caller=caller, blocked_callers=[pattern])
    allowed = plan(caller=caller, allowed_callers=[pattern])

    assert (blocked.ground is Ground.CALLER_BLOCKED) is is_meant
    assert (allowed.ground is Ground.CALLER_NOT_ALLOWED) is not is_meant


@given(st.lists(PATTERNS), st.lists(PATTERNS), CALLERS)
def test_whoever_is_blocked_is_refused_allowed_or_not_and_an_allow_list_shuts_out_the_rest(
    allowed: list[str], blocked: list[str], caller: str | None
) -> None:
    made = plan(caller=caller, allowed_callers=allowed, blocked_callers=blocked)
    is_blocked = plan(caller=caller, blocked_callers=blocked).action is Action.REFUSE
    is_allowed = plan(caller=caller, allowed_callers=allowed).action is Action.CONVERSE

    if is_blocked:
        assert made.ground is Ground.CALLER_BLOCKED
    elif is_allowed:
        assert made.action is Action.CONVERSE
    else:
        assert made.ground is Ground.CALLER_NOT_ALLOWED


def test_blocked_callers_hear_nothing_after_hours_either() -> None:
    made = plan(
        CLOSED_AT,
        opening_hours=HOURS,
        after_hours={"action": "message", "text": "Closed."},
        blocked_callers=[CALLER],
    )

    assert made.ground is Ground.CALLER_BLOCKED


def test_a_change_sets_some_fields_anew_and_none_clears() -> None:
    before = NumberBehaviour.model_validate(
        {"opening_hours": HOURS, "blocked_callers": [CALLER], "fallback_number": CALLER}
    )

    after = before.changed({"opening_hours": None, "blocked_callers": None})

    assert after == NumberBehaviour(fallback_number=CALLER)
    assert after.changed({"fallback_number": None}).is_plain


def test_a_behaviour_and_a_plan_survive_being_written_down() -> None:
    behaviour = NumberBehaviour.model_validate(
        {
            "opening_hours": {**HOURS, "exceptions": [{"date": "2026-12-24"}]},
            "after_hours": {"action": "agent", "agent_id": AGENT},
            "allowed_callers": ["+1*"],
        }
    )
    made = decide(behaviour, CALLER, CLOSED_AT)

    assert NumberBehaviour.model_validate_json(behaviour.model_dump_json()) == behaviour
    assert NumberBehaviour.model_validate(behaviour.model_dump(mode="json")) == behaviour
    assert CallPlan.model_validate_json(made.model_dump_json()) == made


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        ({"blocked_callers": ["12015550123"]}, "pattern"),
        ({"blocked_callers": ["+1*2"]}, "pattern"),
        ({"allowed_callers": ["nobody"]}, "pattern"),
        ({"fallback_number": "12015550123"}, r"start with \+"),
        ({"after_hours": {"action": "message", "text": "  "}}, "at least 1"),
        ({"after_hours": {"action": "transfer", "to": "desk"}}, "phone number"),
        ({"after_hours": {"action": "voicemail"}}, "voicemail"),
        ({"after_hours": {"action": "agent"}}, "required"),
    ],
)
def test_refuses_what_it_could_not_follow(wrong: dict[str, object], word: str) -> None:
    with pytest.raises(ValidationError, match=word):
        NumberBehaviour.model_validate(wrong)
