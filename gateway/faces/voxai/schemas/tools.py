"""Bodies of tools."""

import uuid
from typing import Any, Self

from pydantic import Field

from dispatch.tool_definition import ToolDefinition
from gateway.faces.voxai.schemas.base import Answer


class ToolAnswer(Answer):
    """A tool as a language model is told of it, and the request it stands for."""

    id: uuid.UUID
    name: str = Field(examples=["find_order"])
    description: str
    parameters: dict[str, Any] = Field(description="JSON Schema of the arguments.")
    url: str
    method: str = Field(examples=["POST"])

    @classmethod
    def of(cls, tool: ToolDefinition) -> Self:
        """Return the answer for a tool; its headers stay here, for they name secrets."""
        return cls(
            id=tool.tool_id,
            name=tool.name,
            description=tool.description,
            parameters=dict(tool.parameters),
            url=tool.http.url,
            method=tool.http.method.value,
        )


class ToolsAnswer(Answer):
    """An agent's tools, in its order."""

    tools: list[ToolAnswer]
