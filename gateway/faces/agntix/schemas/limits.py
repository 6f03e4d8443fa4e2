"""Limits of the core for fields that have another name here."""

from typing import Any, Final

from pydantic import BaseModel, Field

_CONSTRAINTS: Final = {
    "minimum": "ge",
    "maximum": "le",
    "minLength": "min_length",
    "maxLength": "max_length",
    "pattern": "pattern",
}


def limited_like(model: type[BaseModel], name: str, default: Any = None, **more: Any) -> Any:
    """Return an optional field with the limits that a field of the core has.

    Args:
        model: The core's object.
        name: Its field's name.
        default: What the field is when it is absent.
        more: Description and examples of the field here.
    """
    schema = model.model_json_schema()["properties"][name]
    limits = {ours: schema[theirs] for theirs, ours in _CONSTRAINTS.items() if theirs in schema}
    return Field(default=default, **limits, **more)
