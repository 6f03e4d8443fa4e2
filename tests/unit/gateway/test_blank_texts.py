"""What counts as a blank text: the same for Python, for the schema and for clients."""

import pytest
from pydantic import TypeAdapter, ValidationError

from dispatch.agent_profile import Name
from dispatch.number_behaviour import Message
from gateway.schemas.base import Label

pytestmark = pytest.mark.unit

TEXTS = [TypeAdapter(Label), TypeAdapter(Name), TypeAdapter(Message)]


@pytest.mark.parametrize("kind", TEXTS, ids=["label", "name", "message"])
@pytest.mark.parametrize("text", ["", " ", "\t\n", "\x1c", "\x1d\x1e \x1f", "\x85", "\u00a0"])
def test_a_text_of_blanks_alone_is_refused(kind: TypeAdapter[str], text: str) -> None:
    with pytest.raises(ValidationError):
        kind.validate_python(text)


@pytest.mark.parametrize("kind", TEXTS, ids=["label", "name", "message"])
def test_blanks_at_both_ends_do_not_count(kind: TypeAdapter[str]) -> None:
    assert kind.validate_python(" \x1dHandbook\x1f ") == "Handbook"
