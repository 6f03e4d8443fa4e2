"""Rules between the fields of a body, as JSON Schema tells them.

Clients made from the description know them before they send, and so does the fuzz. What refuses a
request is still the code that the rule is about.
"""

from collections.abc import Callable, Sequence
from typing import Any

Schema = dict[str, Any]


def has(field: str, **limits: Any) -> Schema:
    """Return the condition that a field is there, and within these limits."""
    return {"required": [field], "properties": {field: limits}}


def if_there(field: str, **limits: Any) -> Schema:
    """Return the condition that a field, if it is there, is within these limits."""
    return {"properties": {field: limits}}


def either(*conditions: Schema) -> Schema:
    """Return the condition that at least one of these holds."""
    return {"anyOf": list(conditions)}


def both(*conditions: Schema) -> Schema:
    """Return the condition that all of these hold."""
    return {"allOf": list(conditions)}


def implies(condition: Schema, consequence: Schema) -> Schema:
    """Return the rule that whatever meets a condition meets its consequence, too."""
    return {"if": condition, "then": consequence}


def described(
    *rules: Schema,
    examples: Sequence[Any] = (),
    fields: Schema | None = None,
    optional: Sequence[str] = (),
) -> Callable[[Schema], None]:
    """Return what adds rules to a body's schema, for `json_schema_extra`.

    Args:
        rules: All of them hold.
        examples: Bodies as clients send them.
        fields: By a field's name, what is added to its schema.
        optional: Fields that may be absent, because the server fills them in.
    """

    def add(schema: Schema) -> None:
        if examples:
            schema["examples"] = list(examples)
        if rules:
            schema["allOf"] = [*schema.get("allOf", ()), *rules]
        for name, more in (fields or {}).items():
            schema["properties"][name].update(more)
        if optional:
            schema["required"] = [
                name for name in schema.get("required", ()) if name not in optional
            ]

    return add
