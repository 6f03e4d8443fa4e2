"""How request bodies are read: strict JSON, not nested too deep, and no NUL anywhere in it."""

import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

import orjson
from fastapi.exceptions import RequestValidationError
from fastapi.requests import Request

MAX_DEPTH: Final = 64
"""Far more than any body of ours needs, and less than every parser and store behind us can take:
orjson writes 254 levels, pydantic and Redis's cjson have limits of their own."""

_ESCAPED_NUL: Final = b"\\u0000"

_POINTED: Final = re.compile(rb"\d(?:\.0|[eE])")
"""In the text of every whole number that is parsed as a float."""
_EXACT: Final = 2**53
"""Up to here a float tells every whole number from its neighbours."""


class JsonRequest(Request):
    """A request whose JSON is parsed by orjson.

    orjson refuses what Python's parser lets through: NaN, lone surrogates and invalid UTF-8.
    """

    async def json(self) -> Any:
        """Return the parsed body.

        Raises:
            json.JSONDecodeError: The body is not JSON, or nested deeper than `MAX_DEPTH`.
        """
        if not hasattr(self, "_json"):
            body = await self.body()
            parsed = orjson.loads(body)
            if _is_too_deep(body, parsed):
                message = f"nested more than {MAX_DEPTH} levels deep"
                raise orjson.JSONDecodeError(message, "", 0)
            self._json = _with_whole_numbers(parsed) if _POINTED.search(body) else parsed
        return self._json

    async def refuse_nul(self) -> None:
        """Check that no text in the body holds a NUL, which Postgres cannot store.

        Raises:
            RequestValidationError: One does; the error names where.
        """
        if _ESCAPED_NUL not in await self.body():
            return
        try:
            parsed = await self.json()
        except orjson.JSONDecodeError:
            return  # Reported when the route parses the body.
        errors = [
            {"type": "nul", "loc": ("body", *where), "msg": "Text may not hold a NUL character"}
            for where in _nul_places(parsed)
        ]
        if errors:
            raise RequestValidationError(errors)


def _is_too_deep(body: bytes, parsed: Any) -> bool:
    # Nearly every body has fewer brackets than the limit, so that counting them is enough.
    if body.count(b"{") + body.count(b"[") <= MAX_DEPTH:
        return False
    level = [parsed]
    for _ in range(MAX_DEPTH + 1):
        level = [item for value in level for item in _items_of(value)]
        if not level:
            return False
    return True


def _with_whole_numbers(value: Any) -> Any:
    """Return the value with 1 for 1.0; `MAX_DEPTH` bounds the recursion.

    JSON has one kind of number, and some clients write all of theirs with a point.
    """
    if isinstance(value, float) and value.is_integer() and abs(value) <= _EXACT:
        return int(value)
    if isinstance(value, dict):
        return {name: _with_whole_numbers(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_with_whole_numbers(item) for item in value]
    return value


def _items_of(value: Any) -> Iterable[Any]:
    """Return what a list or an object holds; an empty one is as deep as one that holds text."""
    if isinstance(value, dict):
        return value.values() or (None,)
    if isinstance(value, list):
        return value or (None,)
    return ()


def _nul_places(value: Any) -> Iterator[tuple[str | int, ...]]:
    """Yield the path to each text with a NUL; `MAX_DEPTH` bounds the recursion."""
    if isinstance(value, str):
        if "\0" in value:
            yield ()
    elif isinstance(value, dict):
        for key, item in value.items():
            if "\0" in key:
                yield (key.replace("\0", "\\u0000"),)
            yield from ((key, *rest) for rest in _nul_places(item))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from ((index, *rest) for rest in _nul_places(item))
