"""Numbers are parsed once, strictly, and mean the same however they were written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.e164 import parse_dialled, parse_e164
from telephony.errors import InvalidNumber

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    "text", ["+12015550100", " +1 201-555-0100 ", "+1 (201) 555.0100", "+1.201.555.0100"]
)
def test_reads_a_number_however_it_is_punctuated(text: str) -> None:
    assert parse_e164(text) == "+12015550100"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("12015550100", "start with \\+"),
        ("", "start with \\+"),
        ("+1201555010a", "digits only"),
        ("+1201555\n0100", "digits only"),
        ("+١٢٠١٥٥٥٠١٠٠", "digits only"),
        ("+9990000000", "country code"),
        ("+", "country code"),
        ("+1201", "too short or too long"),
        ("+1201555010000000", "too short or too long"),
    ],
)
def test_refuses_what_is_not_a_number_and_says_why(text: str, why: str) -> None:
    with pytest.raises(InvalidNumber, match=why):
        parse_e164(text)


@pytest.mark.parametrize("user", ["+12015550100", "12015550100", "0012015550100"])
def test_reads_a_dialled_number_with_plus_with_00_and_bare_alike(user: str) -> None:
    assert parse_dialled(user) == "+12015550100"


@pytest.mark.parametrize("user", ["anonymous", "100", "sip:alice", "*98", ""])
def test_refuses_extensions_and_names_as_dialled_numbers(user: str) -> None:
    with pytest.raises(InvalidNumber):
        parse_dialled(user)


@given(st.text())
def test_any_text_is_either_a_number_or_refused(text: str) -> None:
    try:
        number = parse_e164(text)
    except InvalidNumber:
        return
    assert parse_e164(number) == number
