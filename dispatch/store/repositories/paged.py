"""One page of a query."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from sqlalchemy import Row, Select, func, select

from dispatch.errors import InvalidField
from dispatch.paging import Order, Page, PageRequest
from dispatch.store.engine import ReadSession

T = TypeVar("T")

AnySelect = Select[*tuple[Any, ...]]
AnyRow = Row[*tuple[Any, ...]]


async def fetch_page(
    db: ReadSession,
    query: AnySelect,
    page: PageRequest,
    to_item: Callable[[AnyRow], T],
    total: Select[int] | None = None,
) -> Page[T]:
    """Return a page of an ordered query, and how many rows the query has in all.

    Args:
        db: An open transaction.
        query: Must be ordered down to a unique column, or rows could show on two pages.
        page: Which page.
        to_item: Makes an item of a row.
        total: Says how many there are where that is known; no row says none. Otherwise they are
            counted, which takes as long as there are many.
    """
    if total is None:
        counted = query.order_by(None).with_only_columns(func.count(), maintain_column_froms=True)
        total = select(counted.scalar_subquery())
    in_all = await db.scalar(total)
    rows = await db.execute(query.offset(page.offset).limit(page.limit))
    return Page(tuple(to_item(row) for row in rows), page.page, page.limit, in_all or 0)


def ordered(
    query: AnySelect, order: Order | None, columns: Mapping[str, Any], unique: Any
) -> AnySelect:
    """Return a query in the order that is wanted.

    Args:
        query: Not ordered yet.
        order: By which field; None for the newest first.
        columns: What a list can be ordered by; `created_at` is among it.
        unique: A column that tells rows apart which are equal in the field.

    Raises:
        InvalidField: The list cannot be ordered by this field.
    """
    order = order or Order("created_at", descending=True)
    if order.field not in columns:
        raise InvalidField("sort", f"sort: the list can be ordered by {', '.join(columns)}.")
    column = columns[order.field]
    # Both the same way, so that an index of both serves either.
    by = (column.desc(), unique.desc()) if order.descending else (column.asc(), unique.asc())
    return query.order_by(*by)
