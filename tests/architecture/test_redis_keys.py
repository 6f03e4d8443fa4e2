"""Every key in Redis has a line in `redis_keys`, and its name is written down nowhere else."""

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from dispatch.store import redis_keys

pytestmark = pytest.mark.architecture

ROOT = Path(__file__).parents[2]
PREFIX = "dp:"
HOME = ROOT / "dispatch" / "store" / "redis_keys.py"


def patterns_in_code() -> set[str]:
    """Return every key that `redis_keys` can make, its arguments in braces."""
    constants = {
        value
        for name, value in vars(redis_keys).items()
        if isinstance(value, str) and value.startswith(PREFIX) and not name.startswith("_")
    }
    functions = inspect.getmembers(redis_keys, inspect.isfunction)
    made = {
        function(*(f"{{{name}}}" for name in inspect.signature(function).parameters))
        for name, function in functions
        if not name.startswith("_")
    }
    return constants | {key for key in made if isinstance(key, str)}


def documented_patterns() -> set[str]:
    """Return every key in the first column of the module's table."""
    return set(re.findall(r"^\| `(dp:[^`]+)` \|", redis_keys.__doc__ or "", re.MULTILINE))


def shape(pattern: str) -> str:
    """Return a pattern without the names of its arguments."""
    return re.sub(r"\{[^}]*\}", "{}", pattern)


def test_documents_every_key_that_is_written_and_no_other() -> None:
    documented = {shape(pattern) for pattern in documented_patterns()}

    assert {shape(pattern) for pattern in patterns_in_code()} == documented


def strings(tree: ast.AST) -> Iterator[str]:
    """Yield every string constant that is not a docstring."""
    documentation = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        is_text = isinstance(node, ast.Constant) and isinstance(node.value, str)
        if is_text and id(node) not in documentation:
            yield node.value


@pytest.mark.parametrize("package", ["gateway", "worker", "dispatch", "telephony", "stack"])
def test_spells_a_key_in_one_place_only(package: str) -> None:
    strays = [
        str(path.relative_to(ROOT))
        for path in (ROOT / package).rglob("*.py")
        if path != HOME
        and any(text.startswith(PREFIX) for text in strings(ast.parse(path.read_text())))
    ]

    assert strays == []


def test_scripts_spell_no_key_of_their_own() -> None:
    scripts = (ROOT / "dispatch" / "store" / "scripts").glob("*.lua")

    assert [path.name for path in scripts if f"'{PREFIX}" in path.read_text()] == []
