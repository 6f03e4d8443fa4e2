"""docker-compose.yml and the embedded stack are two ways to run the same system."""

import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from stack import livekit_config, postgres, redis
from stack.livekit_config import WEBHOOK_EVENTS, LiveKitKeys, server_config, sip_config
from stack.parts import PART_NAMES, PartFactory
from stack.ports import Ports

pytestmark = pytest.mark.architecture

ROOT = Path(__file__).resolve().parents[2]
PORTS = Ports.of_block(20_000)
KEYS = LiveKitKeys("dialplane", "secret")
PYTHON_PARTS = ("gateway", "dispatch", "worker")

# What one machine with a fixed set of ports needs to be told differently.
COMPOSE_ONLY = {
    "LOG_FORMAT",
    "PUBLIC_LIVEKIT_URL",
}
EMBEDDED_ONLY = {"DIALPLANE_SIP_ALLOWED_HOSTS", "PYTHONUNBUFFERED"}


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    found: dict[str, Any] = compose["services"]
    return found


def shape(value: object) -> object:
    """The names and kinds of a configuration, without its values."""
    if isinstance(value, dict):
        return {name: shape(inner) for name, inner in value.items()}
    return type(value).__name__


def options_of(command: list[str]) -> dict[str, str]:
    return {
        name.removeprefix("--"): value for name, value in pairwise(command) if name.startswith("--")
    }


def inline(text: str) -> Any:
    """A configuration written into an environment variable, secrets filled in."""
    return yaml.safe_load(
        re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", re.sub(r"\$\{\w+:\?[^}]*\}", "s", text))
    )


def test_compose_runs_the_same_seven_parts_and_the_migrations(services: dict[str, Any]) -> None:
    assert set(services) == {*PART_NAMES, "migrate"}


def test_both_run_the_same_livekit_versions(services: dict[str, Any]) -> None:
    assert services["livekit"]["image"].endswith(f":{livekit_config.SERVER_VERSION}")
    assert services["sip"]["image"].endswith(f":{livekit_config.SIP_VERSION}")
    go_mod = (ROOT / "stack" / "go.mod").read_text()
    assert f"github.com/livekit/livekit-server {livekit_config.SERVER_VERSION}" in go_mod
    assert f"github.com/livekit/sip {livekit_config.SIP_VERSION}" in go_mod


def test_both_run_the_same_major_version_of_postgres_with_pgvector(
    services: dict[str, Any],
) -> None:
    assert services["postgres"]["image"] == f"pgvector/pgvector:pg{postgres.MAJOR_VERSION}"


def test_compose_runs_a_redis_at_least_as_new(services: dict[str, Any]) -> None:
    tag = services["redis"]["image"].removeprefix("redis:")
    assert int(tag.partition("-")[0]) >= redis.MINIMUM_VERSION[0]


def test_postgres_has_the_same_settings(services: dict[str, Any]) -> None:
    options = [word for word in services["postgres"]["command"] if "=" in word]
    assert dict(option.split("=") for option in options) == postgres.SETTINGS


def test_redis_has_the_same_settings(services: dict[str, Any]) -> None:
    options = options_of(services["redis"]["command"])
    options.pop("requirepass")
    expected = {name: value.strip('"') for name, value in redis.SETTINGS.items()}
    assert options == expected


def test_livekit_server_is_configured_alike(services: dict[str, Any]) -> None:
    config = inline(services["livekit"]["environment"]["LIVEKIT_CONFIG"])
    assert shape(config) == shape(server_config(PORTS, KEYS, "password"))
    assert config["webhook"]["api_key"] in config["keys"]
    assert config["webhook"]["filter_params"] == {"include_events": list(WEBHOOK_EVENTS)}


def test_livekit_sip_is_configured_alike(services: dict[str, Any]) -> None:
    config = inline(services["sip"]["environment"]["SIP_CONFIG_BODY"])
    # The embedded stack asks over SIP itself and opens no health port.
    config.pop("health_port")
    assert shape(config) == shape(sip_config(PORTS, KEYS, "password"))


@pytest.mark.parametrize("name", PYTHON_PARTS)
def test_our_own_processes_get_the_same_settings(
    services: dict[str, Any], name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.environ", {})
    embedded = set(PartFactory(tmp_path, tmp_path, PORTS, {}).environment)
    in_compose = set(services[name]["environment"])
    assert in_compose - COMPOSE_ONLY == embedded - EMBEDDED_ONLY


@pytest.mark.parametrize("name", [*PYTHON_PARTS, "migrate"])
def test_our_own_processes_are_started_alike(services: dict[str, Any], name: str) -> None:
    arguments = ["dispatch", "migrate"] if name == "migrate" else [name]
    assert services[name]["command"] == ["python", "-m", *arguments]


@pytest.mark.parametrize("name", PART_NAMES)
def test_every_part_has_a_health_check(services: dict[str, Any], name: str) -> None:
    assert services[name]["healthcheck"]["test"]


def test_data_is_in_named_volumes(services: dict[str, Any]) -> None:
    volumes = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["volumes"]
    mounted = {services[name]["volumes"][0].partition(":")[0] for name in ("postgres", "redis")}
    assert mounted == set(volumes)


def test_the_image_runs_as_nobody_special() -> None:
    assert "USER dialplane" in (ROOT / "Dockerfile").read_text()


def test_every_secret_of_compose_is_in_the_example() -> None:
    compose = (ROOT / "docker-compose.yml").read_text()
    example = (ROOT / ".env.example").read_text()
    for name in re.findall(r"\$\{(\w+)", compose):
        assert name in example
