"""Bodies of tools."""

import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Final, Literal, Self

from pydantic import ConfigDict, Field, JsonValue, StringConstraints

from dispatch.errors import InvalidField
from dispatch.tool_definition import MOST_HEADERS, HttpMethod, ToolDefinition, ToolDraft
from gateway.faces.agntix.schemas.limits import limited_like
from gateway.schemas.base import Answer, RequestBody, without_defaults
from gateway.schemas.tools import describe_request

_EXAMPLE: Final[dict[str, Any]] = {
    "name": "order_status",
    "description": "Finds out where an order is.",
    "type": "API_TOOL",
    "apiTool": {
        "url": "https://crm.example.com/orders",
        "method": "GET",
        "headers": {"Authorization": "Bearer {{secret:crm.api_key}}"},
    },
    "ajvPropertiesSchema": {
        "type": "object",
        "properties": {"order": {"type": "string", "description": "The order's number."}},
        "required": ["order"],
    },
}


class ApiTool(RequestBody):
    """The request behind a tool.

    Arguments go where `{{name}}` stands in the URL and the body. Without a body those that the URL
    does not name are sent as JSON, or in a GET's query.
    """

    model_config = ConfigDict(json_schema_extra=describe_request)

    url: Annotated[str, StringConstraints(min_length=1, max_length=2_000)]
    method: HttpMethod = HttpMethod.POST
    headers: dict[str, Annotated[str, StringConstraints(max_length=2_000)]] = Field(
        default={},
        max_length=MOST_HEADERS,
        description="Values may hold secrets of the project: `Bearer {{secret:crm.api_key}}`.",
    )
    body: dict[str, JsonValue] | None = None

    def fields(self) -> dict[str, Any]:
        """Return the fields that were sent, as `dispatch` spells them."""
        fields = self.model_dump(exclude_unset=True)
        if "headers" in fields:
            # What is sent anyway may be said here, but not in the core.
            fields["headers"] = {
                name: value
                for name, value in self.headers.items()
                if (name.lower(), value.lower()) != ("content-type", "application/json")
            }
        return fields


def _describe_patch(schema: dict[str, Any]) -> None:
    without_defaults(schema)
    schema["examples"] = [{"description": "Finds out where an order is."}]


class ApiToolPatch(RequestBody):
    """The fields of a tool to change; what is absent stays, objects are replaced."""

    model_config = ConfigDict(json_schema_extra=_describe_patch)

    name: str = limited_like(ToolDraft, "name", "unchanged")
    description: str = limited_like(ToolDraft, "description", "")
    type: Literal["API_TOOL", "API"] = Field(
        default="API_TOOL", description="A FUNCTION_TOOL runs in a client, of which none is here."
    )
    api_tool: ApiTool = Field(default_factory=lambda: ApiTool(url="https://unchanged.example"))
    ajv_properties_schema: dict[str, JsonValue] = Field(
        default={},
        description="JSON Schema of the arguments: the whole object, or its properties alone.",
    )

    pre_execution_message: Annotated[str, StringConstraints(max_length=1_000)] | None = Field(
        default=None, description="Not kept: agents say by themselves that they look something up."
    )

    def fields(self) -> dict[str, Any]:
        """Return the fields that were sent, but the request, as `dispatch` spells them."""
        sent = self.model_fields_set
        fields: dict[str, Any] = {
            name: getattr(self, name) for name in ("name", "description") if name in sent
        }
        if "ajv_properties_schema" in sent:
            fields["parameters"] = _as_object(self.ajv_properties_schema)
        return fields


class ApiToolBody(ApiToolPatch):
    """A tool to create."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    name: str = limited_like(ToolDraft, "name", ..., description="Once in a project.")
    description: str = limited_like(ToolDraft, "description", ..., description="For the model.")
    type: Literal["API_TOOL", "API"] = Field(
        description="A FUNCTION_TOOL runs in a client, of which none is here."
    )
    api_tool: ApiTool
    ajv_properties_schema: dict[str, JsonValue] = Field(
        description="JSON Schema of the arguments: the whole object, or its properties alone."
    )


class ApiToolAnswer(Answer):
    """The request behind a tool."""

    url: str
    method: HttpMethod
    headers: dict[str, str]
    body: dict[str, JsonValue] | None


class ToolAnswer(Answer):
    """A tool."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"id": "5b710eca-4a0e-4b52-9c53-3b2f6f0f8d11", **_EXAMPLE}]}
    )

    id: uuid.UUID
    name: str
    description: str
    type: Literal["API_TOOL"]
    api_tool: ApiToolAnswer
    ajv_properties_schema: dict[str, JsonValue]
    org_id: uuid.UUID
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, tool: ToolDefinition, organization_id: uuid.UUID) -> Self:
        """Return the answer for a tool of an organisation."""
        return cls(
            id=tool.tool_id,
            name=tool.name,
            description=tool.description,
            type="API_TOOL",
            api_tool=ApiToolAnswer.model_validate(tool.http),
            ajv_properties_schema=tool.parameters,
            org_id=organization_id,
            created_at=tool.created_at,
            updated_at=tool.updated_at,
        )


_NAMES: Final[Mapping[str, str]] = {"parameters": "ajvPropertiesSchema", "http": "apiTool"}


def in_agntix_words(error: InvalidField) -> InvalidField:
    """Return what is wrong with a tool, its field named as Agntix's clients know it."""
    first, dot, rest = error.field.partition(".")
    field = _NAMES.get(first, first) + dot + rest
    return InvalidField(field, f"{field}: {error.message}")


def _as_object(schema: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """Return a schema of the arguments; a mere map of their properties gets its object around."""
    is_whole = isinstance(schema.get("type"), str) or "$schema" in schema or "$ref" in schema
    return schema if is_whole else {"type": "object", "properties": schema}
