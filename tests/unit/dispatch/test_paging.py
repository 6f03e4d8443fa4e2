"""Pages."""

import pytest

from dispatch.errors import InvalidField
from dispatch.paging import Page, PageRequest

pytestmark = pytest.mark.unit


def test_the_first_page_has_nothing_before_it() -> None:
    assert PageRequest().offset == 0
    assert PageRequest(page=3, limit=10).offset == 20


def test_a_limit_that_is_too_large_is_read_as_the_largest() -> None:
    assert PageRequest(limit=1_000).limit == 100


@pytest.mark.parametrize(("fields", "field"), [({"page": 0}, "page"), ({"limit": 0}, "limit")])
def test_a_page_or_limit_below_one_is_refused(fields, field) -> None:
    with pytest.raises(InvalidField) as refused:
        PageRequest(**fields)
    assert refused.value.field == field


@pytest.mark.parametrize(("total", "pages"), [(0, 0), (1, 1), (20, 1), (21, 2)])
def test_the_last_page_may_be_partly_filled(total: int, pages: int) -> None:
    assert Page(items=(), page=1, limit=20, total=total).total_pages == pages
