"""A tool as data: what the model is told about it, and the HTTP request it stands for."""

import re
import uuid
from collections.abc import Callable, Iterator
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Final, Self

import httpx
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    StrictBool,
    StrictInt,
    StringConstraints,
    field_validator,
    model_validator,
)

from dispatch.tool_parameters import check_parameters

RESERVED_NAMES: Final = frozenset(
    {"end_call", "end_conversation", "handoff", "search_knowledge", "transfer_call"}
)
"""Tools that agents have by themselves."""

MOST_HEADERS: Final = 30

_HIGHEST_PORT: Final = 65_535

_SECRET = re.compile(r"\{\{secret:([a-z0-9][a-z0-9_-]{0,39})\.([a-z][a-z0-9_]{0,39})\}\}")
_PLACEHOLDER = re.compile(r"\{\{([A-Za-z_][A-Za-z0-9_]*)\}\}|\{([A-Za-z_][A-Za-z0-9_]*)\}")
"""Where an argument goes in a URL: `{{order}}`, or `{order}`."""
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")
_HEADER_VALUE = re.compile(r"[\x20-\x7e\t]*")
_URL = re.compile(r"[\x21-\x7e]+")

_OUR_HEADERS: Final = frozenset(
    {
        "accept-encoding",
        "connection",
        "content-length",
        "content-type",
        "expect",
        "host",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""Headers that say how the request travels: the HTTP client's own (RFC 9110, 7.6.1)."""


class HttpMethod(StrEnum):
    """How a tool's request is made."""

    GET = "GET"
    """The arguments go into the query; with every other method they are the JSON body."""
    POST = "POST"
    PUT = "PUT"
    PATCH = "PATCH"
    DELETE = "DELETE"


def _checked_url(text: str) -> str:
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL as exc:
        raise ValueError("not a URL") from exc
    if not _URL.fullmatch(text) or url.scheme not in {"https", "http"} or not url.host:
        raise ValueError("not an absolute https:// URL; other than ASCII must be percent-encoded")
    if url.port is not None and not 1 <= url.port <= _HIGHEST_PORT:
        raise ValueError(f"a port is 1 to {_HIGHEST_PORT}")
    if url.userinfo:
        raise ValueError("a URL may hold no user name or password; put them into a header")
    if url.fragment:
        raise ValueError("a URL that is called has no fragment")
    origin = re.match(r"[^:]+://[^/?]*", text)
    if origin is None or "{" in origin[0]:
        # A model must not choose to whom the tool's headers go.
        raise ValueError("the host of a URL may not depend on arguments")
    return text


def url_arguments(url: str) -> tuple[str, ...]:
    """Return the names of the arguments that stand in a URL, each once."""
    return tuple(dict.fromkeys(a or b for a, b in _PLACEHOLDER.findall(url)))


def fill_url(url: str, value_of: Callable[[str], str]) -> str:
    """Return a URL with its placeholders filled by values that are percent-encoded already."""
    return _PLACEHOLDER.sub(lambda found: value_of(found[1] or found[2]), url)


def _checked_name(name: str) -> str:
    if name in RESERVED_NAMES:
        raise ValueError(f"{name} is a tool that every agent may have already")
    return name


def _no_parameters() -> dict[str, JsonValue]:
    return {"type": "object", "properties": {}}


class HttpRequest(BaseModel):
    """The request behind a tool."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: Annotated[
        str, StringConstraints(min_length=1, max_length=2_000), AfterValidator(_checked_url)
    ]
    method: HttpMethod = HttpMethod.POST
    headers: dict[str, Annotated[str, StringConstraints(max_length=2_000)]] = Field(
        default_factory=dict, max_length=MOST_HEADERS
    )
    """Values may hold secrets of the project: `Bearer {{secret:crm.api_key}}`."""
    body: dict[str, JsonValue] | None = None
    """What is sent as JSON, with `{{name}}` where arguments go; None sends the arguments. A text
    that is nothing but a placeholder becomes the argument itself, and goes when there is none."""
    timeout_s: float = Field(default=10.0, ge=0.1, le=60)
    """For everything together: looking the host up, redirects, repetitions, the whole answer."""
    max_attempts: StrictInt = Field(default=3, ge=1, le=5)
    """How often a request is made that may be repeated; see `may_repeat`."""
    is_idempotent: StrictBool = False
    """Whether making the request twice does no more than making it once. GET always is."""

    @property
    def may_repeat(self) -> bool:
        """Whether a request that may have been received may be made again."""
        return self.method is HttpMethod.GET or self.is_idempotent

    @property
    def secrets(self) -> Iterator[tuple[str, str]]:
        """The secrets that the headers name, as (provider, name)."""
        for value in self.headers.values():
            for found in _SECRET.finditer(value):
                yield found[1], found[2]

    @model_validator(mode="after")
    def _get_has_no_body(self) -> Self:
        if self.method is HttpMethod.GET and self.body is not None:
            raise ValueError("body: a GET has none; its arguments go into the query")
        return self

    @field_validator("headers")
    @classmethod
    def _headers_can_be_sent(cls, headers: dict[str, str]) -> dict[str, str]:
        if len({name.lower() for name in headers}) != len(headers):
            raise ValueError("a header stands there twice; upper and lower case are the same")
        for name, value in headers.items():
            if not _HEADER_NAME.fullmatch(name):
                raise ValueError("a header's name has letters, digits and - only")
            if name.lower() in _OUR_HEADERS:
                raise ValueError(f"{name} is set by the HTTP client itself")
            if not _HEADER_VALUE.fullmatch(value):
                raise ValueError(f"the value of {name} must be printable ASCII")
            if "{{" in _SECRET.sub("", value):
                raise ValueError(
                    f"the value of {name}: a placeholder is written {{{{secret:provider.name}}}}"
                )
        return headers


class ToolDraft(BaseModel):
    """What somebody writes down about a tool."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[
        str,
        StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_-]{0,63}$"),
        AfterValidator(_checked_name),
    ]
    """By which the model calls it; once in a project."""
    description: Annotated[str, StringConstraints(strip_whitespace=True, max_length=1_024)] = ""
    """For the model: what the tool does and when to use it."""
    parameters: dict[str, JsonValue] = Field(default_factory=_no_parameters)
    """JSON Schema (2020-12) of the arguments, an object."""
    http: HttpRequest

    @field_validator("parameters")
    @classmethod
    def _parameters_are_a_schema(cls, parameters: dict[str, JsonValue]) -> dict[str, JsonValue]:
        check_parameters(parameters)
        return parameters

    @model_validator(mode="after")
    def _url_names_parameters(self) -> Self:
        properties = self.parameters.get("properties")
        known = properties if isinstance(properties, dict) else {}
        for name in url_arguments(self.http.url):
            if name not in known:
                raise ValueError(f"http.url: {name} is no property of the parameters")
        return self


class ToolDefinition(ToolDraft):
    """A stored tool, as it is embedded in the snapshots of the agents that use it."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    tool_id: uuid.UUID
    created_at: datetime
    updated_at: datetime

    @property
    def draft(self) -> ToolDraft:
        """What was written down, without identity."""
        return ToolDraft.model_validate(self.model_dump(include=set(ToolDraft.model_fields)))

    @property
    def function_schema(self) -> dict[str, JsonValue]:
        """The tool as language models are told of it: name, description, parameters."""
        return {
            "name": self.name,
            "description": self.description,
            "parameters": self.parameters,
        }


def fill_secrets(text: str, secrets: dict[tuple[str, str], str]) -> str:
    """Return a header's value with its placeholders filled.

    Args:
        text: The value as it is defined.
        secrets: Values by (provider, name).

    Raises:
        KeyError: A secret that the text names is not there.
    """
    return _SECRET.sub(lambda found: secrets[found[1], found[2]], text)
