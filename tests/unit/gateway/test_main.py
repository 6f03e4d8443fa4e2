"""What the process does beside serving."""

import gc
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import cast

import pytest

from gateway.__main__ import staying
from gateway.services import Services

pytestmark = pytest.mark.unit


@pytest.fixture
def unfrozen() -> Iterator[None]:
    """Give what was left out back to garbage collection, and let it be as it was."""
    thresholds = gc.get_threshold()
    yield
    gc.set_threshold(*thresholds)
    gc.unfreeze()


@pytest.mark.usefixtures("unfrozen")
async def test_what_is_there_when_serving_begins_is_left_out_of_garbage_collection() -> None:
    made = [["a service"]]

    @asynccontextmanager
    async def open_services() -> AsyncIterator[Services]:
        yield cast("Services", made)

    frozen = gc.get_freeze_count()
    async with staying(open_services) as services:
        assert cast("object", services) is made
        assert gc.get_freeze_count() > frozen
        assert all(found is not made for found in gc.get_objects())


@pytest.mark.usefixtures("unfrozen")
async def test_objects_are_not_looked_through_in_every_request() -> None:
    @asynccontextmanager
    async def open_services() -> AsyncIterator[Services]:
        yield cast("Services", None)

    async with staying(open_services):
        assert gc.isenabled()
        assert gc.get_threshold()[0] >= 10_000
