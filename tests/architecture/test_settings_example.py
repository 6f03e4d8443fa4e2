"""`.env.example` names every setting there is, with the default it has."""

import re
from pathlib import Path
from typing import Any

import pytest
from pydantic_core import PydanticUndefined
from pydantic_settings import BaseSettings

from dispatch.access.settings import AccessSettings
from dispatch.settings import DispatchSettings
from gateway.settings import GatewaySettings
from stack.settings import StackSettings
from telephony.settings import LiveKitSettings
from worker.settings import WorkerSettings

pytestmark = pytest.mark.architecture

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("dispatch", "gateway", "stack", "telephony", "worker")
CLASSES: tuple[type[BaseSettings], ...] = (
    AccessSettings,
    DispatchSettings,
    GatewaySettings,
    LiveKitSettings,
    StackSettings,
    WorkerSettings,
)
SECRETS = {
    "DIALPLANE_ADMIN_KEY": "k" * 32,
    "DIALPLANE_KEY_PEPPER": "p" * 32,
    "DIALPLANE_SECRETS_KEYS": "first:" + "A" * 43 + "=",
    "LIVEKIT_API_SECRET": "s" * 32,
}
"""What the example leaves to be filled in."""


def variables(settings: type[BaseSettings]) -> dict[str, str]:
    """The fields of a class by the environment variables they are read from."""
    prefix = settings.model_config.get("env_prefix", "")
    return {
        f"{prefix}{name}".upper(): name
        for name, field in settings.model_fields.items()
        if not _is_settings(field.annotation)
    }


def _is_settings(annotation: object) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseSettings)


@pytest.fixture(scope="module")
def example() -> dict[str, str]:
    text = (ROOT / ".env.example").read_text()
    lines = re.findall(r"^(?:# )?([A-Z][A-Z0-9_]*)=(.*)$", text, re.MULTILINE)
    assert len({name for name, _ in lines}) == len(lines), "a setting stands there twice"
    return dict(lines)


def test_these_are_all_the_settings_there_are():
    found = {
        name
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
        for name in re.findall(r"^class (\w+)\(BaseSettings\)", path.read_text(), re.MULTILINE)
    }
    assert found == {settings.__name__ for settings in CLASSES}


@pytest.mark.parametrize("settings", CLASSES)
def test_every_setting_is_in_the_example(settings: type[BaseSettings], example: dict[str, str]):
    assert set(variables(settings)) - set(example) == set()


def test_nothing_else_is_in_the_example(example: dict[str, str]):
    known = {name for settings in CLASSES for name in variables(settings)}
    compose = (ROOT / "docker-compose.yml").read_text()
    assert set(example) - known - set(re.findall(r"\$\{(\w+)", compose)) == set()


@pytest.mark.parametrize("settings", CLASSES)
def test_the_example_can_be_used_as_it_is_and_shows_the_defaults(
    settings: type[BaseSettings], example: dict[str, str], monkeypatch: pytest.MonkeyPatch
):
    fields = variables(settings)
    for name in fields:
        monkeypatch.setenv(name, SECRETS.get(name) or example[name])
    read: Any = settings()
    for name, field in fields.items():
        default = settings.model_fields[field].default
        # Where there is no default, or it is nothing, the example shows what may be there.
        if default not in (PydanticUndefined, None, (), frozenset()):
            assert getattr(read, field) == default, name


def test_compose_hands_every_setting_on(example: dict[str, str]):
    """What compose sets itself cannot be changed in .env, and the example says so."""
    compose = (ROOT / "docker-compose.yml").read_text()
    assert re.search(r"env_file:\s*\n\s*- path: \.env\b", compose)
    environment = compose.partition("environment: &environment\n")[2].partition("\n\n")[0]
    itself = {
        name
        for name, value in re.findall(r"^\s+([A-Z_]+): (.*)$", environment, re.MULTILINE)
        if f"${{{name}" not in value
    }
    text = (ROOT / ".env.example").read_text()
    section = text.partition("set by docker-compose.yml itself")[2].partition("\n# ---")[0]
    told = set(re.findall(r"^# ([A-Z_]+)=", section, re.MULTILINE))
    assert itself <= told <= set(example)
