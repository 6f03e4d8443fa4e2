"""Rules that hold for every test."""

import pytest

CATEGORIES = {"unit", "integration", "e2e", "architecture"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Refuse a test that does not say which category it belongs to."""
    for item in items:
        if CATEGORIES.isdisjoint(mark.name for mark in item.iter_markers()):
            raise pytest.UsageError(
                f"{item.nodeid} needs one of the marks {', '.join(sorted(CATEGORIES))}."
            )
