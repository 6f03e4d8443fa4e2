"""Who calls, from the attributes LiveKit gives a SIP participant."""

import pytest

from dispatch.calls import call_id_of_sip_room
from dispatch.sip_arrivals import sip_arrival
from telephony.calls import CallDirection, CallKind

pytestmark = pytest.mark.unit

ROOM = "call_abc"
ATTRIBUTES = {
    "sip.callID": "SCL_1",
    "sip.callIDFull": "a84b4c76e66710@carrier",
    "sip.phoneNumber": "+12015550123",
    "sip.trunkPhoneNumber": "+12015550100",
    "sip.callStatus": "ringing",
}


def arrival(**changes: str):
    names = {"caller": "sip.phoneNumber", "dialled": "sip.trunkPhoneNumber"}
    return sip_arrival(
        ROOM, "sip_1", ATTRIBUTES | {names[key]: value for key, value in changes.items()}
    )


def test_names_both_numbers_and_both_call_ids():
    found = arrival()

    assert found.kind is CallKind.SIP
    assert found.direction is CallDirection.INBOUND
    assert (found.did, found.caller_number) == ("+12015550100", "+12015550123")
    assert (found.sip_call_id, found.carrier_call_id) == ("SCL_1", "a84b4c76e66710@carrier")


def test_has_the_id_that_everybody_derives_from_the_room():
    assert arrival().call_id == call_id_of_sip_room(ROOM)


@pytest.mark.parametrize("dialled", ["12015550100", "0012015550100", "+1 201 555 0100"])
def test_reads_the_dialled_number_as_carriers_write_it(dialled: str):
    assert arrival(dialled=dialled).did == "+12015550100"


@pytest.mark.parametrize("dialled", ["100", "sales", ""])
def test_leaves_a_dialled_extension_without_a_number(dialled: str):
    assert arrival(dialled=dialled).did is None


@pytest.mark.parametrize("caller", ["anonymous", "Anonymous", "unknown", "Restricted", "", " "])
def test_lets_the_caller_withhold_the_number(caller: str):
    assert arrival(caller=caller).caller_number is None


@pytest.mark.parametrize("caller", ["1001", "alice"])
def test_keeps_a_caller_that_is_no_number_as_sent(caller: str):
    assert arrival(caller=caller).caller_number == caller


def test_keeps_what_can_be_stored_of_what_strangers_write():
    found = sip_arrival(
        ROOM, "sip_1", {"sip.phoneNumber": "al\0ice\n" + "x" * 9_000, "sip.callIDFull": "a\0b"}
    )

    assert found.caller_number == "alice" + "x" * 250
    assert found.carrier_call_id == "ab"


def test_needs_no_attribute_at_all():
    found = sip_arrival(ROOM, "sip_1", {})

    assert (found.did, found.caller_number, found.sip_call_id) == (None, None, None)
