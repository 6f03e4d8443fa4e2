"""Rules that hold for every test."""

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "settled",
    # The same examples in every run: what passed here passes elsewhere.
    derandomize=True,
    # A machine that is slow is no fault of what is tested.
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("settled")

CATEGORIES = {"unit", "integration", "e2e", "architecture"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Refuse a test that does not say which category it belongs to."""
    for item in items:
        if CATEGORIES.isdisjoint(mark.name for mark in item.iter_markers()):
            raise pytest.UsageError(
                f"{item.nodeid} needs one of the marks {', '.join(sorted(CATEGORIES))}."
            )
