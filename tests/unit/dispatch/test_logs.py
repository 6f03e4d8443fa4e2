"""One entry per record, with its fields, and personal data only when asked for."""

import json
import logging
import sys
from typing import Any

import pytest

from dispatch.logs import FieldsFormatter

pytestmark = pytest.mark.unit


def record(**extra: Any) -> logging.LogRecord:
    made = logging.makeLogRecord(
        {"name": "dispatch", "levelname": "INFO", "msg": "number assigned", "created": 1.5}
    )
    vars(made).update(extra)
    return made


def test_writes_fields_as_json() -> None:
    formatter = FieldsFormatter("json", personal_data=False)

    entry = json.loads(formatter.format(record(number_id="n1")))

    assert entry == {
        "at": "1970-01-01T00:00:01.500+00:00",
        "level": "INFO",
        "logger": "dispatch",
        "message": "number assigned",
        "number_id": "n1",
    }


def test_writes_fields_behind_the_text() -> None:
    formatter = FieldsFormatter("text", personal_data=False)

    text = formatter.format(record(number_id="n1"))

    assert text == "1970-01-01T00:00:01.500+00:00 INFO    dispatch: number assigned number_id=n1"


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_drops_personal_data_unless_asked_for(log_format: Any) -> None:
    personal = record(**{"pii.number": "+12015550100"})

    assert "2015550100" not in FieldsFormatter(log_format, personal_data=False).format(personal)
    assert "2015550100" in FieldsFormatter(log_format, personal_data=True).format(personal)


@pytest.mark.parametrize("log_format", ["text", "json"])
@pytest.mark.parametrize("name", ["call_+12015550100_x1", "sip_12015550100", "call_%2B12015550100"])
def test_hides_numbers_in_livekits_names_wherever_they_stand(log_format: Any, name: str) -> None:
    try:
        int(name)
    except ValueError:
        quoting = record(msg=f"left {name}", room=name, exc_info=sys.exc_info())

    assert "2015550100" not in FieldsFormatter(log_format, personal_data=False).format(quoting)
    assert "2015550100" in FieldsFormatter(log_format, personal_data=True).format(quoting)


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_shows_where_an_error_came_from(log_format: Any) -> None:
    try:
        int("broken")
    except ValueError:
        failed = record(exc_info=sys.exc_info())

    text = FieldsFormatter(log_format, personal_data=False).format(failed)

    assert "ValueError: invalid literal" in text
    assert "test_logs.py" in text
