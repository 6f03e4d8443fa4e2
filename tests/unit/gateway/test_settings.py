"""Settings of the gateway."""

from ipaddress import ip_network

import pytest
from pydantic import ValidationError

from gateway.settings import GatewaySettings

pytestmark = pytest.mark.unit


def test_reads_the_default_addresses_as_a_json_list(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DIALPLANE_ADMIN_KEY", "an-admin-key-of-length")
    monkeypatch.setenv("DIALPLANE_DEFAULT_ALLOWED_ADDRESSES", '["127.0.0.0/8"]')
    settings = GatewaySettings()
    assert settings.dialplane_default_allowed_addresses == (ip_network("127.0.0.0/8"),)


def test_refuses_a_short_admin_key():
    with pytest.raises(ValidationError, match="dialplane_admin_key"):
        GatewaySettings(dialplane_admin_key="admin")


def test_does_not_show_the_admin_key():
    settings = GatewaySettings(dialplane_admin_key="an-admin-key-of-length")
    assert "of-length" not in repr(settings)
