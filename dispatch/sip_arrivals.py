"""Reads a telephone call's arrival from the attributes of its SIP participant (pure)."""

from collections.abc import Mapping
from typing import Final

from dispatch.calls import Arrival, call_id_of_sip_room
from telephony.calls import CallDirection, CallKind
from telephony.e164 import E164, parse_dialled
from telephony.errors import InvalidNumber

_WITHHELD: Final = frozenset(
    {"", "anonymous", "unavailable", "unknown", "restricted", "private", "withheld"}
)
"""User parts that mean "no number".

Source: RFC 3323 section 4.1 (`anonymous`); the others are carriers' habits."""

_LONGEST: Final = 255
"""Characters of what a stranger's telephone says about itself; it is stored and searched by."""


def sip_arrival(room_name: str, identity: str, attributes: Mapping[str, str]) -> Arrival:
    """Return the arrival of a telephone call.

    A dialled extension or name leaves `did` empty: no number of ours was dialled, which admission
    refuses. A caller who withholds the number is as welcome as any other.

    Args:
        room_name: LiveKit's room of the call.
        identity: The SIP participant's identity.
        attributes: Its `sip.*` attributes.

    Source: livekit/protocol livekit/attrs.go (names of the attributes).
    """
    return Arrival(
        call_id=call_id_of_sip_room(room_name),
        kind=CallKind.SIP,
        direction=CallDirection.INBOUND,
        room_name=room_name,
        caller_identity=identity,
        did=_number(attributes.get("sip.trunkPhoneNumber", "")),
        caller_number=_caller_number(attributes.get("sip.phoneNumber", "")),
        sip_call_id=_told(attributes.get("sip.callID", "")) or None,
        carrier_call_id=_told(attributes.get("sip.callIDFull", "")) or None,
    )


def _told(text: str) -> str:
    """Return what can be stored and shown of it: Postgres takes no NUL."""
    return "".join(character for character in text if character.isprintable())[:_LONGEST]


def _caller_number(user: str) -> str | None:
    stripped = _told(user).strip()
    if stripped.lower() in _WITHHELD:
        return None
    return _number(stripped) or stripped


def _number(user: str) -> E164 | None:
    try:
        return parse_dialled(user)
    except InvalidNumber:
        return None
