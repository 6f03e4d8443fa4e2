"""A caller who was put on hold gets back to the agent, whatever LiveKit does for a while."""

from typing import Any

import pytest

from telephony.errors import DialError, DialOutcome, VendorUnavailable
from tests.unit.worker.office import Office
from worker.call_control import CallActivity
from worker.transfers.outcome import TransferCode

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("after", ["hold", "transfer"])
async def test_a_caller_is_given_back_as_soon_as_livekit_does_it(
    monkeypatch: pytest.MonkeyPatch, after: str
) -> None:
    monkeypatch.setattr("worker.call_control._AGAIN_S", 0.001)
    office, failed = Office(), 0
    set_heard = office.livekit.set_heard

    async def fail_three_times(room: str, identity: str, tracks: Any, *, heard: bool) -> None:
        nonlocal failed
        if identity == "caller" and office.control.activity is CallActivity.ON_HOLD and failed < 3:
            failed += 1
            raise VendorUnavailable("livekit", "set_heard", "could not be reached")
        await set_heard(room, identity, tracks, heard=heard)

    office.livekit.set_heard = fail_three_times  # type: ignore[method-assign]
    if after == "hold":
        assert await office.control.hold_for(0.01)
    else:
        office.dialler.answers = [DialError(DialOutcome.BUSY, 486, "Busy Here")]
        assert (await office.control.transfer()).code is TransferCode.BUSY
    assert failed == 3
    assert office.control.activity is CallActivity.TALKING
    assert office.livekit.heard_by("caller") == {"voice"}
