"""What a script says after an action: its own words, with the tool's answer in them.

`{result}` stands for the answer, `{result.order.status}` for a field of an answer in JSON.
"""

import json
import re
from collections.abc import Callable

import orjson
from pydantic import JsonValue

_RESULT = re.compile(r"\{result((?:\.[A-Za-z0-9_-]{1,64}){0,8})\}")

Fill = Callable[[str], str]
"""Puts what is known of the conversation into a text of the script, in place of its `{{name}}`."""


def as_written(text: str) -> str:
    """Fill nothing in."""
    return text


def text_with_result(template: str, output: str, fill: Fill = as_written) -> str:
    """Return what is said of a tool's answer; a field that is not there is nothing.

    Args:
        template: The script's words.
        output: What the tool answered, JSON or not.
        fill: Fills the script's words, each stretch by itself, so that neither a value can ask for
            a field of the answer nor the answer for a value.
    """
    try:
        result: JsonValue = orjson.loads(output)
    except ValueError:
        result = None
    words, at = "", 0
    for found in _RESULT.finditer(template):
        words += fill(template[at : found.start()]) + _field(output, result, found[1])
        at = found.end()
    return words + fill(template[at:])


def says_field(template: str, name: str) -> bool:
    """Whether a field of the tool's answer is said, by itself or with the whole answer."""
    return any(found[1] in ("", f".{name}") for found in _RESULT.finditer(template))


def _field(output: str, result: JsonValue, path: str) -> str:
    """Return a tool's answer or, by a path such as ``.order.status``, one field of it as text."""
    if not path:
        return output
    value = result
    for name in path[1:].split("."):
        if isinstance(value, dict):
            value = value.get(name)
        elif isinstance(value, list) and name.isdecimal() and int(name) < len(value):
            value = value[int(name)]
        else:
            value = None
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
