"""Hold and transfer of one call, on a fake LiveKit: what each command does and refuses."""

import asyncio
from typing import Any

import pytest

from telephony.dialling_rules import RefusalCode, TargetRefused
from telephony.errors import DialError, DialOutcome, VendorUnavailable
from telephony.ports import ReferOutcome, Referred
from tests.unit.worker.office import DESK, NO_CARRIER, OTHER, Office
from tests.waiting import until
from worker.call_control import CallActivity
from worker.call_errors import CallOver, NotNow
from worker.ending import CALLER_HUNG_UP, HUMAN_HUNG_UP, TRANSFERRED
from worker.sip_status import CALL_HUNG_UP, CALL_STATUS
from worker.transfers.outcome import TransferCode

pytestmark = pytest.mark.unit


async def briefed(office: Office) -> "asyncio.Task[Any]":
    """Begin a warm transfer and return when the human was told what it is about."""
    passing = asyncio.ensure_future(office.control.transfer(summary="Ann asks for Bob."))
    await until(lambda: "transfer.briefed" in office.journal.events)
    return passing


async def test_hold_and_resume() -> None:
    office = Office()
    await office.control.hold()
    await office.control.hold()

    assert office.livekit.heard_by("caller") == {"hold_music"}
    assert (office.music.plays, office.agent.is_aside) == (True, True)
    await office.control.resume()
    await office.control.resume()
    assert office.livekit.heard_by("caller") == {"voice"}
    assert (office.music.plays, office.agent.is_aside) == (False, False)
    assert office.journal.events == ["hold.started", "hold.ended"]


async def test_a_hold_for_some_seconds_ends_by_itself_or_when_somebody_resumes() -> None:
    office = Office()
    await office.control.hold_for(0.01)
    assert office.control.activity is CallActivity.TALKING

    holding = asyncio.ensure_future(office.control.hold_for(60))
    await until(lambda: office.control.activity is CallActivity.ON_HOLD)
    await office.control.resume()
    await asyncio.wait_for(holding, 30)


async def test_a_hold_that_livekit_does_not_do_leaves_the_caller_with_the_agent() -> None:
    office = Office()
    office.livekit.fails_for.add("caller")
    with pytest.raises(VendorUnavailable):
        await office.control.hold()

    assert office.control.activity is CallActivity.TALKING
    assert not office.agent.is_aside


async def test_a_human_who_accepts_has_the_caller_and_ends_the_call_by_hanging_up() -> None:
    office = Office()
    passing = await briefed(office)
    assert office.livekit.heard_by(office.human.identity) == {"voice"}
    office.press("1")
    outcome = await passing

    assert outcome.code is TransferCode.ACCEPTED
    assert "aside: Ann asks for Bob." in office.agent.heard[0]
    assert office.livekit.heard_by("caller") == {"human_mic"}
    assert office.livekit.heard_by(office.human.identity) == {"mic"}
    assert (office.music.plays, office.agent.is_aside) == (False, True)
    assert office.control.placed_legs_s() >= 1
    office.leave(office.human)
    assert (await office.line.ending.wait())[0] == HUMAN_HUNG_UP


async def test_a_human_who_declines_is_hung_up_and_the_caller_is_back() -> None:
    office = Office()
    passing = await briefed(office)
    office.press("7")
    office.press("2")
    outcome = await passing

    assert outcome.code is TransferCode.DECLINED
    assert office.dialler.hung_up == [office.dialler.dialled[0].identity]
    assert office.livekit.heard_by("caller") == {"voice"}
    assert not office.agent.is_aside


async def test_a_human_who_hangs_up_in_the_briefing_leaves_the_caller_with_the_agent() -> None:
    office = Office()
    passing = await briefed(office)
    office.leave(office.human)

    assert (await passing).code is TransferCode.HUNG_UP
    assert office.livekit.heard_by("caller") == {"voice"}
    # LiveKit takes seconds to say that they are gone, and the caller would be on hold for them.
    assert office.dialler.hung_up == []


async def test_a_human_who_hangs_up_as_they_answer_is_not_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    office = Office()
    asked = asyncio.Event()

    async def look_for_them(_room_name: str, _identity: str, *, is_open: bool) -> None:
        assert not is_open
        asked.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(office.livekit, "set_ear", look_for_them)
    passing = asyncio.ensure_future(office.control.transfer())
    async with asyncio.timeout(60):
        await asked.wait()
        office.leave(office.human)

        assert (await passing).code is TransferCode.HUNG_UP
    assert office.livekit.heard_by("caller") == {"voice"}


async def test_a_human_who_leaves_while_they_are_hung_up_on_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("worker.transfers.leg._HANG_UP_TIMEOUT_S", 3_600)
    office = Office()
    asked = asyncio.Event()

    async def look_for_them(_room_name: str, _identity: str) -> None:
        asked.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(office.dialler, "hang_up", look_for_them)
    passing = await briefed(office)
    office.human.attributes[CALL_STATUS] = CALL_HUNG_UP
    office.room.emit("participant_attributes_changed", [], office.human)
    async with asyncio.timeout(60):
        await asked.wait()
        office.leave(office.human)

        assert (await passing).code is TransferCode.HUNG_UP
    assert office.livekit.heard_by("caller") == {"voice"}


