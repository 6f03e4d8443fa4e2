"""The form of API keys."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch.api_keys import generate_key, hash_key, hint_of, is_well_formed

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("prefix", ["pk", "tk"])
def test_a_new_key_is_well_formed(prefix) -> None:
    key = generate_key(prefix)
    assert re.fullmatch(prefix + r"_live_[0-9A-Za-z]{43}", key)
    assert is_well_formed(key)


def test_a_widget_key_shows_what_it_is() -> None:
    key = generate_key("pk", "widget")
    assert re.fullmatch(r"tk_widget_[0-9A-Za-z]{43}", key)
    assert is_well_formed(key)
    assert not is_well_formed(key.replace("tk_widget", "pk_widget"))


def test_one_seed_makes_one_key() -> None:
    one, same, other = (generate_key("pk", seed=seed * 32) for seed in (b"a", b"a", b"b"))
    assert one == same != other


def test_letters_are_drawn_evenly() -> None:
    letters = "".join(generate_key("pk")[8:45] for _ in range(400))
    counts = [letters.count(letter) for letter in set(letters)]
    assert len(counts) == 62
    # 14,800 letters of 62: 239 each, and six standard deviations are 93.
    assert 146 < min(counts) <= max(counts) < 332


def test_no_two_keys_are_alike() -> None:
    assert len({generate_key("pk") for _ in range(100)}) == 100


@given(place=st.integers(min_value=0, max_value=50), letter=st.sampled_from("0Aa9Zz_- é"))
def test_one_wrong_letter_makes_a_key_malformed(place: int, letter: str) -> None:
    key = generate_key("pk")
    wrong = key[:place] + letter + key[place + 1 :]
    assert is_well_formed(wrong) == (wrong == key)


@given(st.text(max_size=80))
def test_no_text_breaks_the_check(text: str) -> None:
    assert not is_well_formed(text)


def test_the_hash_depends_on_key_and_pepper() -> None:
    assert len(hash_key("pk_live_x", "pepper")) == 64
    assert hash_key("pk_live_x", "pepper") != hash_key("pk_live_y", "pepper")
    assert hash_key("pk_live_x", "pepper") != hash_key("pk_live_x", "salt")


def test_the_hint_is_the_keys_end() -> None:
    key = generate_key("pk")
    assert key.endswith(hint_of(key))
    assert len(hint_of(key)) == 4
