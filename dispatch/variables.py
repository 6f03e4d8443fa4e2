"""Variables in an agent's texts: `{{key}}` gives way to what is known of the conversation.

Voice calls and chats fill their texts here, so that a prompt means the same in both.

Source: Agntix's session variables: a key that is not known stays as it is written, and the
built-in ones begin with `system.`.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from pydantic import JsonValue

LONGEST_FILLING: Final = 65_536
"""Characters that variables may add to one text: a short prompt may name a long value often."""

_PLACEHOLDER: Final = re.compile(r"\{\{\s*([A-Za-z_][A-Za-z0-9_.]{0,63})\s*\}\}")


@dataclass(frozen=True, slots=True)
class Occasion:
    """A conversation as its built-in variables tell it; what is unknown is empty."""

    at: datetime
    """When it began; told in UTC."""
    session_id: str = ""
    platform: str = ""
    """Where it takes place, for example `PHONE` or `WEB`."""
    direction: str = ""
    """`INBOUND` or `OUTBOUND`."""
    customer_number: str = ""
    room_name: str = ""

    def variables(self) -> dict[str, str]:
        """Return the built-in variables by their keys."""
        at = self.at.astimezone(UTC)
        return {
            "system.now": at.isoformat(timespec="seconds").replace("+00:00", "Z"),
            "system.date": at.date().isoformat(),
            "system.time": at.strftime("%H:%M"),
            "system.platform": self.platform,
            "system.direction": self.direction,
            "system.customer.phonenumber": self.customer_number,
            "system.roomname": self.room_name,
            "system.sessionId": self.session_id,
        }


def session_variables(
    given: Mapping[str, JsonValue], occasion: Occasion | None = None
) -> dict[str, str]:
    """Return everything a conversation's texts may name.

    Args:
        given: What the client sent along; a value that is no text is written as JSON, null as
            nothing.
        occasion: Adds the built-in variables, which nothing given can replace.
    """
    return {key: _as_text(value) for key, value in given.items()} | (
        occasion.variables() if occasion else {}
    )


def fill(text: str, variables: Mapping[str, str]) -> str:
    """Return the text with each known `{{key}}` replaced by its value.

    What a value holds is not looked at again, so that a caller's name cannot smuggle in a key.
    """
    left = LONGEST_FILLING

    def value(found: re.Match[str]) -> str:
        nonlocal left
        known = variables.get(found[1])
        if known is None or len(known) > left:
            return found[0]
        left -= len(known)
        return known

    return _PLACEHOLDER.sub(value, text)


def _as_text(value: JsonValue) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
