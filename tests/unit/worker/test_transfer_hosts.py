"""Which SIP servers a tenant's call may be sent to."""

import pytest

from dispatch.tools.addresses import AllowedHosts
from worker.transfers.hosts import may_dial

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    "hostname", ["127.0.0.1", "10.0.0.5:5062", "169.254.169.254", "localhost", "127.1"]
)
async def test_a_private_address_is_not_dialled(hostname: str) -> None:
    assert not await may_dial(AllowedHosts(), hostname)


async def test_a_public_address_is_dialled() -> None:
    assert await may_dial(AllowedHosts(), "93.184.216.34:5062")


async def test_a_host_the_operator_names_is_dialled_wherever_it_is() -> None:
    allowed = AllowedHosts(["pbx.internal:5062", "127.0.0.1"])

    assert await may_dial(allowed, "pbx.internal:5062")
    assert await may_dial(allowed, "127.0.0.1:41234")
    assert not await may_dial(AllowedHosts(["127.0.0.1:5062"]), "127.0.0.1:5060")


async def test_a_name_that_cannot_be_looked_up_is_not_dialled() -> None:
    assert not await may_dial(AllowedHosts(), "nobody.invalid")


@pytest.mark.parametrize("host", ["a..b", f"{'x' * 64}.example", "-.example:5080"])
async def test_a_name_that_is_none_is_not_dialled(host: str) -> None:
    assert not await may_dial(AllowedHosts(), host)
