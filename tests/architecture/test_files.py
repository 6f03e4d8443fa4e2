"""Rules about files: small, named for what they hold, and loaded from this distribution."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

pytestmark = pytest.mark.architecture

ROOT = Path(__file__).parents[2]
PACKAGES = ("gateway", "worker", "dispatch", "telephony", "stack")
MAX_LINES = 400
MEANINGLESS = {"utils", "util", "helpers", "helper", "common", "manager", "managers", "misc"}

MODULES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", [*MODULES, *TESTS], ids=relative)
def test_a_file_fits_into_a_readers_head(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= MAX_LINES


def test_modules_are_named_for_what_they_hold() -> None:
    meaningless = [
        relative(path)
        for path in MODULES
        if MEANINGLESS & {word for part in path.relative_to(ROOT).parts for word in words_of(part)}
    ]

    assert meaningless == []


def words_of(name: str) -> list[str]:
    return name.removesuffix(".py").split("_")


def test_tests_do_not_shadow_the_packages() -> None:
    assert [relative(path) for path in TESTS if path.name == "__init__.py"] == []


@pytest.mark.parametrize("package", PACKAGES)
def test_each_package_is_loaded_from_this_distribution(package: str) -> None:
    spec = find_spec(package)

    assert spec
    assert spec.origin == str(ROOT / package / "__init__.py")


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_says_what_it_is_and_does_nothing_else(package: str) -> None:
    text = (ROOT / package / "__init__.py").read_text()

    assert text.startswith('"""')
    assert text.count('"""') == 2
    assert text.endswith('"""\n')


def test_imports_go_one_way() -> None:
    linted = subprocess.run(
        [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert linted.returncode == 0, linted.stdout
