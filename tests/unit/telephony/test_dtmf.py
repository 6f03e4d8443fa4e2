"""Keys, their codes and their pacing."""

import pytest

from telephony.dtmf import (
    DIGITS,
    MOST_KEYS,
    DtmfPacing,
    DtmfStep,
    InvalidDtmf,
    check_keys,
    event_code,
    plan_dtmf,
)

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("digit", "code"), [("0", 0), ("9", 9), ("*", 10), ("#", 11), ("A", 12), ("d", 15)]
)
def test_codes_are_those_of_rfc_4733(digit: str, code: int) -> None:
    assert event_code(digit) == code


@pytest.mark.parametrize("text", ["", "E", "12", "%"])
def test_refuses_what_is_not_one_key(text: str) -> None:
    with pytest.raises(InvalidDtmf):
        event_code(text)


def test_plans_every_key_with_its_tone_and_gap() -> None:
    steps = plan_dtmf(DIGITS, DtmfPacing(tone_ms=80, gap_ms=60))
    assert [step.digit for step in steps] == list(DIGITS)
    assert {(step.tone_ms, step.gap_ms) for step in steps} == {(80, 60)}


def test_plans_pauses_as_dial_strings_write_them() -> None:
    assert plan_dtmf("1w,2") == (
        DtmfStep("1", 160, 100),
        DtmfStep(None, 0, 500),
        DtmfStep(None, 0, 2000),
        DtmfStep("2", 160, 100),
    )


def test_skips_what_only_helps_the_reader() -> None:
    assert [step.digit for step in plan_dtmf("12 3-4")] == list("1234")


@pytest.mark.parametrize("keys", ["", " ", "12x", "1;2"])
def test_refuses_keys_that_do_not_exist(keys: str) -> None:
    with pytest.raises(InvalidDtmf):
        plan_dtmf(keys)


@pytest.mark.parametrize("pacing", [{"tone_ms": 39}, {"gap_ms": 0}])
def test_refuses_tones_and_gaps_too_short_to_be_heard(pacing: dict[str, int]) -> None:
    with pytest.raises(InvalidDtmf):
        DtmfPacing(**pacing)


def test_keys_to_press_lose_what_only_helps_the_reader() -> None:
    assert check_keys("12-3 aw,#") == "123Aw,#"


@pytest.mark.parametrize(
    "keys", ["", "w", "1" * 1_000, "1" * (MOST_KEYS + 1), "1" + "," * 16, "1;2", "\u0661"]
)
def test_refuses_keys_nobody_presses_in_one_go(keys: str) -> None:
    with pytest.raises(InvalidDtmf):
        check_keys(keys)
