"""Whom a call may be passed to, or placed to: the guard against toll fraud (pure).

A prompt, a caller or a stolen key can ask for any number. What is dialled in the end is on the
agent's own list, is not a number that bills the caller's side, and is not in a blocked country.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import phonenumbers
from phonenumbers import PhoneNumberType

from telephony.e164 import E164, parse_e164
from telephony.errors import InvalidNumber, TelephonyError
from telephony.host_names import HOST, LONGEST_HOST, PORT

SIP_ADDRESS: Final = rf"sip:[A-Za-z0-9_.!~*'()&=+$,;?/%-]{{1,128}}@{HOST}(?::{PORT})?"
"""A SIP address that can be dialled, or `sip:*@host`, as a pattern that JSON Schema knows too."""
PATTERN: Final = rf"(?:\+[0-9]{{0,15}}\*?|{SIP_ADDRESS})"
"""A pattern of `DiallingRules.allow`, likewise."""

_COSTLY: Final = {
    PhoneNumberType.PREMIUM_RATE: "a premium rate number",
    PhoneNumberType.SHARED_COST: "a shared cost number",
}

_NETWORKS: Final = frozenset({870, 878, 881, 882, 883, 888, 979})
"""Country codes of satellites and other networks that belong to no country, at a country's prices
many times over. Source: ITU-T E.164 assigned country codes."""


class RefusalCode(StrEnum):
    """Why a target may not be dialled."""

    INVALID = "invalid_target"
    NOT_ALLOWED = "target_not_allowed"
    OWN_NUMBER = "own_number"
    PREMIUM = "premium_number"
    BLOCKED_COUNTRY = "blocked_country"
    LOOP = "loop"


class TargetRefused(TelephonyError, ValueError):
    """A target may not be dialled; a `ValueError` as `InvalidNumber` is one.

    Args:
        code: Why.
        sentence: The same for a person; it names no number.
    """

    def __init__(self, code: RefusalCode, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code
        self.sentence = sentence


@dataclass(frozen=True, slots=True)
class PhoneTarget:
    """A telephone number, dialled over the carrier of the number that is called from."""

    number: E164

    @property
    def uri(self) -> str:
        """As a REFER names it."""
        return f"tel:{self.number}"

    @property
    def text(self) -> str:
        """As a person writes it."""
        return self.number


@dataclass(frozen=True, slots=True)
class SipTarget:
    """A SIP address, dialled directly."""

    user: str
    hostname: str
    """Host, with its port when that is not 5060."""

    @property
    def uri(self) -> str:
        """As a REFER names it."""
        return f"sip:{self.user}@{self.hostname}"

    @property
    def text(self) -> str:
        """As a person writes it."""
        return self.uri


Target = PhoneTarget | SipTarget


@dataclass(frozen=True, slots=True)
class DiallingRules:
    """What may be dialled from one call or number."""

    allow: tuple[str, ...] | None = None
    """Patterns: a number, the beginning of numbers with `*` (`+1201*`, `+*`), a SIP address, or
    `sip:*@host`. Empty allows nothing; None does not ask."""
    own_numbers: frozenset[E164] = frozenset()
    """The parties' own numbers, to which this call would come back."""
    blocked_regions: frozenset[str] = frozenset()
    """Countries as ISO 3166 codes."""


def is_pattern(text: str) -> bool:
    """Whether a text is a pattern of `DiallingRules.allow`."""
    return re.fullmatch(PATTERN, text) is not None


def parse_target(text: str) -> Target:
    """Return what a text such as `+12015550100`, `tel:+12015550100` or `sip:desk@host` names.

    Raises:
        TargetRefused: Neither a telephone number nor a SIP address.

    Source: RFC 3966 (`tel`), RFC 3261 section 19.1 (`sip`).
    """
    stripped = text.strip()
    if stripped.startswith("sip"):
        user, _, hostname = stripped.removeprefix("sip:").partition("@")
        if re.fullmatch(SIP_ADDRESS, stripped) is None:
            raise TargetRefused(
                RefusalCode.INVALID,
                "The target is not a SIP address such as sip:desk@pbx.example.com:5060.",
            )
        if len(hostname.partition(":")[0]) > LONGEST_HOST:
            raise TargetRefused(
                RefusalCode.INVALID, f"The target's host is longer than {LONGEST_HOST} characters."
            )
        return SipTarget(user, hostname)
    try:
        return PhoneTarget(parse_e164(stripped.removeprefix("tel:")))
    except InvalidNumber as exc:
        raise TargetRefused(RefusalCode.INVALID, str(exc)) from exc


def check_target(target: Target, rules: DiallingRules) -> None:
    """Accept a target that may be dialled.

    Raises:
        TargetRefused: It may not; with the first reason.
    """
    if isinstance(target, PhoneTarget):
        _check_number(target.number, rules)
    if rules.allow is not None and not any(_matches(target, one) for one in rules.allow):
        raise TargetRefused(
            RefusalCode.NOT_ALLOWED, "The target is not among those that may be dialled."
        )


def _check_number(number: E164, rules: DiallingRules) -> None:
    if number in rules.own_numbers:
        raise TargetRefused(
            RefusalCode.OWN_NUMBER, "The target is a party of this very call, which would loop."
        )
    parsed = phonenumbers.parse(number, None)
    costly = _COSTLY.get(phonenumbers.number_type(parsed))
    if parsed.country_code in _NETWORKS:
        costly = "a number of a satellite or special network"
    if costly is not None:
        raise TargetRefused(RefusalCode.PREMIUM, f"The target is {costly}.")
    regions = phonenumbers.region_codes_for_country_code(parsed.country_code or 0)
    region = phonenumbers.region_code_for_number(parsed)
    # A number of no known region might be of any that shares the country code.
    blocked = {region} if region else set(regions)
    if blocked & rules.blocked_regions:
        raise TargetRefused(
            RefusalCode.BLOCKED_COUNTRY, "The target is in a country that may not be called."
        )


def _matches(target: Target, pattern: str) -> bool:
    if isinstance(target, PhoneTarget):
        if pattern.endswith("*"):
            return target.number.startswith(pattern[:-1])
        return target.number == pattern.removeprefix("tel:")
    if not pattern.startswith("sip:"):
        return False
    user, _, host = pattern.removeprefix("sip:").partition("@")
    return user in ("*", target.user) and host.lower() == target.hostname.lower()
