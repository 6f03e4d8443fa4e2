"""Pages and their order, the same at all lists: `page`, `limit`, `sort=field:asc|desc`.

Source: Agntix's guide on pagination: a page or limit out of bounds is brought within them.
"""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import Depends, Query

from dispatch.paging import DEFAULT_LIMIT, MAX_LIMIT, Order, PageRequest
from gateway.dependencies import MAX_PAGE


def paged_by(default_limit: int = DEFAULT_LIMIT) -> Any:
    """Return the dependency that reads which page of a list is asked for."""

    async def wanted(
        page: Annotated[int, Query(description="Page of the list, from 1.")] = 1,
        limit: Annotated[
            int, Query(description=f"Entries on a page; brought within 1 to {MAX_LIMIT}.")
        ] = default_limit,
    ) -> PageRequest:
        return PageRequest(page=min(max(page, 1), MAX_PAGE), limit=min(max(limit, 1), MAX_LIMIT))

    return Depends(wanted)


RequestedPage = Annotated[PageRequest, paged_by()]


def sorted_by(fields: Mapping[str, str]) -> Any:
    """Return the dependency that reads a list's order.

    Args:
        fields: By what it can be sorted: names here, and in `dispatch`.
    """
    names = "|".join(fields)

    async def order(
        sort: Annotated[
            str | None,
            Query(
                pattern=f"^({names}):(asc|desc)$",
                description="By which field, and `:asc` or `:desc`. The newest first by itself.",
                examples=[f"{next(iter(fields))}:asc"],
            ),
        ] = None,
    ) -> Order | None:
        if sort is None:
            return None
        field, _, direction = sort.partition(":")
        return Order(fields[field], descending=direction == "desc")

    return Depends(order)
