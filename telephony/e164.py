"""E.164 phone numbers: parsed once at the edge, then a type of their own."""

from typing import NewType

import phonenumbers

from telephony.errors import InvalidNumber

E164 = NewType("E164", str)
"""A possible number in E.164 form, such as `+12015550100`. Made only by `parse_e164`."""


def parse_e164(text: str) -> E164:
    """Return the number in E.164 form.

    Possible numbers are accepted, not only assigned ones: numbering plans grow faster than the
    library that describes them.

    Args:
        text: A number that starts with `+` and its country code; spaces, dots, hyphens and
            brackets are ignored.

    Raises:
        InvalidNumber: No leading `+`, other characters, or an impossible length.

    Source: ITU-T E.164 (at most 15 digits, country code first).
    """
    stripped = text.strip()
    if not stripped.startswith("+"):
        raise InvalidNumber("A phone number must start with + and its country code.")
    if not all(c.isascii() and (c.isdigit() or c in " .-()") for c in stripped[1:]):
        raise InvalidNumber("A phone number may hold digits only after the +.")
    try:
        number = phonenumbers.parse(stripped, None)
    except phonenumbers.NumberParseException as exc:
        raise InvalidNumber("Not a phone number: its country code is unknown.") from exc
    if not phonenumbers.is_possible_number(number):
        raise InvalidNumber("Not a possible phone number: it is too short or too long.")
    return E164(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))


def parse_dialled(user: str) -> E164:
    """Return the number named by the user part of a SIP To or From URI.

    Carriers send the same number with and without its plus, and with `00` for it; all three mean
    the international form here. National forms are not guessed.

    Raises:
        InvalidNumber: The user part is not an international number (an extension, a name).
    """
    stripped = user.strip()
    if stripped.startswith("00"):
        stripped = "+" + stripped[2:]
    elif stripped[:1].isdigit():
        stripped = "+" + stripped
    return parse_e164(stripped)
