"""What a user may choose about the stack."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from stack.ports import Ports
from stack.settings import StackSettings

pytestmark = pytest.mark.unit

PORTS = Ports.of_block(20_000)


def test_fixed_ports_replace_those_of_the_block() -> None:
    ports = StackSettings(gateway_port=8_000, sip_port=5_060).apply_to(PORTS)
    assert (ports.gateway, ports.sip, ports.redis) == (8_000, 5_060, PORTS.redis)


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIALPLANE_VAR", "elsewhere")
    monkeypatch.setenv("DIALPLANE_PORT_BASE", "24000")
    settings = StackSettings()
    assert (settings.var, settings.port_base) == (Path("elsewhere"), 24_000)


def test_a_port_out_of_range_is_refused() -> None:
    with pytest.raises(ValidationError, match="sip_port"):
        StackSettings(sip_port=70_000)
