"""JSON Schema of a tool's arguments, kept to what can be checked in bounded time.

Tenants write the schemas and callers talk the models into arguments, and both are checked beside
other people's calls. So a schema is small, refers to no other document and not to itself, and its
patterns are matched by RE2, whose time grows with the text alone.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

import re2
from jsonschema import Draft202012Validator, ValidationError
from jsonschema.exceptions import SchemaError
from jsonschema.validators import extend
from pydantic import JsonValue

LONGEST_SCHEMA_BYTES: Final = 32_768
MOST_SUBSCHEMAS: Final = 500
"""With every reference written out."""

LONGEST_ARGUMENTS_BYTES: Final = 16_384

_DEEPEST: Final = 32
_MOST_COMPLAINTS: Final = 3
_LONGEST_COMPLAINT: Final = 300
NOT_AT_THE_TOP: Final = ("$ref", "allOf", "anyOf", "oneOf", "not", "enum", "const", "if")
"""Language models' APIs want a plain object at the top."""

_USELESS: Final = ("$id", "$anchor", "$dynamicRef", "$dynamicAnchor", "$vocabulary")


def check_parameters(schema: Mapping[str, JsonValue]) -> None:
    """Check that a schema describes arguments of a function, and that checking them is cheap.

    Raises:
        ValueError: It does not; the message says what to change.
    """
    if len(json.dumps(schema).encode()) > LONGEST_SCHEMA_BYTES:
        raise ValueError(f"the schema may take {LONGEST_SCHEMA_BYTES} bytes at most")
    if schema.get("type") != "object":
        raise ValueError('the schema of a function\'s arguments has "type": "object"')
    for keyword in NOT_AT_THE_TOP:
        if keyword in schema:
            raise ValueError(f"{keyword} may not stand at the top; describe properties instead")
    _Walk(schema).check()
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as exc:
        raise ValueError(f"not a JSON Schema: {_sentence(exc)}") from exc


def complaints_about(
    schema: Mapping[str, JsonValue], arguments: Mapping[str, Any]
) -> tuple[str, ...]:
    """Return what is wrong with arguments, a short sentence each, the first three; empty if good.

    Args:
        schema: A schema that `check_parameters` has passed.
        arguments: What a model wrote.
    """
    try:
        size = len(json.dumps(arguments, allow_nan=False).encode())
    except (TypeError, ValueError):
        return ("The arguments are not JSON.",)
    if size > LONGEST_ARGUMENTS_BYTES:
        return (f"The arguments take more than {LONGEST_ARGUMENTS_BYTES} bytes.",)
    errors = sorted(_Validator(schema).iter_errors(arguments), key=lambda error: list(error.path))
    return tuple(_sentence(error) for error in errors[:_MOST_COMPLAINTS])


def _sentence(error: ValidationError | SchemaError) -> str:
    place = ".".join(str(part) for part in error.path)
    text = f"{place}: {error.message}" if place else str(error.message)
    return text if len(text) <= _LONGEST_COMPLAINT else f"{text[:_LONGEST_COMPLAINT]}…"


def _quiet_options() -> Any:
    options = re2.Options()
    options.log_errors = False
    return options


_RE2: Final = _quiet_options()


class _Walk:
    """One pass over a schema, references written out."""

    def __init__(self, schema: Mapping[str, JsonValue]) -> None:
        self._root = schema
        self._counted = 0

    def check(self) -> None:
        self._visit(self._root, depth=0, refs=())

    def _visit(
        self, node: JsonValue | Mapping[str, JsonValue], depth: int, refs: tuple[str, ...]
    ) -> None:
        if depth > _DEEPEST:
            raise ValueError(f"the schema is nested more than {_DEEPEST} levels deep")
        if isinstance(node, list):
            for item in node:
                self._visit(item, depth + 1, refs)
        elif isinstance(node, Mapping):
            self._counted += 1
            if self._counted > MOST_SUBSCHEMAS:
                raise ValueError(f"the schema has more than {MOST_SUBSCHEMAS} parts")
            self._visit_keywords(node, depth, refs)

    def _visit_keywords(
        self, node: Mapping[str, JsonValue], depth: int, refs: tuple[str, ...]
    ) -> None:
        for keyword, value in node.items():
            if keyword in _USELESS and isinstance(value, str):
                raise ValueError(f"{keyword} has no use in a function's arguments; leave it out")
            if keyword == "patternProperties":
                raise ValueError("patternProperties cannot be used; name the properties instead")
            if keyword == "$ref" and isinstance(value, str):
                if value in refs:
                    raise ValueError(f"$ref {value} refers to itself; write out what it allows")
                self._visit(self._target(value), depth + 1, (*refs, value))
            elif keyword == "pattern" and isinstance(value, str):
                _check_pattern(value)
            else:
                self._visit(value, depth + 1, refs)

    def _target(self, ref: str) -> JsonValue | Mapping[str, JsonValue]:
        if not ref.startswith("#/"):
            raise ValueError(f"$ref {ref[:100]} must stay in the schema, such as #/$defs/address")
        node: Any = self._root
        for part in ref[2:].split("/"):
            name = part.replace("~1", "/").replace("~0", "~")
            if not isinstance(node, Mapping) or name not in node:
                raise ValueError(f"$ref {ref[:100]} refers to nothing")
            node = node[name]
        return node  # type: ignore[no-any-return]


def _check_pattern(pattern: str) -> None:
    try:
        re2.compile(pattern, _RE2)
    except re2.error as exc:
        raise ValueError(
            f"the pattern {pattern[:100]} cannot be matched in bounded time: "
            "no look-around and no back-references"
        ) from exc


def _matches(
    _validator: Any, pattern: str, instance: Any, _schema: Any
) -> Iterator[ValidationError]:
    if isinstance(instance, str) and not re2.search(pattern, instance, _RE2):
        yield ValidationError(f"does not match {pattern}")


_Validator: Final = extend(Draft202012Validator, {"pattern": _matches})  # type: ignore[no-untyped-call]
