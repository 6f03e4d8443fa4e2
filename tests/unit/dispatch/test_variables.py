"""Placeholders in prompts and greetings."""

from datetime import UTC, datetime

import pytest
from pydantic import JsonValue

from dispatch.variables import LONGEST_FILLING, Occasion, fill, session_variables

pytestmark = pytest.mark.unit

OCCASION = Occasion(
    at=datetime(2026, 11, 21, 9, 5, tzinfo=UTC),
    session_id="ses_1",
    platform="WEB",
    direction="INBOUND",
    customer_number="+12015550199",
    room_name="room",
)


def test_a_known_key_gives_way_to_its_value():
    assert fill("Hello {{name}}, hello {{ name }}.", {"name": "Ada"}) == "Hello Ada, hello Ada."


@pytest.mark.parametrize("text", ["{{unknown}}", "{{}}", "{name}", "{{na me}}", "{{1}}"])
def test_what_is_no_known_key_stays_as_it_is_written(text: str):
    assert fill(text, {"name": "Ada"}) == text


def test_a_value_is_not_looked_at_again():
    assert fill("{{name}}", {"name": "{{secret}}", "secret": "!"}) == "{{secret}}"


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (None, ""),
        ("ä", "ä"),
        (3, "3"),
        (True, "true"),
        (["a", "ä"], '["a", "ä"]'),
        ({"a": 1}, '{"a": 1}'),
    ],
)
def test_a_value_that_is_no_text_is_written_as_json(value: JsonValue, written: str):
    assert fill("[{{key}}]", session_variables({"key": value})) == f"[{written}]"


def test_the_occasion_is_told_by_built_in_variables():
    keys = ("now", "date", "time", "platform", "direction", "customer.phonenumber", "roomname")
    text = " ".join(f"{{{{system.{key}}}}}" for key in (*keys, "sessionId"))
    assert fill(text, session_variables({}, OCCASION)) == (
        "2026-11-21T09:05:00Z 2026-11-21 09:05 WEB INBOUND +12015550199 room ses_1"
    )


def test_no_value_replaces_a_built_in_variable():
    variables = session_variables({"system.date": "never"}, OCCASION)
    assert fill("{{system.date}}", variables) == "2026-11-21"


def test_a_short_text_cannot_grow_without_bounds():
    filled = fill("{{long}}" * 1_000, {"long": "x" * 10_000})
    assert len(filled) < LONGEST_FILLING + 1_000 * len("{{long}}")
    assert filled.endswith("{{long}}")
