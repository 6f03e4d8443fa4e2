"""What all bodies share: spelling, strictness and the shape of a page."""

import re
from collections.abc import Callable
from typing import Annotated, Any, Generic, Self, TypeVar

from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
)
from pydantic.alias_generators import to_camel

from dispatch.blanks import NOT_BLANK, STRIPPED
from dispatch.paging import Page

_NUMBER = re.compile(r"\s*[-+]?[0-9.]+(?:e[-+]?[0-9]+)?\s*", re.IGNORECASE)

Label = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=100),
    Field(json_schema_extra=NOT_BLANK),
    STRIPPED,
]
"""A name given by people."""


def _not_a_number(value: object) -> object:
    # Pydantic also reads seconds since 1970, so that `20261121` would be a day in August 1970.
    if isinstance(value, int | float) or (isinstance(value, str) and _NUMBER.fullmatch(value)):
        raise ValueError("must be an RFC 3339 time, such as 2026-01-31T12:00:00Z")
    return value


Instant = Annotated[AwareDatetime, BeforeValidator(_not_a_number)]
"""A point in time, written with its time zone."""


def without_defaults(schema: dict[str, Any]) -> None:
    """Take the defaults out of a patch's schema: what is absent stays as it is.

    Clients generated from a schema with defaults would send them, and so undo what was set.
    """
    for field in schema["properties"].values():
        field.pop("default", None)


class RequestBody(BaseModel):
    """A request's body in camelCase; a field it does not know is an error."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", frozen=True)


class Patch(BaseModel):
    """What a body has that changes some fields of a thing; an absent field stays as it is."""

    def changes(self) -> dict[str, Any]:
        """Return the fields that were sent, as `dispatch` spells them."""
        return self.model_dump(include=self.model_fields_set)


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
