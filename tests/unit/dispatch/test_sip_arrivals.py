"""From SIP attributes to an arrival."""

import pytest

from dispatch.calls import call_id_of_sip_room
from dispatch.sip_arrivals import sip_arrival

pytestmark = pytest.mark.unit


def test_reads_both_numbers_and_both_call_ids() -> None:
    arrival = sip_arrival(
        "call_1",
        "sip_1",
        {
            "sip.trunkPhoneNumber": "12015550100",
            "sip.phoneNumber": "0012015550199",
            "sip.callID": "SCL_1",
            "sip.callIDFull": "abc@carrier",
        },
    )
    assert arrival.call_id == call_id_of_sip_room("call_1")
    assert (arrival.did, arrival.caller_number) == ("+12015550100", "+12015550199")
    assert (arrival.sip_call_id, arrival.carrier_call_id) == ("SCL_1", "abc@carrier")


@pytest.mark.parametrize("user", ["", "anonymous", "Restricted"])
def test_a_withheld_number_is_none(user: str) -> None:
    assert sip_arrival("call_1", "sip_1", {"sip.phoneNumber": user}).caller_number is None


def test_an_extension_is_no_number_of_ours_and_a_name_is_kept() -> None:
    arrival = sip_arrival(
        "call_1", "sip_1", {"sip.trunkPhoneNumber": "reception", "sip.phoneNumber": "alice"}
    )
    assert (arrival.did, arrival.caller_number) == (None, "alice")
