"""Who owns a trunk is written on the trunk itself."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony.e164 import E164
from telephony.trunks import InboundTrunk, TrunkOwner

pytestmark = pytest.mark.unit

OWNER = TrunkOwner("dialplane", "a-connection", 0)


def test_finds_the_owner_it_wrote() -> None:
    assert TrunkOwner.find_in(OWNER.to_metadata()) == OWNER


@pytest.mark.parametrize(
    "metadata",
    ["", "not json", "[]", "{}", "null", '{"dialplane": "x"}', '{"dialplane": 1, "shard": 0}'],
)
def test_finds_no_owner_in_what_others_wrote(metadata: str) -> None:
    assert TrunkOwner.find_in(metadata) is None


@given(st.text())
def test_any_metadata_can_be_looked_at(metadata: str) -> None:
    TrunkOwner.find_in(metadata)


def test_does_not_show_a_trunks_password() -> None:
    trunk = InboundTrunk(
        OWNER, "carrier", frozenset({E164("+12015550100")}), auth_password="hunter2"
    )

    assert "hunter2" not in repr(trunk)
