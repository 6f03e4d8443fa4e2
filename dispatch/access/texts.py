"""Names, descriptions and reasons that people give."""

from dispatch.errors import InvalidField

LONGEST_NAME = 200
LONGEST_TEXT = 500


def checked_name(name: str) -> str:
    """Return a name without blanks around it.

    Raises:
        InvalidField: It is empty or longer than 200 characters.
    """
    stripped = name.strip()
    if not 1 <= len(stripped) <= LONGEST_NAME:
        raise InvalidField("name", f"name must have 1 to {LONGEST_NAME} characters.")
    return stripped


def checked_text(field: str, text: str) -> str:
    """Return a longer text without blanks around it, which may be empty.

    Raises:
        InvalidField: It is longer than 500 characters; names the field.
    """
    stripped = text.strip()
    if len(stripped) > LONGEST_TEXT:
        raise InvalidField(field, f"{field} must have at most {LONGEST_TEXT} characters.")
    return stripped
