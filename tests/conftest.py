"""Rules that hold for every test."""

import faulthandler

import pytest
from _pytest.faulthandler import fault_handler_stderr_fd_key
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


@pytest.hookimpl(trylast=True)
def pytest_exception_interact(node: pytest.Item | pytest.Collector) -> None:
    """Limit the teardown of a test that failed: what the failure left running may hang it.

    pytest drops its own limit with the first failure, in case somebody debugs it.
    """
    config = node.config
    limit_s = config.getini("faulthandler_timeout")
    if isinstance(node, pytest.Item) and limit_s and not config.getoption("usepdb"):
        faulthandler.dump_traceback_later(
            limit_s,
            exit=config.getini("faulthandler_exit_on_timeout"),
            file=config.stash[fault_handler_stderr_fd_key],
        )
