"""Telephone legs that we begin, end and pass on, over LiveKit's SIP service."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import quote, urlencode

from google.protobuf.duration_pb2 import Duration
from livekit import api

from telephony.adapters.livekit_client import LiveKitClient
from telephony.errors import DialError, DialOutcome, VendorNotFound, outcome_of_sip_code
from telephony.ports import AnsweredLeg, DialRequest, ReferOutcome, Referred, SipServer

_GAVE_UP: Final = frozenset({"canceled", "deadline_exceeded"})
"""How livekit-sip says that it rang for too long. Source: livekit/sip v1.8.0 pkg/sip/outbound.go,
sipResponse."""

_NOT_AUTHENTICATED: Final = (
    "max auth retry attempts reached",
    "sip server required auth",
    "no auth header in sip invite response",
)
"""How livekit-sip says that a carrier went on asking who we are (401 or 407), without the code.
Source: livekit/sip v1.8.0 pkg/sip/protocol.go."""

_REFERRED: Final = {
    DialOutcome.BUSY: ReferOutcome.BUSY,
    DialOutcome.NO_ANSWER: ReferOutcome.NO_ANSWER,
    DialOutcome.REJECTED: ReferOutcome.REFUSED,
    DialOutcome.FAILED: ReferOutcome.FAILED,
}

_TIMED_OUT: Final = frozenset({"STR_RINGING_TIMEOUT", "STR_SUBSCRIPTION_TERMINATED"})


class LiveKitDialler:
    """`telephony.ports.Dialler` over LiveKit; nothing that rings a telephone is sent twice."""

    def __init__(self, client: LiveKitClient) -> None:
        self._client = client

    async def dial(self, request: DialRequest) -> AnsweredLeg:
        """Call somebody into a room; returns when they answered."""
        dialled = _participant(request)

        async def send(livekit: api.LiveKitAPI) -> api.SIPParticipantInfo:
            try:
                return await livekit.sip.create_sip_participant(dialled)
            except api.ServerError as exc:
                if (failure := _not_answered(exc)) is not None:
                    raise failure from exc
                raise

        info = await self._client.once("dial", send, rings=True)
        return AnsweredLeg(info.participant_identity, info.sip_call_id)

    async def hang_up(self, room_name: str, identity: str) -> None:
        """End a leg, also one that still rings; one that is gone is fine."""
        whom = api.RoomParticipantIdentity(room=room_name, identity=identity)
        try:
            await self._client.repeatable(
                "hang_up", lambda livekit: livekit.room.remove_participant(whom)
            )
        except VendorNotFound:
            return

    async def refer(
        self,
        room_name: str,
        identity: str,
        target_uri: str,
        *,
        headers: Mapping[str, str],
        timeout_s: float,
    ) -> Referred:
        """Ask a leg's carrier to call somebody else in our place, and wait for the outcome."""
        request = api.TransferSIPParticipantRequest(
            room_name=room_name,
            participant_identity=identity,
            transfer_to=_asking_for(headers, target_uri),
            headers=dict(headers),
            ringing_timeout=_duration(timeout_s),
        )

        async def send(livekit: api.LiveKitAPI) -> Referred:
            try:
                answer = await livekit.sip.transfer_sip_participant(request)
            except api.SipCallError as exc:
                return _referred(exc.sip_status_code, exc.sip_transfer_reason or "", exc.message)
            except api.ServerError as exc:
                if exc.code in _GAVE_UP:
                    return Referred(ReferOutcome.TIMED_OUT, None, exc.message)
                raise
            if answer.status != api.SIPTransferStatus.STS_TRANSFER_FAILED:
                # The open-source server answers an accepted transfer with an empty message, which
                # reads as one that goes on. Source: livekit-server v1.13.5 pkg/service/sip.go.
                return Referred(ReferOutcome.ACCEPTED)
            reason = api.SIPTransferReason.Name(answer.reason)
            return _referred(answer.sip_status.code or None, reason, answer.sip_status.status)

        return await self._client.once("refer", send, rings=True)


def _asking_for(headers: Mapping[str, str], target_uri: str) -> str:
    """Return a target that asks for headers in the call that a REFER brings about, if it can.

    livekit-sip puts a `sip:` address between angle brackets, as RFC 3515 wants of one with headers.
    Source: livekit/protocol livekit/sip.go, TransferSIPParticipantRequest.ValidateResult.
    """
    if not headers or not target_uri.startswith("sip:"):
        return target_uri
    return f"{target_uri}?{urlencode(headers, quote_via=quote)}"


def _participant(request: DialRequest) -> api.CreateSIPParticipantRequest:
    dialled = api.CreateSIPParticipantRequest(
        sip_call_to=request.to,
        sip_number=request.from_number,
        room_name=request.room_name,
        participant_identity=request.identity,
        participant_name=request.name or request.identity,
        headers=dict(request.headers),
        ringing_timeout=_duration(request.ringing_timeout_s),
        # Whoever is in the room, such as a browser, is not told the number.
        hide_phone_number=True,
        wait_until_answered=True,
    )
    if isinstance(request.trunk, SipServer):
        # The SDK's own argument for this always raises.
        dialled.trunk.CopyFrom(
            api.SIPOutboundConfig(
                hostname=request.trunk.hostname,
                auth_username=request.trunk.auth_username,
                auth_password=request.trunk.auth_password,
            )
        )
    else:
        dialled.sip_trunk_id = request.trunk
    return dialled


def _not_answered(error: api.ServerError) -> DialError | None:
    if isinstance(error, api.SipCallError) and error.sip_status_code is not None:
        code = error.sip_status_code
        return DialError(outcome_of_sip_code(code), code, error.sip_status or error.message)
    if error.code in _GAVE_UP:
        return DialError(DialOutcome.NO_ANSWER, None, "it rang for too long")
    if any(words in error.message for words in _NOT_AUTHENTICATED):
        return DialError(DialOutcome.FAILED, None, "the carrier did not take our credentials")
    return None


def _referred(sip_code: int | None, reason: str, words: str) -> Referred:
    if sip_code is not None:
        return Referred(_REFERRED[outcome_of_sip_code(sip_code)], sip_code, words)
    outcome = ReferOutcome.TIMED_OUT if reason in _TIMED_OUT else ReferOutcome.FAILED
    return Referred(outcome, None, words or reason)


def _duration(seconds: float) -> Duration:
    duration = Duration()
    duration.FromMilliseconds(round(seconds * 1000))
    return duration
