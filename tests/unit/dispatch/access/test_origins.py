"""From which pages a key may be used."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch.access.origins import checked_origins, is_allowed
from dispatch.errors import InvalidField

pytestmark = pytest.mark.unit

ALLOWED = ["example.com", "203.0.113.7"]


@pytest.mark.parametrize(
    "origin",
    [
        "https://example.com",
        "http://example.com:8080",
        "https://www.example.com",
        "https://a.b.example.com",
        "https://EXAMPLE.com",
        "https://example.com.",
        "https://203.0.113.7",
        "http://localhost:3000",
        "http://127.0.0.1:5173",
        "http://[::1]:5173",
    ],
)
def test_a_listed_domain_its_subdomains_and_ones_own_machine_are_allowed(origin: str):
    assert is_allowed(origin, ALLOWED)


@pytest.mark.parametrize(
    "origin",
    [
        "",
        "null",
        "example.com",
        "https://evilexample.com",
        "https://example.com.evil.net",
        "https://example.org",
        "https://com",
        "https://example.com@evil.net",
        "https://evil.net#example.com",
        "https://evil.net/example.com",
        "https://evil.net?example.com",
        "https://localhost.evil.net",
        "file://example.com",
        "chrome-extension://example.com",
        "https://example.com:notaport",
        "https://[example.com",
        "https://",
    ],
)
def test_everything_else_is_not(origin: str):
    assert not is_allowed(origin, ALLOWED)


@given(st.text(max_size=100))
def test_no_text_breaks_the_check(origin: str):
    assert is_allowed(origin, []) in {True, False}


def test_origins_are_taken_for_their_domains_each_once():
    given = ["https://Example.com", "example.com", " www.example.com. ", "http://localhost:3000"]
    assert checked_origins(given) == ["example.com", "www.example.com", "localhost"]


@pytest.mark.parametrize(
    "domain",
    [
        "",
        "com",
        "*.example.com",
        "example .com",
        "-a.com",
        "https://a.com/path",
        "a..com",
        "999.1.1.1",
    ],
)
def test_what_is_no_domain_is_refused(domain: str):
    with pytest.raises(InvalidField) as refused:
        checked_origins([domain])
    assert refused.value.field == "allowed_origins"


def test_a_hundred_domains_are_enough():
    with pytest.raises(InvalidField, match="100"):
        checked_origins(f"d{number}.example.com" for number in range(101))
