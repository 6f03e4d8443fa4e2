"""Calls that a number's owner passes on: the agent has no say in it, and no carrier either."""

import contextlib

import pytest

from dispatch.transfer_policy import TransferMode
from telephony.dialling_rules import TargetRefused
from telephony.ports import ReferOutcome, Referred
from tests.unit.worker.office import DESK, DID, OTHER, Office
from worker.call_control import CallActivity
from worker.transfers.targets import MAX_HOPS

pytestmark = pytest.mark.unit


async def test_the_agents_list_holds_for_the_agent_alone() -> None:
    office = Office()
    office.control._can_refer = False

    with pytest.raises(TargetRefused):
        await office.control.transfer(OTHER, TransferMode.COLD)
    outcome = await office.control.transfer(OTHER, TransferMode.COLD, by_owner=True)

    assert outcome.is_accepted
    assert office.control.activity is CallActivity.WITH_HUMAN


@pytest.mark.parametrize("to", [DID, "+19005550123"])
async def test_a_loop_and_a_costly_number_are_refused_to_the_owner_too(to: str) -> None:
    office = Office()

    with pytest.raises(TargetRefused):
        await office.control.transfer(to, TransferMode.COLD, by_owner=True)
    assert office.dialler.refers == []


async def test_a_loop_through_other_customers_numbers_ends_by_its_hops() -> None:
    # Numbers of one project are followed when they are told whom to pass calls to; from one
    # customer to the next, only the call itself tells how far it has come.
    told: list[int] = []
    for hops in range(MAX_HOPS + 1):
        office = Office()
        office.room.hops = hops
        with contextlib.suppress(TargetRefused):
            await office.control.transfer(DESK, TransferMode.COLD, by_owner=True)
        told += [int(headers["X-Dialplane-Hops"]) for headers in office.dialler.refer_headers]

    assert told == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("answer", [ReferOutcome.REFUSED, ReferOutcome.FAILED])
async def test_where_the_carrier_takes_no_refer_the_call_is_connected_here(
    answer: ReferOutcome,
) -> None:
    office = Office()
    office.dialler.referred = Referred(answer, 405)

    outcome = await office.control.transfer(DESK, TransferMode.COLD, by_owner=True)

    assert outcome.is_accepted
    assert len(office.dialler.refers) == 1
    assert [request.to for request in office.dialler.dialled] == ["desk"]


async def test_a_target_that_is_busy_by_the_carrier_is_not_called_again() -> None:
    office = Office()
    office.dialler.referred = Referred(ReferOutcome.BUSY, 486)

    outcome = await office.control.transfer(DESK, TransferMode.COLD, by_owner=True)

    assert outcome.code == "busy"
    assert office.dialler.dialled == []
