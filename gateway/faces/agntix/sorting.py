"""`sort=field:asc|desc`, the same at all lists that can be sorted."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import Depends, Query

from dispatch.paging import Order


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
