"""The public API as a customer uses it: a key, JSON in and out, errors as sentences."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx

from stack.errors import ApiRefused, StackNotRunning

TIMEOUT_S = 60.0

Json = dict[str, Any]


class ApiClient:
    """Calls the gateway with one key."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def get(self, path: str, **query: str | int) -> Json:
        """Return the answer to a GET.

        Raises:
            ApiRefused: It was not a success.
            StackNotRunning: Nobody answered.
        """
        return await self.send("GET", path, params=query)

    async def post(self, path: str, body: Mapping[str, Any]) -> Json:
        """Return the answer to a POST; the errors are those of `get`."""
        return await self.send("POST", path, json=dict(body))

    async def patch(self, path: str, body: Mapping[str, Any]) -> Json:
        """Return the answer to a PATCH; the errors are those of `get`."""
        return await self.send("PATCH", path, json=dict(body))

    async def delete(self, path: str) -> Json:
        """Return the answer to a DELETE; the errors are those of `get`."""
        return await self.send("DELETE", path)

    async def send(self, method: str, path: str, **options: Any) -> Json:
        """Return the answer to any request; the errors are those of `get`."""
        try:
            response = await self._client.request(method, path, **options)
        except httpx.TransportError as exc:
            raise StackNotRunning(
                f"Nobody answers at {self._client.base_url}. Is `make up` running?"
            ) from exc
        if response.is_success:
            answer: Json = response.json() if response.content else {}
            return answer
        raise ApiRefused(method, path, response.status_code, message_of(response))


@asynccontextmanager
async def api_client(base_url: str, key: str) -> AsyncIterator[ApiClient]:
    """Yield a client for one key, admin's or a project's."""
    async with httpx.AsyncClient(
        base_url=base_url, headers={"x-api-key": key}, timeout=TIMEOUT_S
    ) as client:
        yield ApiClient(client)


def message_of(response: httpx.Response) -> str:
    """Return the sentence in an error answer."""
    try:
        body = response.json()
    except ValueError:
        return response.text[:200]
    error = body.get("error", body) if isinstance(body, dict) else body
    if not isinstance(error, dict):
        return str(error)
    details = "; ".join(
        f"{detail.get('field')}: {detail.get('message')}" for detail in error.get("details") or ()
    )
    message = str(error.get("message") or error.get("detail") or error)
    return f"{message} ({details})" if details else message
