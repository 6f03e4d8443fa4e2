"""What counts as a blank text: the same for Python, for the schema and for clients."""

import pytest
from pydantic import TypeAdapter, ValidationError

from gateway.schemas.base import Label

pytestmark = pytest.mark.unit

LABEL = TypeAdapter(Label)


@pytest.mark.parametrize("text", ["", " ", "\t\n", "\x1c", "\x1d\x1e \x1f", "\x85", "\u00a0"])
def test_a_text_of_blanks_alone_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        LABEL.validate_python(text)


def test_blanks_at_both_ends_do_not_count() -> None:
    assert LABEL.validate_python(" \x1dHandbook\x1f ") == "Handbook"
