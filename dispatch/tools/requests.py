"""The requests of a tool's call: the first one, and those that answers redirect to."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

import httpx

from dispatch.tool_definition import HttpMethod, HttpRequest, fill_url, url_arguments

_IN_BODY: Final = re.compile(r"\{\{\s*([A-Za-z_][A-Za-z0-9_]*)\s*\}\}")
_KEEPS_METHOD: Final = frozenset({307, 308})

_OWN_HEADERS: Final = {
    "accept": "application/json, text/*;q=0.9",
    # Unpacked while it comes in, a small answer could fill the memory.
    "accept-encoding": "identity",
}
_JSON: Final = {"content-type": "application/json"}


class UnfitCall(Exception):
    """The call cannot be made, or its answer not be used; the text says why to a model."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A request as it will be sent."""

    method: str
    url: httpx.URL
    headers: dict[str, str]
    content: bytes | None


def first_request(
    http: HttpRequest, arguments: Mapping[str, Any], headers: Mapping[str, str]
) -> Outgoing:
    """Return the request of a tool, with its arguments.

    Args:
        http: How the tool is called.
        arguments: In the query of a GET (lists as repeated names, objects as JSON, nothing for
            null), else in the JSON body, which a template may shape; those that the URL names
            are in it only.
        headers: The tool's headers, secrets filled in.
    """
    url = httpx.URL(fill_url(http.url, lambda name: _url_value(name, arguments.get(name))))
    in_url = url_arguments(http.url)
    others = {name: value for name, value in arguments.items() if name not in in_url}
    sent = _OWN_HEADERS | {name.lower(): value for name, value in headers.items()}
    if http.method is HttpMethod.GET:
        return Outgoing(http.method, url.copy_merge_params(_query(others)), sent, None)
    body = others if http.body is None else _filled(http.body, arguments)
    return Outgoing(http.method, url, sent | _JSON, json.dumps(body).encode())


def _url_value(name: str, value: Any) -> str:
    """Return an argument as one piece of a URL.

    Raises:
        UnfitCall: It is missing or no plain value, or would lead to another path.
    """
    if isinstance(value, str | int | float):
        text = _query_value(value)
        if text not in {"", ".", ".."}:
            return quote(text, safe="")
    raise UnfitCall(f"The argument {name} cannot stand in the tool's URL.")


_NOTHING: Final = object()


def _filled(template: Any, arguments: Mapping[str, Any]) -> Any:
    """Return a body with its placeholders filled, without what would be empty."""
    if isinstance(template, dict):
        filled = {name: _filled(value, arguments) for name, value in template.items()}
        return {name: value for name, value in filled.items() if value is not _NOTHING}
    if isinstance(template, list):
        items = (_filled(item, arguments) for item in template)
        return [item for item in items if item is not _NOTHING]
    if not isinstance(template, str):
        return template
    whole = _IN_BODY.fullmatch(template)
    if whole is not None:
        return arguments.get(whole[1], _NOTHING)
    return _IN_BODY.sub(lambda found: _text_of(arguments.get(found[1])), template)


def _text_of(value: Any) -> str:
    return "" if value is None else _query_value(value)


def _query(arguments: Mapping[str, Any]) -> dict[str, str | list[str]]:
    return {
        name: [_query_value(item) for item in value]
        if isinstance(value, list)
        else _query_value(value)
        for name, value in arguments.items()
        if value is not None
    }


def _query_value(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def redirected(outgoing: Outgoing, response: httpx.Response) -> Outgoing:
    """Return the request that an answer redirects to, as browsers do (RFC 9110, 15.4).

    Headers of the tool's own, which may hold secrets, go to the origin they were meant for only.
    """
    try:
        url = outgoing.url.join(response.headers["location"]).copy_with(fragment=None)
    except httpx.InvalidURL as exc:
        raise UnfitCall("The tool redirects to something that is no URL.") from exc
    if url.scheme not in {"https", "http"} or not url.host or url.userinfo:
        raise UnfitCall("The tool redirects to something that cannot be called.")
    to_same_origin = origin_of(url) == origin_of(outgoing.url)
    headers = dict(outgoing.headers if to_same_origin else _OWN_HEADERS)
    if outgoing.content is None or response.status_code in _KEEPS_METHOD:
        headers |= {} if outgoing.content is None else _JSON
        return Outgoing(outgoing.method, url, headers, outgoing.content)
    headers.pop("content-type", None)
    return Outgoing(HttpMethod.GET, url, headers, None)


def origin_of_text(url: str) -> tuple[str, str, int]:
    """Return scheme, host and port of a URL that was checked before."""
    return origin_of(httpx.URL(url))


def origin_of(url: httpx.URL) -> tuple[str, str, int]:
    """Return scheme, host and port of a URL, the host as it will be looked up."""
    return url.scheme, url.raw_host.decode(), url.port or (443 if url.scheme == "https" else 80)
