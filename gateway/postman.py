"""Turns an OpenAPI description into a Postman collection.

Source: Postman Collection Format v2.1.0, https://schema.postman.com/collection/json/v2.1.0/
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import orjson

SCHEMA: Final = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"

_METHODS: Final = ("get", "post", "put", "patch", "delete")
_PARAMETER: Final = re.compile(r"{(\w+)}")


def postman_collection(
    description: Mapping[str, Any], *, name: str, base_url: str, api_key: str
) -> dict[str, Any]:
    """Return a collection with a folder for each tag, without the name of its API in front.

    Args:
        description: An OpenAPI 3.1 description.
        name: The collection's name.
        base_url: Value of its variable `baseUrl`, without a slash at the end.
        api_key: Value of its variable `apiKey`; it is sent as `X-API-Key` by every request.
    """
    folders: dict[str, list[dict[str, Any]]] = {}
    for path, operations in description["paths"].items():
        for method in _METHODS:
            if operation := operations.get(method):
                tag = (operation.get("tags") or [name])[0]
                request = _request(description, path, method, operation)
                folder = tag.rpartition(": ")[2].capitalize()
                folders.setdefault(folder, []).append(request)
    return {
        "info": {"name": name, "schema": SCHEMA},
        "auth": {
            "type": "apikey",
            "apikey": [
                {"key": "key", "value": "X-API-Key", "type": "string"},
                {"key": "value", "value": "{{apiKey}}", "type": "string"},
                {"key": "in", "value": "header", "type": "string"},
            ],
        },
        "variable": [
            {"key": "baseUrl", "value": base_url, "type": "string"},
            {"key": "apiKey", "value": api_key, "type": "string"},
        ],
        "item": [{"name": tag, "item": items} for tag, items in folders.items()],
    }


def _request(
    description: Mapping[str, Any], path: str, method: str, operation: Mapping[str, Any]
) -> dict[str, Any]:
    own_path = _PARAMETER.sub(r":\1", path)
    parameters = operation.get("parameters", [])
    request: dict[str, Any] = {
        "method": method.upper(),
        "header": [],
        "description": operation.get("description", ""),
        "url": {
            "raw": "{{baseUrl}}" + own_path,
            "host": ["{{baseUrl}}"],
            "path": own_path.strip("/").split("/"),
            "variable": list(_parameters(parameters, "path")),
            # Sent only once they are switched on: most of them filter.
            "query": [each | {"disabled": True} for each in _parameters(parameters, "query")],
        },
    }
    example = _example(description, operation)
    if example is not None:
        request["header"] = [{"key": "Content-Type", "value": "application/json"}]
        request["body"] = {
            "mode": "raw",
            "raw": orjson.dumps(example, option=orjson.OPT_INDENT_2).decode(),
            "options": {"raw": {"language": "json"}},
        }
    return {"name": operation.get("summary", own_path), "request": request}


def _parameters(parameters: list[dict[str, Any]], place: str) -> Iterator[dict[str, Any]]:
    for parameter in parameters:
        if parameter["in"] == place:
            yield {
                "key": parameter["name"],
                "value": str(next(iter(parameter.get("schema", {}).get("examples", ())), "")),
                "description": parameter.get("description", ""),
            }


def _example(description: Mapping[str, Any], operation: Mapping[str, Any]) -> Any:
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    schema = content.get("schema", {})
    options = [schema, *schema.get("anyOf", [])]
    for option in options:
        name = option.get("$ref", "").rpartition("/")[2]
        examples = description["components"]["schemas"].get(name, {}).get("examples")
        if examples:
            return examples[0]
    return None
