"""Tests wait for as long as it takes: on a slow machine a short limit fails, and says nothing."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.architecture

TESTS = Path(__file__).parents[1]
PATIENCE_S = 30
"""What only comes late still comes; this long a wait is for what does not."""
WAITS = {"asyncio.timeout": 0, "asyncio.wait_for": 1}
"""Functions that give up, and which of their arguments says when."""


def short_waits(source: str) -> Iterator[int]:
    """Yield the lines of waits that are given up sooner than that."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and (place := WAITS.get(ast.unparse(node.func))) is not None:
            limits = [*node.args[place:], *(given.value for given in node.keywords)]
            told = [limit.value for limit in limits if isinstance(limit, ast.Constant)]
            if any(isinstance(limit, int | float) and limit < PATIENCE_S for limit in told):
                yield node.lineno


def test_nothing_is_waited_for_impatiently() -> None:
    impatient = {
        f"{path.relative_to(TESTS)}:{line}"
        for path in TESTS.rglob("*.py")
        if any(wait in (source := path.read_text()) for wait in WAITS)
        for line in short_waits(source)
    }

    assert impatient == set()


@pytest.mark.parametrize(
    "source", ["asyncio.timeout(5)", "asyncio.wait_for(x, 0.5)", "asyncio.wait_for(x, timeout=1)"]
)
def test_a_short_wait_is_found(source: str) -> None:
    assert list(short_waits(source)) == [1]
