"""Scripts are put together from shared fragments and one table of keys."""

from importlib.resources import files

import pytest

from dispatch.store import redis_keys
from dispatch.store.lua_scripts import script

pytestmark = pytest.mark.unit

SCRIPTS = sorted(
    path.name.removesuffix(".lua")
    for path in files("dispatch.store").joinpath("scripts").iterdir()
    if path.name.endswith(".lua") and not path.name.startswith("_")
)


@pytest.mark.parametrize("name", SCRIPTS)
def test_every_include_is_put_in_once(name: str) -> None:
    text = script(name).text
    assert "-- include:" not in text
    assert text.count("local function now_ms") <= 1
    assert text.count("local function finish(") <= 1


@pytest.mark.parametrize("name", SCRIPTS)
def test_key_names_come_from_one_place(name: str) -> None:
    _, body = script(name).text.split("}\n", 1)
    assert "'dp:" not in body


def test_a_script_knows_the_keys_by_name() -> None:
    assert f"balance = '{redis_keys.balance('')}'," in script("admit").text
