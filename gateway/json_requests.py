"""How request bodies are read: strict JSON, and no NUL character anywhere in it."""

from collections.abc import Iterator
from typing import Any, Final

import orjson
from fastapi.exceptions import RequestValidationError
from fastapi.requests import Request

_ESCAPED_NUL: Final = b"\\u0000"


class JsonRequest(Request):
    """A request whose JSON is parsed by orjson.

    orjson refuses what Python's parser lets through: NaN, lone surrogates and invalid UTF-8.
    """

    async def json(self) -> Any:
        """Return the parsed body.

        Raises:
            json.JSONDecodeError: The body is not JSON.
        """
        if not hasattr(self, "_json"):
            self._json = orjson.loads(await self.body())
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


def _nul_places(value: Any) -> Iterator[tuple[str | int, ...]]:
    """Yield the path to each text with a NUL; orjson's depth limit bounds the recursion."""
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
