"""What of a query is refused at once: a filter that was ignored would show too much."""

from collections.abc import Collection, Iterable

from fastapi import Request
from fastapi.exceptions import RequestValidationError


def check_query(request: Request, known: Collection[str], *, only_known: bool) -> None:
    """Check a request's query before its values are read.

    Args:
        request: Whose query.
        known: Names of the parameters that the route reads.
        only_known: Whether any other is an error, for it may be misspelt.

    Raises:
        RequestValidationError: A parameter came twice, holds a NUL, or is not known.
    """
    if not request.scope["query_string"]:
        return
    given = request.query_params
    if len(given) != len(given.multi_items()):
        _refuse(
            "repeated_parameter", (name for name in given if len(given.getlist(name)) > 1), known
        )
    # Postgres stores no NUL, so nothing there could be compared with one.
    _refuse("nul", (name for name, value in given.items() if "\0" in value), known)
    if only_known:
        _refuse("unknown_parameter", (name for name in given if name not in known), given)


def _refuse(kind: str, names: Iterable[str], told: Collection[str]) -> None:
    wrong = [name for name in names if name in told]
    if wrong:
        raise RequestValidationError(
            [{"type": kind, "loc": ("query", name), "msg": ""} for name in wrong]
        )
