"""Names and reasons that people give."""

from dispatch.errors import InvalidField

LONGEST_NAME = 200
LONGEST_REASON = 500


def checked_name(name: str) -> str:
    """Return a name without blanks around it.

    Raises:
        InvalidField: It is empty or longer than 200 characters.
    """
    stripped = name.strip()
    if not 1 <= len(stripped) <= LONGEST_NAME:
        raise InvalidField("name", f"name must have 1 to {LONGEST_NAME} characters.")
    return stripped


def checked_reason(reason: str) -> str:
    """Return a reason without blanks around it, which may be empty.

    Raises:
        InvalidField: It is longer than 500 characters.
    """
    stripped = reason.strip()
    if len(stripped) > LONGEST_REASON:
        raise InvalidField("reason", f"reason must have at most {LONGEST_REASON} characters.")
    return stripped
