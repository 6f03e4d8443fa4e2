"""Tools as agents' snapshots hold them, and a tenant's secrets for them."""

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from dispatch.tool_definition import ToolDefinition

CRM_KEY = "crm-key-0123456789"

_AT = datetime(2026, 11, 21, tzinfo=UTC)


def http_tool(url: str, **http: Any) -> ToolDefinition:
    """Return a tool named `look_up`; keyword arguments are of its request, or `parameters`."""
    parameters = http.pop("parameters", {"type": "object"})
    return ToolDefinition.model_validate(
        {
            "tool_id": uuid.uuid4(),
            "name": "look_up",
            "parameters": parameters,
            "http": {"url": url, **http},
            "created_at": _AT,
            "updated_at": _AT,
        }
    )


async def secrets_of(provider: str) -> Mapping[str, str]:
    """Return the values of provider `crm`, one of which cannot be sent; nothing for others."""
    return {"crm": {"api_key": CRM_KEY, "broken": "a\r\nb"}}.get(provider, {})