async def test_a_transfer_that_breaks_as_nobody_foresaw_gives_the_caller_back() -> None:
    office = Office()
    office.dialler.answers = [RuntimeError("of a library")]
    with pytest.raises(RuntimeError):
        await office.control.transfer()

    assert office.control.activity is CallActivity.TALKING
    assert office.livekit.heard_by("caller") == {"voice"}
    assert (office.music.plays, office.agent.is_aside) == (False, False)


async def test_targets_are_tried_in_order_and_the_last_outcome_counts() -> None:
    office = Office(targets=[DESK, OTHER])
    office.dialler.answers = [
        DialError(DialOutcome.BUSY, 486, "Busy Here"),
        DialError(DialOutcome.NO_ANSWER, None, "it rang for too long"),
    ]
    outcome = await office.control.transfer(explain=True)

    assert (outcome.code, outcome.target) == (TransferCode.NO_ANSWER, OTHER)
    assert [one.to for one in office.dialler.dialled] == ["desk", "other"]
    assert office.agent.heard == ["I am sorry, nobody answered."]
    assert office.control.placed_legs_s() == 0


async def test_a_caller_who_hangs_up_ends_the_transfer_and_the_ringing_telephone() -> None:
    office = Office()
    office.dialler.never_answers = True
    passing = asyncio.ensure_future(office.control.transfer())
    await until(lambda: bool(office.dialler.dialled))
    office.line.ending.cut_off(CALLER_HUNG_UP)

    with pytest.raises(CallOver):
        await passing
    await until(lambda: bool(office.dialler.hung_up))


async def test_a_carrier_that_takes_the_call_ends_it_as_transferred() -> None:
    office = Office(targets=["+12015550155"], mode="cold")
    outcome = await office.control.transfer()

    assert outcome.is_accepted
    assert office.dialler.refers == ["tel:+12015550155"]
    assert office.dialler.refer_headers == [{"X-Dialplane-Hops": "1"}]
    assert (await office.line.ending.wait())[0] == TRANSFERRED


async def test_a_carrier_that_refuses_leaves_the_caller_with_the_agent() -> None:
    office = Office(mode="cold")
    office.dialler.referred = Referred(ReferOutcome.REFUSED, 603)

    assert (await office.control.transfer()).code is TransferCode.REFUSED
    assert office.control.activity is CallActivity.TALKING


async def test_where_the_carrier_is_not_asked_a_cold_transfer_connects_without_a_word() -> None:
    office = Office(mode="cold")
    office.control._can_refer = False
    outcome = await office.control.transfer()

    assert outcome.is_accepted
    assert office.agent.heard == []
    assert office.livekit.heard_by("caller") == {"human_mic"}


@pytest.mark.parametrize(
    ("to", "code"),
    [
        ("sip:boss@pbx.example", RefusalCode.NOT_ALLOWED),
        ("+12015550100", RefusalCode.OWN_NUMBER),
        ("+12015550101", RefusalCode.LOOP),
        ("+19005550123", RefusalCode.PREMIUM),
        ("the boss", RefusalCode.INVALID),
    ],
)
async def test_whom_the_agent_may_not_call_is_not_called(to: str, code: RefusalCode) -> None:
    office = Office(allow=["+1*"])
    with pytest.raises(TargetRefused) as refused:
        await office.control.transfer(to)

    assert refused.value.code is code
    assert office.dialler.dialled == []
    assert office.journal.events == []


async def test_a_number_that_no_carrier_takes_is_a_failed_transfer_and_the_record_says_why() -> (
    None
):
    office = Office(targets=["+12015550155"])

    assert (await office.control.transfer()).code is TransferCode.FAILED
    assert office.dialler.dialled == []
    assert office.journal.reasons == [NO_CARRIER]


async def test_a_sip_server_that_tenants_must_not_see_is_not_dialled() -> None:
    office = Office(targets=["sip:desk@10.0.0.5"])

    assert (await office.control.transfer()).code is TransferCode.FAILED
    assert office.dialler.dialled == []
    assert office.journal.reasons == [
        "The host to call is not known, or at an address that is not public."
    ]


async def test_an_agent_does_not_go_round_in_circles() -> None:
    office = Office()
    office.dialler.answers = [DialError(DialOutcome.BUSY, 486, "Busy Here") for _ in range(5)]
    for _ in range(5):
        await office.control.transfer()

    with pytest.raises(NotNow, match="5"):
        await office.control.transfer()


async def test_a_call_with_a_human_is_not_held_or_passed_on() -> None:
    office = Office()
    passing = await briefed(office)
    office.press("1")
    await passing
    for command in (office.control.hold, office.control.resume, office.control.transfer):
        with pytest.raises(NotNow):
            await command()


async def test_nothing_is_done_with_a_call_that_ends() -> None:
    office = Office()
    office.line.ending.decide(CALLER_HUNG_UP)
    for command in (office.control.hold, office.control.resume, office.control.transfer):
        with pytest.raises(CallOver):
            await command()


async def test_commands_are_carried_out_one_after_the_other() -> None:
    office = Office()
    passing = await briefed(office)
    holding = asyncio.ensure_future(office.control.hold())
    await asyncio.sleep(0)
    assert not holding.done()
    office.press("2")
    await passing
    await holding

    assert office.control.activity is CallActivity.ON_HOLD


async def test_everybody_hears_the_agents_last_words() -> None:
    office = Office()
    passing = await briefed(office)
    office.press("1")
    await passing
    await office.control.be_heard()

    assert office.livekit.heard_by("caller") == {"voice", "human_mic"}
    assert office.livekit.heard_by(office.human.identity) == {"voice", "mic"}
