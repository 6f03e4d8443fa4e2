"""Whom a call may be passed to: the guard against toll fraud."""

import pytest

from telephony.dialling_rules import (
    DiallingRules,
    PhoneTarget,
    RefusalCode,
    SipTarget,
    TargetRefused,
    check_target,
    is_pattern,
    parse_target,
)
from telephony.e164 import parse_e164

pytestmark = pytest.mark.unit


def refusal(text: str, rules: DiallingRules) -> RefusalCode | None:
    try:
        check_target(parse_target(text), rules)
    except TargetRefused as exc:
        assert exc.sentence.endswith(".")
        return exc.code
    return None


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("+12015550123", PhoneTarget(parse_e164("+12015550123"))),
        ("tel:+1 201 555 0123", PhoneTarget(parse_e164("+12015550123"))),
        ("sip:desk@pbx.example", SipTarget("desk", "pbx.example")),
        ("sip:+12015550123@127.0.0.1:5062", SipTarget("+12015550123", "127.0.0.1:5062")),
        ("sip:desk@PBX-1.3cx.example:65535", SipTarget("desk", "PBX-1.3cx.example:65535")),
    ],
)
def test_numbers_and_sip_addresses_are_targets(text: str, target: object) -> None:
    parsed = parse_target(text)

    assert parsed == target
    assert parse_target(parsed.uri) == parsed


@pytest.mark.parametrize(
    "text",
    [
        *("", "12015550123", "desk", "sip:", "sip:@host", "sip:desk@", "sip:desk@host:99999"),
        *("sip:desk@host;transport=tcp", "sip:de sk@host", "sip:a@b@c", "https://host", "+1"),
        *("sips:desk@host", "sip:desk@host\r\nX: 1", "tel:911"),
        *("sip:desk@a..b", "sip:desk@.a", "sip:desk@a.", "sip:desk@-a.b", "sip:desk@a-.b"),
        *("sip:desk@300.1.1.1", "sip:desk@1.2.3", "sip:desk@pbx.42", "sip:desk@p_bx"),
        *("sip:desk@host:0", "sip:desk@host:", "sip:desk@host:65536", "sip:desk@host:05060"),
        *(f"sip:desk@{'x' * 64}.example", f"sip:desk@{'x.' * 126}example"),
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    assert refusal(text, DiallingRules(allow=("+*",))) is RefusalCode.INVALID


@pytest.mark.parametrize(
    ("pattern", "text", "refused"),
    [
        ("+12015550123", "+12015550123", None),
        ("+12015550123", "+12015550124", RefusalCode.NOT_ALLOWED),
        ("+1201*", "+12015550123", None),
        ("+1201*", "+13125550123", RefusalCode.NOT_ALLOWED),
        ("+*", "+442079460000", None),
        ("+*", "sip:desk@pbx.example", RefusalCode.NOT_ALLOWED),
        ("sip:desk@pbx.example", "sip:desk@PBX.example", None),
        ("sip:*@pbx.example", "sip:sales@pbx.example", None),
        ("sip:*@pbx.example", "sip:sales@pbx.example:5062", RefusalCode.NOT_ALLOWED),
        ("sip:*@pbx.example", "sip:sales@evil.example", RefusalCode.NOT_ALLOWED),
        ("sip:desk@pbx.example", "sip:sales@pbx.example", RefusalCode.NOT_ALLOWED),
    ],
)
def test_only_what_is_on_the_list_may_be_dialled(
    pattern: str, text: str, refused: RefusalCode | None
) -> None:
    assert is_pattern(pattern)
    assert refusal(text, DiallingRules(allow=(pattern,))) is refused


def test_an_empty_list_allows_nothing_and_none_does_not_ask() -> None:
    assert refusal("+12015550123", DiallingRules(allow=())) is RefusalCode.NOT_ALLOWED
    assert refusal("+12015550123", DiallingRules()) is None


@pytest.mark.parametrize(
    "text",
    [
        *("*", "12015550123*", "+1*2", "sip:*", "sip:*@", "https://x"),
        *("sip:*@a..b", "sip:*@pbx.example:0", "sip:*@*", "sip:*@pbx.example\n"),
    ],
)
def test_what_is_no_pattern_is_told_apart(text: str) -> None:
    assert not is_pattern(text)


def test_a_call_is_not_passed_to_its_own_parties() -> None:
    rules = DiallingRules(allow=("+*",), own_numbers=frozenset({parse_e164("+12015550100")}))

    assert refusal("tel:+12015550100", rules) is RefusalCode.OWN_NUMBER


@pytest.mark.parametrize("number", ["+19005550123", "+449091234567", "+881612345678"])
def test_numbers_that_bill_whoever_calls_them_are_refused(number: str) -> None:
    assert refusal(number, DiallingRules(allow=("+*",))) is RefusalCode.PREMIUM


def test_a_blocked_country_is_refused_and_its_neighbour_under_the_same_code_is_not() -> None:
    rules = DiallingRules(allow=("+*",), blocked_regions=frozenset({"JM"}))

    assert refusal("+18765230123", rules) is RefusalCode.BLOCKED_COUNTRY
    assert refusal("+12125550123", rules) is None
