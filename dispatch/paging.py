"""Pages of a list."""

from dataclasses import dataclass
from typing import Generic, TypeVar

from dispatch.errors import InvalidField

T = TypeVar("T")

DEFAULT_LIMIT = 20
MAX_LIMIT = 100


@dataclass(frozen=True, slots=True)
class PageRequest:
    """Which page is asked for.

    Args:
        page: Number of the page, from 1.
        limit: Items on a page, from 1; more than `MAX_LIMIT` is read as `MAX_LIMIT`.

    Raises:
        InvalidField: `page` or `limit` is below 1.
    """

    page: int = 1
    limit: int = DEFAULT_LIMIT

    def __post_init__(self) -> None:
        for name, value in (("page", self.page), ("limit", self.limit)):
            if value < 1:
                raise InvalidField(name, f"{name} must be 1 or more.")
        object.__setattr__(self, "limit", min(self.limit, MAX_LIMIT))

    @property
    def offset(self) -> int:
        """Items before the page."""
        return (self.page - 1) * self.limit


@dataclass(frozen=True, slots=True)
class Order:
    """In which order a list is wanted: by one field of its entries, in `dispatch`'s spelling."""

    field: str
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of a list, and how long the list is."""

    items: tuple[T, ...]
    page: int
    limit: int
    total: int

    @property
    def total_pages(self) -> int:
        """Pages of this size the list has; 0 when it is empty."""
        return -(-self.total // self.limit)
