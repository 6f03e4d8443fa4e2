"""What the caller has keyed in, for the tools of the same call; a model need not see it."""

import re
from typing import Final

NAME_PATTERN: Final = "[a-z][a-z0-9_]{0,39}"

_REFERENCE: Final = re.compile(r"\{keys\.(" + NAME_PATTERN + r")\}")

_SHORTEST_SECRET: Final = 3
"""Shorter entries stand in texts by chance."""


def reference_to(name: str) -> str:
    """Return what stands for an entry: `{keys.card}`."""
    return f"{{keys.{name}}}"


class HeldKeys:
    """The entries of one call by their names; they live as long as the call."""

    def __init__(self) -> None:
        self._entries: dict[str, str] = {}
        self._secret: set[str] = set()

    def hold(self, name: str, digits: str, *, sensitive: bool) -> None:
        """Keep an entry; a later one of the same name takes its place."""
        self._entries[name] = digits
        if sensitive and len(digits) >= _SHORTEST_SECRET:
            self._secret.add(digits)

    def filled(self, value: object) -> object:
        """Return a JSON value with each `{keys.name}` in its texts filled; unknown ones stay."""
        if isinstance(value, str):
            return _REFERENCE.sub(lambda found: self._entries.get(found[1], found[0]), value)
        if isinstance(value, dict):
            return {name: self.filled(item) for name, item in value.items()}
        if isinstance(value, list):
            return [self.filled(item) for item in value]
        return value

    def masked(self, text: str) -> str:
        """Return a text in which no sensitive entry stands, should a server send one back."""
        for digits in sorted(self._secret, key=len, reverse=True):
            text = text.replace(digits, "[keys]")
        return text
