"""What a tool came to, as text for whoever asked: a model or a script."""

import codecs
from dataclasses import dataclass
from typing import Final

import httpx
import orjson

_LONGEST_ERROR_BODY: Final = 500
_TEXT_TYPES: Final = ("json", "xml", "x-www-form-urlencoded", "javascript", "yaml")


@dataclass(frozen=True, slots=True)
class ToolResult:
    """The outcome of a tool's call."""

    text: str
    """The answer, compact when it is JSON; of a failure, a sentence that says what happened."""
    is_error: bool = False
    status: int | None = None
    """The answer's HTTP status; None when there was no answer."""


def failed(sentence: str, status: int | None = None) -> ToolResult:
    """Return a failure."""
    return ToolResult(sentence, is_error=True, status=status)


def result_of(response: httpx.Response, body: bytes) -> ToolResult:
    """Return what an answer says.

    Args:
        response: Its status and headers.
        body: All of its body.
    """
    status = response.status_code
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    is_text = not kind or kind.startswith("text/") or kind.endswith(_TEXT_TYPES)
    if not is_text:
        return failed("The tool answered with something that is neither text nor JSON.", status)
    # A NUL says nothing to anybody, and no database keeps it.
    text = _compact(_decoded(response, body).replace("\0", "").strip())
    if response.is_success:
        return ToolResult(text or "The tool answered without content.", status=status)
    sentence = f"The tool answered with the error {status}."
    return failed(f"{sentence} {text[:_LONGEST_ERROR_BODY]}".strip(), status)


def without(text: str, secrets: list[str]) -> str:
    """Return a text in which none of the secrets stands, should a server send one back."""
    for secret in secrets:
        text = text.replace(secret, "[secret]")
    return text


def _decoded(response: httpx.Response, body: bytes) -> str:
    name = response.charset_encoding or "utf-8"
    try:
        codecs.lookup(name)
        return body.decode(name, errors="replace")
    except (LookupError, UnicodeError, ValueError):
        return body.decode(errors="replace")


def _compact(text: str) -> str:
    try:
        return orjson.dumps(orjson.loads(text)).decode()
    except (ValueError, TypeError):
        # No JSON, or nested deeper than orjson writes, which is less than it reads.
        return text
