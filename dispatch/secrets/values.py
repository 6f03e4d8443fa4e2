"""What a tenant may keep secret for a provider, and how much of it a list shows."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from dispatch.errors import InvalidField

MOST_VALUES: Final = 20
LONGEST_VALUE: Final = 8_192
MOST_PROVIDERS: Final = 100
"""Providers of a project: all of them travel together to where calls read them."""

_PROVIDER = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
_VENDOR_PREFIX = re.compile(r"[A-Za-z]{2,4}[-_]")

_SHOWN_FROM: Final = 20
"""A value this long keeps its strength when its last four characters are known."""


@dataclass(frozen=True, slots=True)
class MaskedSecret:
    """A provider's secret as lists show it."""

    provider: str
    values: dict[str, str]
    """By name, each as `sk-…abcd`."""
    created_at: datetime
    updated_at: datetime


def is_provider(provider: str) -> bool:
    """Whether a text can be a provider's name at all."""
    return _PROVIDER.fullmatch(provider) is not None


def checked_provider(provider: str) -> str:
    """Return a provider's name if it is one lower-case word, such as `openai`.

    Raises:
        InvalidField: It is not.
    """
    if not is_provider(provider):
        raise InvalidField(
            "provider",
            "provider must be one word of lower-case letters, digits, - and _, such as openai.",
        )
    return provider


def checked_values(values: Mapping[str, str]) -> dict[str, str]:
    """Return a provider's values if they can be kept.

    Raises:
        InvalidField: There are none or too many, or a name or a value is not allowed; the message
            holds no part of a value.
    """
    if not 1 <= len(values) <= MOST_VALUES:
        raise InvalidField("values", f"Give 1 to {MOST_VALUES} values, such as api_key.")
    for name, value in values.items():
        if not _NAME.fullmatch(name):
            raise InvalidField(
                "values",
                "A value's name has lower-case letters, digits and _, such as api_key, "
                "and at most 40 characters.",
            )
        if not 1 <= len(value) <= LONGEST_VALUE or "\0" in value:
            raise InvalidField(
                f"values.{name}", f"1 to {LONGEST_VALUE} characters, and no NUL among them."
            )
    return dict(values)


def mask(value: str) -> str:
    """Return what may be shown of a value: `sk-…abcd`, or only `…` for a short one."""
    if len(value) < _SHOWN_FROM:
        return "…"
    prefix = _VENDOR_PREFIX.match(value)
    return f"{prefix[0] if prefix else ''}…{value[-4:]}"


def purpose_of(provider: str) -> str:
    """Return what a provider's sealed values are bound to."""
    return f"provider/{provider}"


def to_bytes(values: Mapping[str, str]) -> bytes:
    """Return values as they are sealed."""
    return json.dumps(dict(values)).encode()


def from_bytes(plain: bytes) -> dict[str, str]:
    """Return values as they were given."""
    values: dict[str, str] = json.loads(plain)
    return values
