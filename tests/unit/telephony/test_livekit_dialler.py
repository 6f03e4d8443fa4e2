"""LiveKit's answers to dialling and transferring, in our words."""

from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest
from livekit import api

from telephony.adapters.livekit_client import LiveKitClient, translated_errors
from telephony.adapters.livekit_dialler import LiveKitDialler
from telephony.errors import DialError, DialOutcome, VendorRejected, outcome_of_sip_code
from telephony.ports import DialRequest, ReferOutcome, SipServer

pytestmark = pytest.mark.unit

REQUEST = DialRequest(
    room_name="call_1",
    identity="human_1",
    to="desk",
    trunk=SipServer("pbx.example:5062", "user", "secret"),
    from_number="+12015550100",
    ringing_timeout_s=12.5,
)


class Sip:
    """LiveKit's SIP service, which answers or raises one thing."""

    def __init__(self, answer: Any) -> None:
        self._answer = answer
        self.asked: list[Any] = []

    async def create_sip_participant(self, request: Any) -> Any:
        return self._reply(request)

    async def transfer_sip_participant(self, request: Any) -> Any:
        return self._reply(request)

    def _reply(self, request: Any) -> Any:
        self.asked.append(request)
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer


def dialler(sip: Sip) -> LiveKitDialler:
    async def once(operation: str, send: Callable[[Any], Awaitable[Any]], *, rings: bool) -> Any:
        assert rings, "a telephone may ring for longer than LiveKit may take for anything else"
        with translated_errors(operation):
            return await send(SimpleNamespace(sip=sip))

    return LiveKitDialler(cast("LiveKitClient", SimpleNamespace(once=once)))


def sip_error(status: int, **metadata: str) -> api.SipCallError:
    return api.SipCallError(
        "unavailable",
        "call failed",
        status=503,
        metadata={"sip_status_code": str(status), "sip_status": "Words", **metadata},
    )


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        (486, DialOutcome.BUSY),
        (600, DialOutcome.BUSY),
        (480, DialOutcome.NO_ANSWER),
        (408, DialOutcome.NO_ANSWER),
        (603, DialOutcome.REJECTED),
        (403, DialOutcome.REJECTED),
        (404, DialOutcome.FAILED),
        (503, DialOutcome.FAILED),
    ],
)
async def test_a_sip_status_says_why_nobody_answered(code: int, outcome: DialOutcome) -> None:
    assert outcome_of_sip_code(code) is outcome
    with pytest.raises(DialError) as failed:
        await dialler(Sip(sip_error(code))).dial(REQUEST)

    assert (failed.value.outcome, failed.value.sip_code) == (outcome, code)


async def test_a_call_that_rang_for_too_long_was_not_answered() -> None:
    gave_up = api.ServerError("canceled", "sip request timed out", status=408)
    with pytest.raises(DialError) as failed:
        await dialler(Sip(gave_up)).dial(REQUEST)

    assert (failed.value.outcome, failed.value.sip_code) == (DialOutcome.NO_ANSWER, None)


async def test_a_carrier_that_does_not_know_us_put_no_call_through() -> None:
    unknown = api.ServerError(
        "failed_precondition", "max auth retry attempts reached for SIP invite", status=412
    )
    with pytest.raises(DialError) as failed:
        await dialler(Sip(unknown)).dial(REQUEST)

    assert (failed.value.outcome, failed.value.sip_code) == (DialOutcome.FAILED, None)


async def test_a_request_that_livekit_does_not_accept_is_no_outcome_of_a_call() -> None:
    wrong = api.ServerError("invalid_argument", "no trunk", status=400)
    with pytest.raises(VendorRejected):
        await dialler(Sip(wrong)).dial(REQUEST)


async def test_a_call_is_dialled_once_with_its_own_server_and_hides_the_number() -> None:
    sip = Sip(SimpleNamespace(participant_identity="human_1", sip_call_id="SCL_1"))
    leg = await dialler(sip).dial(REQUEST)

    assert leg.sip_call_id == "SCL_1"
    [asked] = sip.asked
    assert (asked.sip_call_to, asked.sip_number) == ("desk", "+12015550100")
    assert (asked.trunk.hostname, asked.trunk.auth_password) == ("pbx.example:5062", "secret")
    assert asked.wait_until_answered
    assert asked.hide_phone_number
    assert asked.ringing_timeout.ToMilliseconds() == 12_500


@pytest.mark.parametrize(
    ("answer", "outcome", "code"),
    [
        (api.TransferSIPParticipantResponse(), ReferOutcome.ACCEPTED, None),
        (sip_error(486), ReferOutcome.BUSY, 486),
        (sip_error(480), ReferOutcome.NO_ANSWER, 480),
        (sip_error(603), ReferOutcome.REFUSED, 603),
        (sip_error(404), ReferOutcome.FAILED, 404),
        (
            api.TransferSIPParticipantResponse(
                status=api.SIPTransferStatus.STS_TRANSFER_FAILED,
                reason=api.SIPTransferReason.STR_RINGING_TIMEOUT,
            ),
            ReferOutcome.TIMED_OUT,
            None,
        ),
        (
            api.ServerError("deadline_exceeded", "no answer", status=408),
            ReferOutcome.TIMED_OUT,
            None,
        ),
    ],
)
async def test_a_transfer_has_an_outcome_whether_it_is_raised_or_answered(
    answer: Any, outcome: ReferOutcome, code: int | None
) -> None:
    referred = await dialler(Sip(answer)).refer(
        "call_1", "caller", "tel:+12015550155", headers={}, timeout_s=5
    )

    assert (referred.outcome, referred.sip_code) == (outcome, code)


@pytest.mark.parametrize(
    ("target", "asked_for"),
    [
        ("tel:+12015550155", "tel:+12015550155"),
        ("sip:desk@pbx.example:5062", "sip:desk@pbx.example:5062?X-Dialplane-Hops=2"),
    ],
)
async def test_a_transfer_counts_the_hops_to_the_carrier_and_where_it_can_to_the_target(
    target: str, asked_for: str
) -> None:
    sip = Sip(api.TransferSIPParticipantResponse())
    headers = {"X-Dialplane-Hops": "2"}
    await dialler(sip).refer("call_1", "caller", target, headers=headers, timeout_s=5)

    [asked] = sip.asked
    assert asked.transfer_to == asked_for
    assert dict(asked.headers) == headers
