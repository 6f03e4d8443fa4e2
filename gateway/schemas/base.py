"""What all bodies share: spelling, strictness and the shape of a page."""

from collections.abc import Callable
from typing import Annotated, Any, Generic, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from pydantic.alias_generators import to_camel

from dispatch.paging import Page

Label = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]
"""A name given by people."""


class RequestBody(BaseModel):
    """A request's body in camelCase; a field it does not know is an error."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", frozen=True)


class Answer(BaseModel):
    """An answer's body in camelCase, made from the object `dispatch` returned."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, from_attributes=True, frozen=True
    )


class Pagination(Answer):
    """Where a page lies in its list."""

    page: int = Field(description="Number of this page, from 1.", examples=[1])
    limit: int = Field(description="Most entries on a page.", examples=[20])
    total: int = Field(description="Entries in the whole list.", examples=[41])
    total_pages: int = Field(description="Pages in the whole list.", examples=[3])


Item = TypeVar("Item", bound=BaseModel)


class PageAnswer(Answer, Generic[Item]):
    """One page of a list, newest entries first."""

    data: list[Item]
    pagination: Pagination

    @classmethod
    def of(cls, page: Page[Any], to_answer: Callable[[Any], Item] | None = None) -> Self:
        """Return the answer for a page that `dispatch` returned.

        Args:
            page: The page.
            to_answer: Makes an entry's answer; by the names of its fields when not given.
        """
        data = page.items if to_answer is None else [to_answer(item) for item in page.items]
        return cls.model_validate({"data": data, "pagination": page})
