"""Bodies of tools: `dispatch.tool_definition` in camelCase."""

import uuid
from datetime import datetime
from typing import Any, Final, Self

from pydantic import ConfigDict, Field, JsonValue, model_validator
from pydantic.alias_generators import to_camel

from dispatch.conditions import described, has, if_there, implies
from dispatch.tool_definition import HttpRequest, ToolDefinition, ToolDraft
from dispatch.tool_parameters import NOT_AT_THE_TOP
from gateway.schemas.base import Answer, without_defaults

_REQUEST = ConfigDict(alias_generator=to_camel, extra="forbid", frozen=True)
_ANSWER = ConfigDict(alias_generator=to_camel, extra="ignore", frozen=True, populate_by_name=True)

_EXAMPLE: dict[str, Any] = {
    "name": "order_status",
    "description": "Finds out where an order is. Use it when the caller names an order number.",
    "parameters": {
        "type": "object",
        "properties": {"order": {"type": "string", "description": "The order's number."}},
        "required": ["order"],
        "additionalProperties": False,
    },
    "http": {
        "url": "https://crm.example.com/orders",
        "method": "GET",
        "headers": {"Authorization": "Bearer {{secret:crm.api_key}}"},
        "timeoutS": 5,
    },
}


_PATTERN_OF_URLS: Final = (
    r"^https?://[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?(:[1-9][0-9]{0,3})?"
    r'([/?][!"$-~]*)?$'
)

ARGUMENTS: Final[dict[str, Any]] = has("type", const="object") | {
    "propertyNames": {"not": {"enum": list(NOT_AT_THE_TOP)}}
}
"""What is asked of the schema of a tool's arguments, before it is read as a schema."""

describe_request: Final = described(
    implies(has("method", const="GET"), if_there("body", type="null")),
    fields={
        "url": {"pattern": _PATTERN_OF_URLS},
        "headers": {
            "propertyNames": {"pattern": r"^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}$"},
            "additionalProperties": {
                "type": "string",
                "maxLength": 2_000,
                "pattern": r"^[ -~\t]*$",
            },
        },
    },
)


class HttpRequestBody(HttpRequest):
    """The request behind the tool."""

    model_config = _REQUEST | ConfigDict(json_schema_extra=describe_request)


class ToolBody(ToolDraft):
    """A tool to create."""

    model_config = _REQUEST | ConfigDict(
        json_schema_extra=described(examples=[_EXAMPLE], fields={"parameters": ARGUMENTS})
    )

    http: HttpRequestBody

    def to_draft(self) -> ToolDraft:
        """Return the draft as `dispatch` knows it."""
        return ToolDraft.model_validate(self.model_dump())


def _describe_patch(schema: dict[str, Any]) -> None:
    without_defaults(schema)
    schema["properties"]["parameters"].update(ARGUMENTS)
    schema["examples"] = [{"description": "Finds out where an order is."}]


class ToolPatch(ToolBody):
    """The fields of a tool to change; what is absent stays, nested objects are replaced."""

    model_config = _REQUEST | ConfigDict(json_schema_extra=_describe_patch)

    name: str = Field(default="unchanged", pattern=r"^[A-Za-z_][A-Za-z0-9_-]{0,63}$")
    http: HttpRequestBody = HttpRequestBody(url="https://unchanged.example")

    @model_validator(mode="after")
    def _url_names_parameters(self) -> Self:
        # Only the whole tool can be judged by this rule, and `dispatch` has it.
        return self

    def changes(self) -> dict[str, Any]:
        """Return the fields that were sent, as `dispatch` spells them."""
        sent = self.model_dump(include=self.model_fields_set)
        return {name: sent[name] for name in ToolDraft.model_fields if name in sent}


class HttpRequestAnswer(HttpRequest):
    """The request behind the tool; secrets stand in it by name only."""

    model_config = _ANSWER


class ToolAnswer(Answer):
    """A tool."""

    id: uuid.UUID
    name: str = Field(examples=["order_status"])
    description: str
    parameters: dict[str, JsonValue] = Field(
        description="JSON Schema (2020-12) of the arguments.", examples=[_EXAMPLE["parameters"]]
    )
    http: HttpRequestAnswer
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, tool: ToolDefinition) -> Self:
        """Return the answer for a tool."""
        return cls.model_validate({**tool.model_dump(), "id": tool.tool_id})
