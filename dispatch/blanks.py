"""Texts whose blanks at both ends do not count, and what counts as a blank.

Pydantic takes the separators U+001C to U+001F for text; Python and clients take them for blanks,
and so does the schema that clients read.
"""

from typing import Any, Final

from pydantic import BeforeValidator

NOT_BLANK: Final[dict[str, Any]] = {"pattern": r"[^\s\x1c-\x1f\x85]"}
"""The schema of a text that is more than blanks."""


def _stripped(value: object) -> object:
    return value.strip() if isinstance(value, str) else value


STRIPPED: Final = BeforeValidator(_stripped)
"""Of the same texts: takes the blanks away before anything is judged."""
