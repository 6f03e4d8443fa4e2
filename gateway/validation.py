"""What is wrong with a request, as sentences that name fields in the client's own spelling."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydantic.alias_generators import to_camel

from dispatch.agent_profile import AgentDraft

_SENTENCES: Final = {
    "missing": "{field} is required.",
    "extra_forbidden": "{field} is not a known field.",
    "unknown_parameter": "{field} is not a known query parameter.",
    "repeated_parameter": "{field} may be sent only once.",
    "uuid_parsing": "{field} must be a UUID.",
    "uuid_type": "{field} must be a UUID.",
    "json_invalid": "The body is not valid JSON: {error}.",
    "nul": "{field} may not hold a NUL character.",
}
"""Sentences by pydantic's error type; all others are pydantic's message after the field."""

_NAMELESS: Final = "A query parameter without a name is not known."

NOT_AN_OBJECT: Final = "The body must be a JSON object, sent as application/json."

_SNAKE_NAME: Final = re.compile(
    "|".join(rf"\b{name}\b" for name in AgentDraft.model_fields if "_" in name)
)

_FREE_FORM: Final = frozenset(
    {"params", "variables", "extensions", "parameters", "headers", "values"}
)
"""Objects whose names inside are not ours: a vendor's, a tenant's or a product's."""

_LONGEST_PART: Final = 100

_INNER: Final = re.compile(r"([A-Za-z][\w.-]*): (.+)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class FieldError:
    """One wrong field: its dotted path (empty for the body as a whole) and what is wrong."""

    field: str
    message: str


def field_errors_of(errors: Sequence[Any]) -> tuple[FieldError, ...]:
    """Return pydantic's errors as sentences, in their order, without repetitions."""
    return tuple(dict.fromkeys(_field_error(error) for error in errors))


def missing_thing_of(errors: Sequence[Any]) -> str | None:
    """Return what a path names with an impossible id, or None when the path is fine.

    An id that cannot exist is answered like one that does not: nothing is there.
    """
    for error in errors:
        place, *rest = error["loc"]
        if place == "path":
            return str(rest[0]).removesuffix("_id").replace("_", " ")
    return None


def of_invalid_field(path: str, message: str) -> FieldError:
    """Return an `InvalidField` of `dispatch`, which spells names its own way, as clients do.

    The rules of agents are phrases, as pydantic's are; here they become sentences.
    """
    parts = path.split(".")
    ours = next((at + 1 for at, part in enumerate(parts) if part in _FREE_FORM), len(parts))
    name = ".".join([*map(to_camel, parts[:ours]), *parts[ours:]])
    words = _SNAKE_NAME.sub(lambda found: to_camel(found[0]), message)
    if parts[0] in AgentDraft.model_fields and not words.endswith("."):
        words = _sentence("" if words.startswith(name) else name, words)
    return FieldError(name, words)


def _field_error(error: Mapping[str, Any]) -> FieldError:
    place, *rest = error["loc"]
    kind = error["type"]
    if kind == "json_invalid":
        sentence = _SENTENCES[kind].format(error=error["ctx"]["error"])
        return FieldError("", sentence)
    name = ".".join(_shortened(str(part)) for part in rest)
    if place == "body" and not name and kind != "value_error":
        return FieldError("", NOT_AN_OBJECT)
    if kind == "unknown_parameter" and not name:
        return FieldError("", _NAMELESS)
    if kind in _SENTENCES:
        return FieldError(name, _SENTENCES[kind].format(field=name))
    if kind == "value_error":
        return _of_validator(name, str(error["ctx"]["error"]))
    return FieldError(name, _sentence(name, str(error["msg"])))


def _shortened(part: str) -> str:
    # An unknown field's name is the client's own, and may be as long as the body.
    return part if len(part) <= _LONGEST_PART else part[: _LONGEST_PART - 1] + "…"


def _of_validator(name: str, message: str) -> FieldError:
    """Return the error of one of our own validators.

    A validator of a whole object names the field inside it in front: `steps.0.goto: no such menu`.
    """
    inner = _INNER.fullmatch(message)
    if inner is None:
        return FieldError(name, _sentence(name, message))
    full = f"{name}.{inner[1]}" if name else inner[1]
    return FieldError(full, _sentence(full, inner[2]))


def _sentence(name: str, message: str) -> str:
    sentence = f"{name}: {message}" if name else message
    return sentence if sentence.endswith(".") else f"{sentence}."
