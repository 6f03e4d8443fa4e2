"""Digest authentication against the examples of the RFCs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.softphone.digest import (
    Challenge,
    Credentials,
    answer_challenge,
    choose_challenge,
    find_challenge,
    is_right_answer,
)

pytestmark = pytest.mark.unit

# RFC 7616 section 3.9.1.
RFC7616_MD5 = (
    'Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=MD5, '
    'nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", '
    'opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'
)
RFC7616_SHA256 = RFC7616_MD5.replace("MD5", "SHA-256")
RFC7616_CNONCE = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"


def answer(header: str, credentials: Credentials, uri: str, cnonce: str | None = None) -> str:
    challenge = find_challenge(header)
    assert challenge is not None
    return answer_challenge(challenge, credentials, method="GET", uri=uri, cnonce=cnonce)


@pytest.mark.parametrize(
    ("header", "response"),
    [
        (RFC7616_MD5, "8ca523f5e9506fed4657c9700eebdbec"),
        (RFC7616_SHA256, "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_answers_the_examples_of_rfc_7616(header: str, response: str) -> None:
    mufasa = Credentials("Mufasa", "Circle of Life")
    text = answer(header, mufasa, "/dir/index.html", RFC7616_CNONCE)
    assert f'response="{response}"' in text
    assert "qop=auth," in text
    assert "nc=00000001" in text


def test_answers_the_example_of_rfc_2617() -> None:
    header = (
        'Digest realm="testrealm@host.com", qop="auth,auth-int", '
        'nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", opaque="5ccc069c403ebaf9f0171e9517f40e41"'
    )
    mufasa = Credentials("Mufasa", "Circle Of Life")
    text = answer(header, mufasa, "/dir/index.html", "0a4f113b")
    assert 'response="6629fae49393a05397450978507c4ef1"' in text
    assert 'opaque="5ccc069c403ebaf9f0171e9517f40e41"' in text
    assert "algorithm" not in text


def test_answers_without_quality_of_protection_as_rfc_2069_did() -> None:
    # The example of RFC 2069 section 2.4, with the response its erratum 749 gives.
    header = (
        'Digest realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", '
        'opaque="5ccc069c403ebaf9f0171e9517f40e41"'
    )
    text = answer(header, Credentials("Mufasa", "CircleOfLife"), "/dir/index.html")
    assert 'response="1949323746fe6a43ef61f9606e7febea"' in text
    assert "cnonce" not in text


def test_chooses_the_strongest_challenge_it_can_answer() -> None:
    unknown = RFC7616_MD5.replace("MD5", "SHA-512-256")
    chosen = choose_challenge([unknown, RFC7616_MD5, RFC7616_SHA256])
    assert chosen is not None
    assert chosen.algorithm == "SHA-256"


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Basic realm=x",
        "Digest",
        'Digest realm="x"',
        "Digest realm=, nonce=",
        "Digest nonsense",
        'Digest realm="x", nonce="n", qop="auth-int"',
        'Digest realm="x", nonce="n", algorithm=MD5-sess',
    ],
)
def test_passes_over_challenges_it_cannot_answer(header: str) -> None:
    assert choose_challenge([header]) is None


@pytest.mark.parametrize("algorithm", [None, "MD5", "SHA-256"])
@given(username=st.text(st.characters(codec="ascii", categories=["L", "N", "P"]), min_size=1))
def test_its_answers_pass_its_own_check(algorithm: str | None, username: str) -> None:
    challenge = Challenge("dialplane", "n0nce", algorithm, opaque="o")
    credentials = Credentials(username, "s3cret")
    asked = find_challenge(challenge.to_header())
    assert asked == challenge
    text = answer_challenge(asked, credentials, method="INVITE", uri="sip:a@b")
    assert is_right_answer(text, challenge, credentials, method="INVITE")
    assert not is_right_answer(text, challenge, credentials, method="BYE")
    wrong = Credentials(username, "guess")
    assert not is_right_answer(text, challenge, wrong, method="INVITE")


def test_credentials_do_not_print_the_password() -> None:
    assert "s3cret" not in repr(Credentials("u", "s3cret"))
