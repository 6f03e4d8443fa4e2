"""How much of a secret a list shows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch.secrets.values import mask

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("sk-0123456789abcdef-abcd", "sk-…abcd"),
        ("sk-proj-0123456789abcdef", "sk-…cdef"),
        ("0123456789abcdef0123", "…0123"),
        ("hunter2", "…"),
        ("sk-short-abcdefghij", "…"),
        ("", "…"),
    ],
)
def test_a_long_value_shows_its_vendor_and_its_end(value: str, shown: str) -> None:
    assert mask(value) == shown


@given(st.text(max_size=100))
def test_never_more_than_nine_characters_are_shown(value: str) -> None:
    shown = mask(value).replace("…", "", 1)

    assert len(shown) <= 9
    assert len(shown) <= max(0, len(value) - 11)
