"""Quantities as vendors tell them."""

import math

import pytest

from dispatch.billing.items import MOST_TOLD, told_quantity

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("told", "believed"),
    [
        (0, 0),
        (7, 7),
        (12.9, 12),
        (-1, 0),
        (MOST_TOLD, MOST_TOLD),
        (10**30, MOST_TOLD),
        (math.inf, MOST_TOLD),
        (-math.inf, 0),
        (math.nan, 0),
        (None, 0),
        ("12", 0),
        ([], 0),
    ],
)
def test_a_quantity_is_whole_and_can_be_written_down(told: object, believed: int):
    assert told_quantity(told) == believed
